// SPDX-License-Identifier: Apache-2.0

/// Columns of text for people: a line of titles, then rows.
struct TextTable {
    private var rows: [[String]]

    init(_ titles: String...) { rows = [titles] }

    var isEmpty: Bool { rows.count == 1 }

    mutating func append(_ cells: String...) {
        precondition(cells.count == rows[0].count)
        rows.append(cells.map(TextTable.printable))
    }

    /// The lines, without a line break at the end. Columns that hold only numbers and sizes are
    /// better aligned by whoever reads JSON.
    var text: String {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (cell, width) in zip(row, widths) {
                line += cell + String(repeating: " ", count: width - cell.count + 2)
            }
            while line.last == " " { line.removeLast() }
            return line
        }.joined(separator: "\n")
    }

    /// Names come from a database: they must not talk to a terminal.
    private static func printable(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value) ? "?" : scalar
                }))
    }
}

/// Sizes as people read them.
enum SizeText {
    private static let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]

    /// `17 B`, `1.3 GiB`: one decimal, cut.
    static func text(bytes: Int64) -> String {
        var whole = bytes
        var tenths: Int64 = 0
        var unit = 0
        while whole >= 1_024 && unit < units.count - 1 {
            tenths = whole % 1_024 * 10 / 1_024
            whole /= 1_024
            unit += 1
        }
        return unit == 0 ? "\(whole) B" : "\(whole).\(tenths) \(units[unit])"
    }
}
