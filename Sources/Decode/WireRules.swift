// SPDX-License-Identifier: Apache-2.0

/// What the pre-scan has to do with the value of a field.
enum FieldKind: UInt8 {
    /// Not in the schema: protobuf-c keeps a copy, nobody reads it.
    case unknown
    case varint, fixed32, fixed64
    /// A proto `bytes` field: copied, not checked.
    case bytes
    /// A proto `string` field: copied, and checked for NUL and UTF-8.
    case text, repeatedText
    /// A sub-message of which there may be only one (`FieldRule.bit` says which one).
    case message
    case repeatedMessage
    /// The same, where protobuf-c copies the bytes and unpacks nothing.
    case wireMessage, repeatedWireMessage
    /// Repeated numbers of 8 bytes, packed or not; varints on the wire, or fixed64 and double.
    case repeatedVarint, repeatedFixed64
}

/// One field of one message type, as the pre-scan sees it.
struct FieldRule: BitwiseCopyable {
    var kind: FieldKind
    /// Wire type of the usual encoding: packed for repeated numbers.
    var wireType: UInt8
    /// Index of the sub-message's type in `WireGrammar.messages`.
    var child: UInt8
    /// `message` and `wireMessage`: its bit among the singular ones of its owner, shared by the
    /// members of a oneof. Repeated: its bit among the repeated ones.
    var bit: UInt8

    /// Its wire type is none that exists: an unknown field never is as expected.
    static let unknown = FieldRule(kind: .unknown, wireType: .max, child: 0, bit: 0)
}

/// The level at which a text fault is noted.
enum FaultLevel: UInt8 {
    case resource, scope, metric, item
}

/// One message type, as the pre-scan sees it.
struct MessageRule: BitwiseCopyable {
    /// Bytes that the C struct takes in the arena, rounded up to the arena's alignment.
    var structSizeBytes: UInt16
    var role: MessageRole
}

/// What the scan does when a message begins.
enum MessageRole: BitwiseCopyable, Equatable {
    case plain
    /// One more level of nesting, which is limited.
    case anyValue
    /// The next resource, scope, metric or item.
    case opens(FaultLevel)
}
