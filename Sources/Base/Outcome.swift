// SPDX-License-Identifier: Apache-2.0

/// What became of one export, as it travels back upstream to the client that sent it.
///
/// It is a value: stations hand it on, and only the gRPC station knows how it looks on the wire.
package enum Outcome: Sendable, Equatable {
    /// Every item is committed.
    case accepted

    /// Everything but `rejectedItemCount` items is committed; those will never be, so the client
    /// must not send them again (OTLP specification, partial success).
    case partial(rejectedItemCount: Int, message: String)

    /// Nothing was stored; the same request may succeed after `afterMs` milliseconds.
    case retry(afterMs: Int, message: String)

    /// Nothing was stored, because the sender has sent more than it may; the same request will
    /// succeed after `afterMs` milliseconds.
    case throttled(afterMs: Int, message: String)

    /// Nothing was stored, and the same request will never be.
    case refused(Refusal)

    /// The client's deadline, or our own, passed before the export was handed to the database.
    case expired
}

/// Why a whole export was turned away for good.
package struct Refusal: Error, Sendable, Equatable {
    /// The class of the fault; the gRPC station maps it to a status code in one place.
    package enum Code: Sendable, Equatable {
        /// The bytes are not a valid OTLP message.
        case invalidArgument
        /// The message is larger than a limit, on the wire or unpacked.
        case tooLarge
        /// The bytes are not what their encoding (gzip) says.
        case corruptEncoding
    }

    package let code: Code
    /// A sentence for the client: names the limit or the place, never repeats payload.
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// Of a request that would not fit if nothing else were there, so that coming back is no use:
    /// as it came, inflated, and unpacked it has to be held at once.
    package static func beyond(_ budget: MemoryBudget) -> Refusal {
        Refusal(
            .tooLarge,
            "the request takes more memory than memory.budget_bytes (\(budget.limitBytes)) has, "
                + "although limits.request_bytes_max lets it in; send less at once, or "
                + "uncompressed")
    }
}
