// SPDX-License-Identifier: Apache-2.0
import Base

/// Input: the size of the pieces, and what a proxy sends first. However it is split, the outcome is
/// that of reading it at once; what is taken is the header, and no byte behind it.
func checkProxyHeader(_ input: ByteSlice) throws {
    var reader = InputReader(input)
    let pieceSizeBytes = Int(reader.byte()) % 64 + 1
    let bytes = reader.rest
    let whole = outcome(of: bytes, pieceSizeBytes: max(1, bytes.count))
    let pieces = outcome(of: bytes, pieceSizeBytes: pieceSizeBytes)
    try hold(pieces == whole, "\(pieces) in pieces, \(whole) at once")
    guard case .success(.complete(_, let takenCount)) = whole else { return }
    try hold(takenCount <= ProxyHeaderReader.sizeBytesMax, "\(takenCount) bytes are taken")
    let lengthBytes = Int(bytes[14]) << 8 + Int(bytes[15])
    try hold(takenCount == 16 + lengthBytes, "\(takenCount) bytes are taken of 16 + \(lengthBytes)")
}

/// `takenCount` is that of all pieces.
private func outcome(
    of bytes: ByteSlice, pieceSizeBytes: Int
) -> Result<ProxyHeaderReader.Progress, ProxyHeaderFault> {
    var header = ProxyHeaderReader()
    var rest = InputReader(bytes)
    var takenCount = 0
    do throws(ProxyHeaderFault) {
        while !rest.rest.isEmpty {
            let piece = rest.take(pieceSizeBytes)
            switch try header.append(piece) {
            case .incomplete: takenCount += piece.count
            case .complete(let source, let count):
                return .success(.complete(source: source, takenCount: takenCount + count))
            }
        }
        return .success(.incomplete)
    } catch {
        return .failure(error)
    }
}
