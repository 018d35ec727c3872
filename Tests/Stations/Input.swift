// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Collector
internal import Decode

/// The requests that a station works on: those of `starling send`, with a fixed seed.
@safe
final class Input {
    static let unixNs: UInt64 = 1_760_000_000_000_000_000

    let signal: Signal
    let itemCount: Int
    var requestCount: Int { unsafe messages.count }
    private let messages: [UnsafeRawBufferPointer]

    /// Distinct requests; the others are these again with new ids and times.
    private static let distinctCount = 8

    init(signal: Signal, itemCount: Int, requestCount: Int) {
        self.signal = signal
        self.itemCount = itemCount
        let samples = SampleRequests(
            signal, count: Input.distinctCount, itemCount: itemCount, seed: 1)
        unsafe messages = (0..<requestCount).map { index in
            let bytes = samples.message(index, unixNs: Input.unixNs + UInt64(index) * 1_000_000)
            let copy = UnsafeMutableRawBufferPointer.allocate(
                byteCount: bytes.count, alignment: 16)
            unsafe copy.copyBytes(from: bytes)
            return UnsafeRawBufferPointer(copy)
        }
    }

    deinit {
        for index in unsafe messages.indices { unsafe messages[index].deallocate() }
    }

    /// The message of request `index`; valid as long as the input.
    func message(_ index: Int) -> ByteSlice { unsafe ByteSlice(messages[index]) }

    func decoded(_ index: Int, budget: MemoryBudget) -> Export {
        do throws(DecodeError) {
            return try Decoder.decode(
                signal: signal, body: message(index), limits: Input.decodeLimits, budget: budget)
        } catch {
            preconditionFailure("a request of our own was not decoded: \(error)")
        }
    }

    func scannedItemCount(_ index: Int, budget: MemoryBudget) -> Int {
        do throws(DecodeError) {
            return try Decoder.scannedItemCount(
                signal: signal, body: message(index), limits: Input.decodeLimits, budget: budget)
        } catch {
            preconditionFailure("a request of our own is not valid: \(error)")
        }
    }

    private static let decodeLimits = DecodeLimits(requestSizeBytesMax: 64 << 20)
}
