// SPDX-License-Identifier: Apache-2.0
internal import Socket

/// What `starling up` prints when everything runs: where it is, and how to use it.
package enum Banner {
    /// - Parameters:
    ///   - served: Where what is served.
    ///   - psqlCommand: A command line that opens the database.
    ///   - secured: The listeners that speak TLS.
    package static func text(
        _ served: ServedEndpoints, psqlCommand: String, secured: [ListenerName] = []
    ) -> String {
        func target(_ endpoint: Endpoint, _ listener: ListenerName) -> String {
            Banner.target(endpoint, isSecure: secured.contains(listener))
        }
        var text = "Starling \(Version.text) is ready.\n\n"
        text += "  OTLP/gRPC   \(served.grpc?.description ?? "off")\n"
        text += "  OTLP/HTTP   \(served.http.map { target($0, .http) } ?? "off")\n"
        text += "  API         \(served.api.map { target($0, .api) } ?? "off")\n"
        if let jaeger = served.jaeger {
            text += "  Jaeger API  \(target(jaeger, .jaeger))\n"
        }
        text += "  database    \(psqlCommand)\n"
        let ways: [(String, Endpoint?, ListenerName)] = [
            ("grpc", served.grpc, .grpc), ("http/protobuf", served.http, .http),
        ]
        for (index, way) in ways.filter({ $0.1 != nil }).enumerated() {
            guard let endpoint = way.1 else { continue }
            text += index == 0 ? "\nTo point an SDK at it:\n\n" : "\nor\n\n"
            text += "  export OTEL_EXPORTER_OTLP_ENDPOINT=\(target(endpoint, way.2))\n"
            text += "  export OTEL_EXPORTER_OTLP_PROTOCOL=\(way.0)\n"
        }
        return text
    }

    /// As a client on this machine writes it: an address for every interface is none to connect to.
    private static func target(_ endpoint: Endpoint, isSecure: Bool) -> String {
        let scheme = isSecure ? "https" : "http"
        return switch endpoint {
        case .tcp(host: "0.0.0.0", let port): "\(scheme)://127.0.0.1:\(port)"
        case .tcp(host: "::", let port): "\(scheme)://[::1]:\(port)"
        case .tcp: "\(scheme)://\(endpoint)"
        case .unix(let path): "unix://\(path)"
        }
    }
}
