// SPDX-License-Identifier: Apache-2.0
package import Base
internal import Socket
package import TLS

/// What is served over HTTP, beside the stations: by whom.
package struct WebServers: Sendable {
    let api: any APIServer & TLSServer
    let jaeger: any APIServer & TLSServer
    let http: any ExportServer & TLSServer

    package init(
        api: any APIServer & TLSServer, jaeger: any APIServer & TLSServer,
        http: any ExportServer & TLSServer
    ) {
        self.api = api
        self.jaeger = jaeger
        self.http = http
    }

    /// Starts what is configured; when that fails, nothing is left running. `httpSocket` is a
    /// descriptor that listens in the place of `listen.http`, and is given away. Returns where all
    /// of it is served, gRPC included.
    func start(
        _ configuration: Configuration, _ pipeline: Pipeline, _ tls: TLSKeeper?,
        httpSocket: Int32?
    ) throws(DaemonError) -> ServedEndpoints {
        let apiEndpoint = try start(
            api, .api, configuration.listen.api, configuration.limits, pipeline, tls)
        var jaegerEndpoint: Endpoint?
        do throws(DaemonError) {
            jaegerEndpoint = try start(
                jaeger, .jaeger, configuration.listen.jaeger, configuration.limits, pipeline, tls)
            let httpEndpoint = try startHTTP(configuration, pipeline, tls, httpSocket)
            if let httpEndpoint {
                pipeline.observer.serves(.init(name: "http", address: "\(httpEndpoint)"))
            }
            return ServedEndpoints(
                grpc: pipeline.endpoint, http: httpEndpoint, api: apiEndpoint,
                jaeger: jaegerEndpoint, isHTTPAdopted: httpSocket != nil)
        } catch {
            stop(ServedEndpoints(grpc: nil, http: nil, api: apiEndpoint, jaeger: jaegerEndpoint))
            throw error
        }
    }

    /// One that reads only; nil where it is off.
    private func start(
        _ server: any APIServer & TLSServer, _ listener: ListenerName, _ wanted: Endpoint?,
        _ limits: Configuration.RequestLimits, _ pipeline: Pipeline, _ tls: TLSKeeper?
    ) throws(DaemonError) -> Endpoint? {
        if let wanted, let acceptor = tls?.acceptor(for: listener, at: wanted) {
            server.secure(with: acceptor)
        }
        let observer = pipeline.observer
        let door = APIDoor(limits, counters: pipeline.counters, log: pipeline.connectionLog)
        let endpoint = try started(wanted, "listen.\(listener.rawValue)") {
            (address) throws(APIServerFailure) in
            try server.start(at: address, observing: observer, door: door)
        }
        if let endpoint {
            observer.serves(.init(name: listener.rawValue, address: "\(endpoint)"))
        }
        return endpoint
    }

    /// Ends what `start` began.
    func stop(_ served: ServedEndpoints) {
        if let endpoint = served.http {
            http.stop()
            if !served.isHTTPAdopted { WebStart.clean(endpoint) }
        }
        for (server, endpoint) in [(jaeger, served.jaeger), (api, served.api)] {
            guard let endpoint else { continue }
            server.stop()
            WebStart.clean(endpoint)
        }
    }

    private func startHTTP(
        _ configuration: Configuration, _ pipeline: Pipeline, _ tls: TLSKeeper?,
        _ socket: Int32?
    ) throws(DaemonError) -> Endpoint? {
        let inherited = socket.flatMap { Endpoint(boundTo: $0) }
        if let endpoint = inherited ?? configuration.listen.http,
            let acceptor = tls?.acceptor(for: .http, at: endpoint)
        {
            http.secure(with: acceptor)
        }
        let start = { (address: ExportAddress) throws(APIServerFailure) in
            try http.start(
                at: address, settings: ExportServerSettings(configuration),
                receiver: pipeline.httpIntake)
        }
        guard let socket, let inherited else {
            return try started(configuration.listen.http, "listen.http") {
                (address) throws(APIServerFailure) in
                try start(.bind(address))
            }
        }
        do throws(APIServerFailure) {
            _ = try start(.adopted(socket))
            return inherited
        } catch {
            throw DaemonError(
                .cannotListen, "the socket for http that systemd opened: \(error.description)")
        }
    }

    private func started(
        _ wanted: Endpoint?, _ key: String,
        _ start: (APIAddress) throws(APIServerFailure) -> UInt16?
    ) throws(DaemonError) -> Endpoint? {
        guard let wanted else { return nil }
        return try WebStart.start(at: wanted, key: key, start)
    }
}

extension ExportServerSettings {
    fileprivate init(_ configuration: Configuration) {
        self.init()
        requestSizeBytesMax = configuration.limits.requestSizeBytesMax
        deadlineNs = UInt64(configuration.limits.requestDeadlineMs) * 1_000_000
        headerListSizeBytesMax = configuration.limits.headerListSizeBytesMax
        concurrentStreamCountMax = configuration.limits.concurrentStreamCountMax
        streamWindowBytes = configuration.http2.streamWindowBytes
        connectionWindowBytes = configuration.http2.connectionWindowBytes
        allowedOrigins = configuration.http.allowedOrigins
    }
}
