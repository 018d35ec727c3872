// SPDX-License-Identifier: Apache-2.0
internal import Decode

/// The work on one message: how much it may be, and how much it has been.
struct DecodeWork {
    /// Bytes of its body, inflated and as protobuf.
    let bodySizeBytesMax: Int
    /// Bytes of memory that it may unpack to, where the limits of all messages are not lower.
    let unpackedSizeBytesMax: Int
    /// Bytes made out of what was received, whatever came of it: inflated, protobuf for JSON,
    /// unpacked.
    var madeBytes = 0

    init(bodySizeBytesMax: Int, unpackedSizeBytesMax: Int) {
        self.bodySizeBytesMax = bodySizeBytesMax
        self.unpackedSizeBytesMax = unpackedSizeBytesMax
    }

    /// `limits`, those of all messages, with what is lower here.
    func limits(_ limits: DecodeLimits) -> DecodeLimits {
        var lower = limits
        lower.unpackedSizeBytesMax = min(limits.unpackedSizeBytesMax, unpackedSizeBytesMax)
        return lower
    }

    /// Whether what is too large here may be taken elsewhere.
    func isBelow(_ limits: DecodeLimits) -> Bool {
        unpackedSizeBytesMax < limits.unpackedSizeBytesMax
    }
}
