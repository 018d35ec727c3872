// SPDX-License-Identifier: Apache-2.0

/// The body of an answer that is sent while it is made.
package struct StreamedAnswer: Sendable {
    /// How a failure is told to a client that has read a part of the body already. In any case the
    /// body then has no proper end.
    package enum LastWords: Sendable {
        /// Not at all.
        case none
        /// A line: `{"error":{"type":…}}`.
        case line
        /// A server-sent event called `error` (HTML, section 9.2).
        case event
    }

    package let contentType: String
    /// What the body may be kept under; nil for what nobody keeps.
    package let fileName: String?
    package let lastWords: LastWords
    /// Whether the chunks are packed with gzip: then there are no last words, but no end either.
    package let isPacked: Bool
    package let chunks: ChunkStream

    package init(
        _ chunks: ChunkStream, contentType: String, fileName: String? = nil,
        lastWords: LastWords, isPacked: Bool = false
    ) {
        self.chunks = chunks
        self.contentType = contentType
        self.fileName = fileName
        self.lastWords = isPacked ? .none : lastWords
        self.isPacked = isPacked
    }
}
