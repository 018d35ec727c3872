// SPDX-License-Identifier: Apache-2.0

/// How the messages of a request are written, and those of its answer.
package enum ExportEncoding: Sendable, Equatable {
    /// The protobuf wire format.
    case protobuf
    /// OTLP/JSON: the JSON mapping of protobuf with the deviations of the OTLP specification.
    case json
}

/// One Export request as it came off the wire: still compressed, not decoded.
///
/// Ownership: moved from whoever received it to whoever decodes it.
package struct ExportMessage: ~Copyable, Sendable {
    package let signal: Signal
    package let encoding: ExportEncoding
    /// Packed with gzip.
    package let isCompressed: Bool
    /// Monotonic time after which nobody waits for the answer.
    package let deadlineNs: UInt64
    /// Who sent it; nil where nobody is asked.
    package let identity: Identity?
    package var payload: OwnedBytes

    package init(
        signal: Signal, encoding: ExportEncoding = .protobuf, isCompressed: Bool,
        deadlineNs: UInt64, identity: Identity?, payload: consuming OwnedBytes
    ) {
        self.signal = signal
        self.encoding = encoding
        self.isCompressed = isCompressed
        self.deadlineNs = deadlineNs
        self.identity = identity
        self.payload = payload
    }
}
