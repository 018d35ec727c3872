// SPDX-License-Identifier: Apache-2.0

/// Which row of a COPY an error speaks of, read from its CONTEXT field: `COPY t, line 3, column c`.
struct CopyRowContext: Equatable {
    let table: String
    /// Counted from 1; in binary COPY each row is a line.
    let rowNumber: Int

    /// Nil where `context` names no row of a COPY.
    ///
    /// The server may translate the context, so that only its fixed parts are relied on: a line
    /// that begins with the word COPY or with the table, and then the first number. `table` is the
    /// relation being copied into, where known. Lines are read from the last one up, because the
    /// COPY is the outermost context, and the inner ones (`JSON data, line 1: ...`) repeat content
    /// of the row.
    init?(parsing context: String, table: String?) {
        for line in context.split(whereSeparator: \.isNewline).reversed() {
            guard let (name, rest) = CopyRowContext.splitAtTable(line, table: table) else {
                continue
            }
            let digits = rest.drop { !$0.isASCII || !$0.isNumber }.prefix {
                $0.isASCII && $0.isNumber
            }
            guard !name.isEmpty, let number = Int(digits), number > 0 else { continue }
            self.table = String(name)
            rowNumber = number
            return
        }
        return nil
    }

    /// The name of the table at the start of `line`, with or without COPY before it, and what
    /// follows it.
    private static func splitAtTable(_ line: Substring, table: String?) -> (Substring, Substring)? {
        let hasWord = line.hasPrefix("COPY ")
        let tail = hasWord ? line.dropFirst(5) : line
        if let table {
            guard tail.hasPrefix(table) else { return nil }
            let name = tail.prefix(table.count)
            return (name, tail[name.endIndex...])
        }
        guard hasWord, let comma = tail.firstIndex(of: ",") else { return nil }
        return (tail[..<comma], tail[comma...])
    }
}
