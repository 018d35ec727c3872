// SPDX-License-Identifier: Apache-2.0
package import Base

/// What one export may cost, checked on the wire bytes before anything is allocated for them.
package struct DecodeLimits: Sendable, Equatable {
    /// Bytes of memory that the unpacked messages may take. An empty message of 2 wire bytes
    /// unpacks to more than 100, so this is a limit of its own beside the size of the request.
    package var unpackedSizeBytesMax: Int
    /// Levels of AnyValue inside one another; at most `Limits.anyValueDepthMax`.
    package var anyValueDepthMax = Limits.anyValueDepthMax
    /// Spans, log records or data points.
    package var itemCountMax = Limits.itemCountMax
    /// Attributes of one owner: a resource, scope, item, event, link, exemplar, or list of pairs.
    package var attributeCountMax = Limits.attributeCountMax

    /// Unpacked bytes allowed for each byte of the largest request, unless configured otherwise.
    /// Log records and histograms need 2 to 4, spans of many short attributes 6 to 8.
    package static let unpackedSizePerRequestByte = 8

    package init(unpackedSizeBytesMax: Int) {
        precondition(unpackedSizeBytesMax > 0)
        self.unpackedSizeBytesMax = unpackedSizeBytesMax
    }

    /// For what was accepted before and stored by us: one attribute may have been put on each
    /// resource (`Export.stamp`), and what limits requests has had its say.
    package var ofStored: DecodeLimits {
        var limits = self
        limits.attributeCountMax += 1
        limits.unpackedSizeBytesMax = .max
        return limits
    }

    /// The defaults for requests of up to `requestSizeBytesMax` bytes, inflated.
    package init(requestSizeBytesMax: Int) {
        self.init(unpackedSizeBytesMax: requestSizeBytesMax * Self.unpackedSizePerRequestByte)
    }
}

/// Why an export was not decoded.
package enum DecodeError: Error, Equatable {
    /// It never will be.
    case refused(Refusal)
    /// The memory budget is spent at the moment; the same request may succeed later.
    case overBudget
}
