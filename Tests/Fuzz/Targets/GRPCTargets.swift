// SPDX-License-Identifier: Apache-2.0
import Base

@testable import GRPC

/// Input: size of the pieces, largest message, and the bytes of a call's DATA frames. However they
/// are split, the outcome is that of reading them at once.
func checkDeframer(_ input: ByteSlice) throws {
    var reader = InputReader(input)
    let pieceSizeBytes = Int(reader.byte()) % 32 + 1
    let limitBytes = Int(reader.byte()) * 4
    let bytes = reader.rest
    let budget = MemoryBudget(limitBytes: 1 << 20)
    let found = deframed(bytes, pieceSizeBytes, limitBytes, budget)
    let expected = deframedAtOnce(bytes.array, limitBytes)
    try hold(found == expected, "\(found), expected \(expected)")
    try hold(budget.inUseBytes == 0, "\(budget.inUseBytes) bytes of the budget are left")
}

private func deframed(
    _ bytes: ByteSlice, _ pieceSizeBytes: Int, _ limitBytes: Int, _ budget: MemoryBudget
) -> Result<[UInt8], MessageDeframer.Fault> {
    var deframer = MessageDeframer(budget: budget)
    var rest = InputReader(bytes)
    do throws(MessageDeframer.Fault) {
        while !rest.rest.isEmpty {
            try deframer.append(rest.take(pieceSizeBytes), limitBytes: limitBytes)
        }
        return .success(try deframer.finish().slice.array)
    } catch {
        return .failure(error)
    }
}

private func deframedAtOnce(
    _ bytes: [UInt8], _ limitBytes: Int
) -> Result<[UInt8], MessageDeframer.Fault> {
    guard !bytes.isEmpty else { return .failure(.missing) }
    guard bytes.count >= 5 else { return .failure(.truncated) }
    let sizeBytes = bytes[1..<5].reduce(0) { $0 << 8 | Int($1) }
    if bytes[0] > 1 { return .failure(.flag(bytes[0])) }
    if sizeBytes > limitBytes { return .failure(.tooLarge(sizeBytes: sizeBytes)) }
    if bytes.count - 5 > sizeBytes { return .failure(.secondMessage) }
    if bytes.count - 5 < sizeBytes { return .failure(.truncated) }
    return .success(Array(bytes[5...]))
}

/// Input: header fields, one a line, as `name=value`. Nothing is accepted that the grammar of
/// gRPC over HTTP/2 does not have.
func checkHead(_ input: ByteSlice) throws {
    var head = RequestHead()
    var timeout: [UInt8]?
    for line in input.array.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true) {
        guard let equals = line.firstIndex(of: UInt8(ascii: "=")) else { continue }
        let (name, value) = (Array(line[..<equals]), Array(line[(equals + 1)...]))
        if name == Array("grpc-timeout".utf8) { timeout = value }
        withSlice(name) { name in
            withSlice(value) { value in head.add(name: name, value: value) }
        }
    }
    let expected = timeout.map(timeoutOfText) ?? .absent
    try hold(head.timeout == expected, "timeout \(head.timeout), expected \(expected)")
    guard head.rejection == nil else { return }
    try hold(head.isPost && head.isGRPC && head.route != nil, "a head without method is accepted")
    try hold(head.timeout != .malformed, "a malformed timeout is accepted")
}

/// `grpc-timeout` once more, in numbers that cannot overflow.
private func timeoutOfText(_ bytes: [UInt8]) -> RequestHead.Timeout {
    let text = String(decoding: bytes, as: UTF8.self)
    let digits = text.dropLast()
    let units: [Character: Double] = [
        "H": 3_600e9, "M": 60e9, "S": 1e9, "m": 1e6, "u": 1e3, "n": 1,
    ]
    guard (1...8).contains(digits.utf8.count),
        digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let amount = UInt64(digits),
        let last = text.last, let unit = units[last]
    else { return .malformed }
    let isOverflow = Double(amount) * unit >= 0x1p64
    return .nanoseconds(isOverflow ? .max : amount * UInt64(unit))
}

/// Input: limit, size of the budget, and what claims to be gzip. What comes out is within both, and
/// counted whether it is of use or not.
func checkInflater(_ input: ByteSlice) throws {
    var reader = InputReader(input)
    let limitBytes = 1 << (Int(reader.byte()) % 17)
    let budget = MemoryBudget(limitBytes: 1 << (8 + Int(reader.byte()) % 12))
    let message = reader.rest
    var producedBytes = 0
    do throws(Inflater.Fault) {
        let output = try Inflater.inflate(
            message, limitBytes: limitBytes, budget: budget, producedBytes: &producedBytes)
        precondition(output.count == producedBytes, "what came out was not counted")
        precondition(output.count <= limitBytes, "more came out than the limit allows")
        precondition(budget.inUseBytes <= budget.limitBytes)
    } catch {
        let isRoom = budget.limitBytes > 4 * (limitBytes + 1) + 8_192
        try hold(error != .overBudget || !isRoom, "there was room in the budget")
    }
    try hold(producedBytes <= limitBytes + 1, "\(producedBytes) bytes, \(limitBytes) allowed")
    let announcedBytes = Inflater.announcedSizeBytes(of: message)
    try hold((0..<1 << 32).contains(announcedBytes), "\(announcedBytes) bytes are announced")
    try hold(budget.inUseBytes == 0, "\(budget.inUseBytes) bytes of the budget are left")
}

/// Input: a message to one of the small services. What is answered repeats at most what was asked.
func checkServices(_ input: ByteSlice) throws {
    if let service = HealthService.service(request: input) {
        try hold(service.utf8.count <= input.count * 3, "the name is longer than the request")
    }
    let hasAnswer = ReflectionService.response(to: input) != nil
    var fields = WireFields(input)
    while let field = fields.next() {
        if case .bytes(let content) = field.value {
            try hold(content.count <= input.count, "a field is longer than its message")
        }
    }
    try hold(hasAnswer != fields.isMalformed, "what is malformed has an answer, or the other way")
}
