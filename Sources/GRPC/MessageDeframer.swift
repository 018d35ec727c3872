// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Takes the one message of a unary call out of its DATA bytes, however they are split.
///
/// A message is one flag byte, a length of four bytes, and that many bytes (gRPC over HTTP/2,
/// Length-Prefixed-Message). The length is judged before anything is allocated for it, and the
/// buffer grows with what has really arrived, so a false length costs nothing.
struct MessageDeframer: ~Copyable {
    private var prefix: (UInt8, UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0, 0)
    private var prefixCount = 0
    private var messageSizeBytes = 0
    private(set) var isCompressed = false
    private var payload: OwnedBytes

    enum Fault: Error, Equatable {
        /// The flag byte is neither 0 nor 1.
        case flag(UInt8)
        /// The message, as announced, is over the limit.
        case tooLarge(sizeBytes: Int)
        /// Bytes follow the one message that a unary call may carry.
        case secondMessage
        /// The memory budget has no room for what arrived.
        case overBudget
        /// The stream ended without a message, or inside one.
        case missing
        case truncated
    }

    init(budget: MemoryBudget) { payload = OwnedBytes(budget: budget) }

    /// Nothing has come of it.
    var isEmpty: Bool { prefixCount == 0 }

    /// All of the message is there.
    var isComplete: Bool { prefixCount == 5 && payload.count == messageSizeBytes }

    /// Bytes to the end of the prefix, then to the end of the message.
    var missingSizeBytes: Int {
        prefixCount < 5 ? 5 - prefixCount : messageSizeBytes - payload.count
    }

    /// Takes `bytes`; `limitBytes` is the largest message.
    mutating func append(_ bytes: ByteSlice, limitBytes: Int) throws(Fault) {
        var offset = 0
        while prefixCount < 5, offset < bytes.count {
            setPrefix(prefixCount, bytes[offset])
            prefixCount += 1
            offset += 1
            if prefixCount == 5 { try judgePrefix(limitBytes: limitBytes) }
        }
        guard offset < bytes.count else { return }
        let rest = bytes.slice(offset: offset, count: bytes.count - offset)
        guard rest.count <= messageSizeBytes - payload.count else { throw .secondMessage }
        guard payload.append(rest, limitBytes: messageSizeBytes) else { throw .overBudget }
    }

    /// The message, after the peer has sent all.
    consuming func finish() throws(Fault) -> OwnedBytes {
        guard prefixCount > 0 else { throw .missing }
        guard prefixCount == 5, payload.count == messageSizeBytes else { throw .truncated }
        return payload
    }

    private mutating func setPrefix(_ index: Int, _ byte: UInt8) {
        switch index {
        case 0: prefix.0 = byte
        case 1: prefix.1 = byte
        case 2: prefix.2 = byte
        case 3: prefix.3 = byte
        default: prefix.4 = byte
        }
    }

    private mutating func judgePrefix(limitBytes: Int) throws(Fault) {
        guard prefix.0 <= 1 else { throw .flag(prefix.0) }
        isCompressed = prefix.0 == 1
        let size =
            UInt32(prefix.1) << 24 | UInt32(prefix.2) << 16 | UInt32(prefix.3) << 8
            | UInt32(prefix.4)
        guard Int(size) <= limitBytes else { throw .tooLarge(sizeBytes: Int(size)) }
        messageSizeBytes = Int(size)
    }
}
