// SPDX-License-Identifier: Apache-2.0

/// Severities as people write them: the names of OTLP's six ranges, or numbers.
package enum Severity {
    private static let names = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]

    /// The numbers that `text` means: four for a name (`WARN` is 13 to 16), one for a number. Nil
    /// where it is neither.
    package static func range(of text: String) -> ClosedRange<Int64>? {
        if let index = names.firstIndex(of: text.uppercased()) {
            let first = Int64(4 * index + 1)
            return first...first + 3
        }
        return Int64(text).map { $0...$0 }
    }
}
