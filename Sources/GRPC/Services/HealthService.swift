// SPDX-License-Identifier: Apache-2.0
internal import Base

/// The messages of grpc.health.v1.Health.
enum HealthService {
    /// The methods of the service.
    enum Method: CaseIterable {
        case check, list, watch

        var path: StaticString {
            switch self {
            case .check: "/grpc.health.v1.Health/Check"
            case .list: "/grpc.health.v1.Health/List"
            case .watch: "/grpc.health.v1.Health/Watch"
            }
        }
    }

    /// By the numbers of HealthCheckResponse.ServingStatus.
    enum Serving: UInt64 {
        case serving = 1
        case notServing = 2
        case serviceUnknown = 3
    }

    /// Longest HealthCheckRequest that is looked at.
    static let requestSizeBytesMax = 4_096

    /// The services that have a status: the daemon as a whole, and what takes telemetry.
    static let services = [""] + Signal.allCases.map { Route.serviceName(of: $0) }

    static func serving(_ status: HealthStatus) -> Serving {
        status.isServing ? .serving : .notServing
    }

    /// The service that a HealthCheckRequest asks about; nil where the bytes are none.
    static func service(request: ByteSlice) -> String? {
        var fields = WireFields(request)
        var service = ""
        while let field = fields.next() {
            if case .bytes(let name) = field.value, field.number == 1 { service = name.string }
        }
        return fields.isMalformed ? nil : service
    }

    /// A HealthCheckResponse.
    static func response(_ serving: Serving) -> WireMessage {
        var message = WireMessage()
        message.append(1, varint: serving.rawValue)
        return message
    }

    /// A HealthListResponse.
    static func list(_ serving: Serving) -> WireMessage {
        var message = WireMessage()
        for service in services {
            var entry = WireMessage()
            entry.append(1, bytes: service.utf8)
            entry.append(2, response(serving))
            message.append(1, entry)
        }
        return message
    }
}

/// What one call of Watch was told last.
struct HealthWatch {
    /// Whether there is such a service; there will be no more of them while the daemon runs.
    private let isKnown: Bool
    private var told: HealthService.Serving?

    init(service: String) { isKnown = HealthService.services.contains(service) }

    /// What is to be told now, if that is something new.
    mutating func news(_ status: HealthStatus) -> HealthService.Serving? {
        let current = isKnown ? HealthService.serving(status) : .serviceUnknown
        guard current != told else { return nil }
        told = current
        return current
    }
}
