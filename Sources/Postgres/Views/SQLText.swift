// SPDX-License-Identifier: Apache-2.0

/// Text from outside as parts of SQL statements.
package enum SQLText {
    /// A string literal. Means the same whatever `standard_conforming_strings` says.
    static func literal(_ text: String) -> String {
        let escaped = text.contains("\\")
        var literal = escaped ? "E'" : "'"
        for scalar in text.unicodeScalars {
            if scalar == "'" || scalar == "\\" { literal.unicodeScalars.append(scalar) }
            literal.unicodeScalars.append(scalar)
        }
        return literal + "'"
    }

    /// A quoted name, so that no name is taken for a keyword.
    package static func identifier(_ name: String) -> String {
        var quoted = "\""
        for scalar in name.unicodeScalars {
            if scalar == "\"" { quoted.unicodeScalars.append(scalar) }
            quoted.unicodeScalars.append(scalar)
        }
        return quoted + "\""
    }
}
