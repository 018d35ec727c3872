// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import GRPC

// Goal: the messages of grpc.health.v1 are read and written as protobuf has them. Method: bytes by
// hand, each way of being broken among them.

private func withSlice<R>(_ bytes: [UInt8], _ body: (ByteSlice) -> R) -> R {
    unsafe bytes.withUnsafeBytes { unsafe body(ByteSlice($0)) }
}

@Suite struct HealthServiceTests {
    @Test(
        arguments: [
            ([], ""), ([0x0a, 0], ""), ([0x0a, 1, 0x61], "a"),
            // The last one counts; fields that are not known are skipped.
            ([0x0a, 1, 0x61, 0x0a, 1, 0x62], "b"), ([0x10, 0x81, 1, 0x0a, 1, 0x61], "a"),
            ([0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x0a, 1, 0x61], "a"), ([0x25, 1, 2, 3, 4], ""),
            ([0x12, 2, 1, 2], ""),
            // Cut short, field 0, groups, a varint that does not end.
            ([0x0a], nil), ([0x0a, 1], nil), ([0x0a, 2, 0x61], nil), ([0x10], nil),
            ([0x19, 1], nil),
            ([0x25, 1], nil), ([0x02, 0], nil), ([0x0b], nil), ([0x0f], nil),
            ([UInt8](repeating: 0x80, count: 11), nil),
            ([0x0a] + [UInt8](repeating: 0xff, count: 9) + [1], nil),
        ] as [([UInt8], String?)])
    func requests(bytes: [UInt8], service: String?) {
        #expect(withSlice(bytes) { HealthService.service(request: $0) } == service)
    }

    @Test func responses() {
        #expect(HealthService.response(.serving).bytes == [8, 1])
        #expect(HealthService.response(.notServing).bytes == [8, 2])
        #expect(HealthService.response(.serviceUnknown).bytes == [8, 3])
        let list = HealthService.list(.serving).bytes
        #expect(list.starts(with: [0x0a, 6, 0x0a, 0, 0x12, 2, 8, 1, 0x0a]))
        #expect(HealthService.services.count == 4)
        #expect(HealthService.services[1] == "opentelemetry.proto.collector.trace.v1.TraceService")
    }

    @Test func aWatchTellsOnlyNews() {
        let status = HealthStatus()
        var watch = HealthWatch(service: "")
        var unknown = HealthWatch(service: "nothing")
        #expect(watch.news(status) == .serving)
        #expect(watch.news(status) == nil)
        #expect(unknown.news(status) == .serviceUnknown)
        status.isAway = true
        #expect(watch.news(status) == .notServing)
        #expect(unknown.news(status) == nil)
        status.isAway = false
        #expect(watch.news(status) == .serving)
        status.beginDrain()
        #expect(watch.news(status) == .notServing)
        status.isAway = false
        #expect(watch.news(status) == nil)
    }

    @Test(
        arguments: [
            ("/grpc.health.v1.Health/Check", .health(.check)),
            ("/grpc.health.v1.Health/Watch", .health(.watch)),
            ("/grpc.health.v1.Health/List", .health(.list)), ("/grpc.health.v1.Health/", nil),
            ("/grpc.health.v1.Health/check", nil),
            ("/opentelemetry.proto.collector.logs.v1.LogsService/Export", .export(.logs)),
        ] as [(String, Route?)])
    func routes(path: String, route: Route?) {
        #expect(withSlice(Array(path.utf8)) { Route.find(path: $0) } == route)
    }
}
