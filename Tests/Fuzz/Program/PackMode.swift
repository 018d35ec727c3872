// SPDX-License-Identifier: Apache-2.0
import Base
import CLinux
import Decode

/// Decodes requests from standard input and says what came of each, for Tests/Fuzz/differential.
///
/// A request is a byte for its signal, a length of four bytes, big-endian, and that many bytes. The
/// answer is `+` or `-`, a length, and the export packed again or the words of the refusal.
enum PackMode {
    static func run() -> Int32 {
        let budget = MemoryBudget(limitBytes: 1 << 30)
        while let header = read(5) {
            guard let signal = Signal(rawValue: header[0]), let body = read(length(header[1...]))
            else { return 65 }
            let answer = withSlice(body) { Self.answer(signal, $0, budget) }
            write(answer)
        }
        return 0
    }

    private static func answer(
        _ signal: Signal, _ body: ByteSlice, _ budget: MemoryBudget
    ) -> [UInt8] {
        do throws(DecodeError) {
            let export = try Decoder.decode(
                signal: signal, body: body, limits: DecodeLimits(unpackedSizeBytesMax: 16 << 20),
                budget: budget)
            var packed: [UInt8] = []
            export.pack { unsafe packed.append(contentsOf: $0.buffer) }
            return framed("+", packed)
        } catch {
            switch error {
            case .refused(let refusal): return framed("-", Array(refusal.message.utf8))
            case .overBudget: return framed("-", Array("over budget".utf8))
            }
        }
    }

    private static func framed(_ verdict: Unicode.Scalar, _ bytes: [UInt8]) -> [UInt8] {
        let length = (0..<4).map { UInt8(truncatingIfNeeded: bytes.count >> (24 - 8 * $0)) }
        return [UInt8(ascii: verdict)] + length + bytes
    }

    private static func length(_ bytes: ArraySlice<UInt8>) -> Int {
        bytes.reduce(0) { $0 << 8 | Int($1) }
    }

    /// The next `count` bytes; nil at the end.
    private static func read(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let taken = unsafe bytes.withUnsafeMutableBytes {
                unsafe CLinux.read(0, $0.baseAddress! + done, count - done)
            }
            guard taken > 0 else { return nil }
            done += taken
        }
        return bytes
    }

    private static func write(_ bytes: [UInt8]) {
        var done = 0
        while done < bytes.count {
            let written = unsafe bytes.withUnsafeBytes {
                unsafe CLinux.write(1, $0.baseAddress! + done, bytes.count - done)
            }
            guard written > 0 else { return }
            done += written
        }
    }
}
