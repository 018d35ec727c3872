// SPDX-License-Identifier: Apache-2.0
internal import Base

/// What a client reads of them.
extension StatusDetails {
    /// The partial success in an Export response; nil where there is none or the bytes are not one.
    ///
    /// The three signals' responses are the same on the wire: partial_success is field 1, and in it
    /// the count field 1 and the message field 2.
    static func rejection(response: ByteSlice) -> (itemCount: Int, message: String)? {
        guard let partial = field(1, of: response) else { return nil }
        var fields = WireFields(partial)
        var (itemCount, message) = (0, "")
        while let field = fields.next() {
            switch (field.number, field.value) {
            case (1, .varint(let count)): itemCount = Int(clamping: count)
            case (2, .bytes(let text)): message = text.string
            default: break
            }
        }
        return fields.isMalformed ? nil : (itemCount, message)
    }

    /// The delay of a google.rpc.RetryInfo in the value of `grpc-status-details-bin`; nil where
    /// there is none.
    static func retryDelayMs(header: ByteSlice) -> Int? {
        guard let status = decoded(header) else { return nil }
        return unsafe status.withUnsafeBytes { bytes in
            var details = WireFields(unsafe ByteSlice(bytes))
            while let detail = details.next() {
                guard detail.number == 3, case .bytes(let any) = detail.value,
                    let type = field(1, of: any), type.string.hasSuffix("google.rpc.RetryInfo"),
                    let info = field(2, of: any), let delay = field(1, of: info)
                else { continue }
                return durationMs(delay)
            }
            return nil
        }
    }

    /// Of a google.protobuf.Duration.
    private static func durationMs(_ message: ByteSlice) -> Int {
        var fields = WireFields(message)
        var ms = 0
        while let field = fields.next() {
            guard case .varint(let value) = field.value else { continue }
            // More than a day is no delay between attempts.
            if field.number == 1 { ms += Int(min(value, 86_400)) * 1_000 }
            if field.number == 2 { ms += Int(min(value, 999_999_999)) / 1_000_000 }
        }
        return ms
    }

    /// The bytes of field `number`; nil where it is not there.
    private static func field(_ number: UInt64, of message: ByteSlice) -> ByteSlice? {
        var fields = WireFields(message)
        while let field = fields.next() {
            if field.number == number, case .bytes(let bytes) = field.value { return bytes }
        }
        return nil
    }

    /// Base64 as gRPC has it in header fields, padded or not; nil where it is something else.
    private static func decoded(_ text: ByteSlice) -> [UInt8]? {
        var bytes: [UInt8] = []
        var (bits, bitCount): (UInt32, UInt32) = (0, 0)
        for index in 0..<text.count {
            let digit: UInt8
            switch text[index] {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit = text[index] - 0x41
            case UInt8(ascii: "a")...UInt8(ascii: "z"): digit = text[index] - 0x61 + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = text[index] - 0x30 + 52
            case UInt8(ascii: "+"): digit = 62
            case UInt8(ascii: "/"): digit = 63
            case UInt8(ascii: "="): continue
            default: return nil
            }
            bits = bits << 6 | UInt32(digit)
            bitCount += 6
            guard bitCount >= 8 else { continue }
            bitCount -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> bitCount))
        }
        return bytes
    }
}
