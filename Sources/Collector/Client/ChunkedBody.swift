// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Takes a body of HTTP/1.1 apart that comes in chunks (RFC 9112, section 7.1), in pieces of any
/// size. Trailers are passed over.
struct ChunkedBody {
    /// It is not what it has to be.
    struct Malformed: Error {}

    private enum State {
        case size(UInt64, digitCount: Int)
        case sizeLineRest(UInt64)
        case data(UInt64)
        case dataEnd
        /// Behind the last chunk; whether the line at hand is empty so far.
        case trailer(isEmpty: Bool)
        case complete
    }

    private var state = State.size(0, digitCount: 0)

    /// Whether its last chunk has come.
    var isComplete: Bool {
        if case .complete = state { true } else { false }
    }

    private static let lineFeed = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")
    private static let digitCountMax = 8

    /// Takes what came, and hands on the data in it.
    mutating func take<Failure: Error>(
        _ input: ByteSlice, _ emit: (ByteSlice) throws(Failure) -> Void
    ) throws(Failure) -> Result<Void, Malformed> {
        var offset = 0
        while offset < input.count {
            if case .data(let left) = state {
                let count = Int(min(left, UInt64(input.count - offset)))
                try emit(input.slice(offset: offset, count: count))
                offset += count
                state = left == UInt64(count) ? .dataEnd : .data(left - UInt64(count))
                continue
            }
            guard take(input[offset]) else { return .failure(Malformed()) }
            offset += 1
        }
        return .success(())
    }

    /// A byte that is no data; false where it must not be there.
    private mutating func take(_ byte: UInt8) -> Bool {
        switch state {
        case .size(let size, let digitCount):
            if let digit = Character(Unicode.Scalar(byte)).hexDigitValue {
                state = .size(size << 4 | UInt64(digit), digitCount: digitCount + 1)
                return digitCount < ChunkedBody.digitCountMax
            }
            state = byte == ChunkedBody.lineFeed ? afterSize(size) : .sizeLineRest(size)
            return digitCount > 0
        case .sizeLineRest(let size):
            if byte == ChunkedBody.lineFeed { state = afterSize(size) }
            return true
        case .dataEnd:
            if byte == ChunkedBody.lineFeed { state = .size(0, digitCount: 0) }
            return byte == ChunkedBody.lineFeed || byte == ChunkedBody.carriageReturn
        case .trailer(let isEmpty):
            if byte == ChunkedBody.lineFeed {
                state = isEmpty ? .complete : .trailer(isEmpty: true)
            } else if byte != ChunkedBody.carriageReturn {
                state = .trailer(isEmpty: false)
            }
            return true
        case .data, .complete: return false
        }
    }

    private func afterSize(_ size: UInt64) -> State {
        size == 0 ? .trailer(isEmpty: true) : .data(size)
    }
}
