// SPDX-License-Identifier: Apache-2.0
internal import Base

/// One Export request with everything but its ids and times: making a new request is a copy and a
/// few stores, so that a load generator does not spend the CPU that it is meant to measure.
struct RequestTemplate {
    let signal: Signal
    let itemCount: Int
    private let shape: TelemetryShape
    private let bytes: [UInt8]
    private let marks: [WireWriter.Mark]

    /// Spans that make up one trace.
    static let spansPerTrace = 8

    init(signal: Signal, itemCount: Int, shape: TelemetryShape, writer: WireWriter) {
        self.signal = signal
        self.itemCount = itemCount
        self.shape = shape
        bytes = writer.bytes
        marks = writer.marks
    }

    /// The request whose first item has the number `firstSerial` of all items sent with `seed`.
    ///
    /// Item n of a seed has the same ids in every run, so that what was stored can be checked.
    func instantiate(seed: UInt64, firstSerial: Int, unixNs: UInt64) -> [UInt8] {
        var request = bytes
        for mark in marks {
            let serial = firstSerial + mark.item
            switch mark.content {
            case .traceID:
                let trace = UInt64(serial / RequestTemplate.spansPerTrace)
                store(SplitMix.hash(seed, trace, 1), at: mark.offset, in: &request)
                store(SplitMix.hash(seed, trace, 2), at: mark.offset + 8, in: &request)
            case .spanID:
                store(SplitMix.hash(seed, UInt64(serial), 3), at: mark.offset, in: &request)
            case .parentSpanID:
                store(SplitMix.hash(seed, UInt64(serial - 1), 3), at: mark.offset, in: &request)
            case .time, .endTime:
                let offsetNs = mark.content == .endTime ? 1_500_000 : 0
                let time = unixNs &+ UInt64(mark.item &* 1_000 &+ offsetNs)
                store(time, at: mark.offset, in: &request)
            case .resourceNumber:
                store(digitsOf: resourceNumber(serial), at: mark.offset, in: &request)
            case .operationNumber:
                store(digitsOf: operationNumber(serial), at: mark.offset, in: &request)
            case .spanKind:
                request[mark.offset] = UInt8(
                    1 + operationNumber(serial) % RequestTemplate.kindCount)
            }
        }
        return request
    }

    /// Kinds of spans that have a meaning (OTLP, SpanKind): 1 to 5.
    private static let kindCount = 5

    private func resourceNumber(_ serial: Int) -> Int {
        guard let resources = shape.resources else { return 0 }
        return serial / resources.itemsEach % resources.count
    }

    private func operationNumber(_ serial: Int) -> Int { serial % (shape.operationCount ?? 1) }

    private func store(digitsOf number: Int, at offset: Int, in request: inout [UInt8]) {
        var rest = number
        for place in (0..<WireWriter.digitCount).reversed() {
            request[offset + place] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
    }

    /// Stores `value` little-endian, as fixed64 wants it; for ids any fixed order will do.
    private func store(_ value: UInt64, at offset: Int, in request: inout [UInt8]) {
        unsafe request.withUnsafeMutableBytes { buffer in
            unsafe buffer.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt64.self)
        }
    }
}

/// A small, fast, reproducible generator (SplitMix64, Steele, Lea and Flood 2014).
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        return SplitMix.mix(state)
    }

    /// A number that depends on all three, and is never 0 (an id of zeros is invalid).
    static func hash(_ seed: UInt64, _ index: UInt64, _ salt: UInt64) -> UInt64 {
        max(1, mix(mix(seed &+ salt &* 0x9e37_79b9_7f4a_7c15) &+ index &* 0xd134_2543_de82_ef95))
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}
