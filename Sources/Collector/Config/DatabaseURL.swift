// SPDX-License-Identifier: Apache-2.0

/// `database.url` without its secrets: both of libpq's forms, cut the way libpq cuts them.
package enum DatabaseURL {
    private static let schemes = ["postgresql://", "postgres://"]
    private static let secretNames: Set<String> = ["password", "sslpassword"]
    private static let mask = "***"

    /// Tells a URL from something else. libpq checks the rest when it connects.
    static func check(_ text: String) throws(ValueFault) -> String {
        if text.isEmpty || schemes.contains(where: text.hasPrefix) || text.contains("=") {
            return text
        }
        throw ValueFault(
            "this is neither a libpq URI nor a conninfo string",
            remedy: "write postgresql://user@host:5432/dbname, or host=name dbname=name user=name")
    }

    /// `text` with every password replaced. Where the form is broken it hides more, never less.
    package static func masked(_ text: String) -> String {
        if let scheme = text.firstRange(of: "://"), !text[..<scheme.lowerBound].contains("=") {
            return text[..<scheme.upperBound] + maskedURI(text[scheme.upperBound...])
        }
        return text.contains("=") ? maskedConninfo(text) : (text.isEmpty ? "" : mask)
    }

    /// Everything from the first colon to the last at sign is a password, wherever that stands: one
    /// with an unescaped slash or question mark is a mistake which must not print it.
    private static func maskedURI(_ rest: Substring) -> String {
        var rest = rest
        var prefix = ""
        if let at = rest.lastIndex(of: "@"), let colon = rest[..<at].firstIndex(of: ":") {
            prefix = rest[...colon] + mask
            rest = rest[at...]
        }
        guard let question = rest.firstIndex(of: "?") else { return prefix + rest }
        let parameters = rest[rest.index(after: question)...].split(
            separator: "&", omittingEmptySubsequences: false)
        return prefix + rest[...question] + parameters.map(maskedParameter).joined(separator: "&")
    }

    private static func maskedParameter(_ parameter: Substring) -> String {
        guard let equals = parameter.firstIndex(of: "="),
            secretNames.contains(percentDecoded(parameter[..<equals]))
        else { return String(parameter) }
        return parameter[...equals] + mask
    }

    private static func percentDecoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte == 0x25, let value = UInt8(String(rest.prefix(2)) ?? "", radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// `name = value` pairs; a value is in single quotes or ends at a blank, a backslash escapes.
    private static func maskedConninfo(_ text: String) -> String {
        var output = ""
        var rest = text[...]
        while !rest.isEmpty {
            let blanks = rest.prefix { $0.isWhitespace }
            rest = rest[blanks.endIndex...]
            let name = rest.prefix { $0 != "=" && !$0.isWhitespace }
            rest = rest[name.endIndex...]
            let separator = rest.prefix { $0.isWhitespace || $0 == "=" }
            rest = rest[separator.endIndex...]
            let value = conninfoValue(rest)
            rest = rest[value.endIndex...]
            output += blanks + name + separator
            output += secretNames.contains(name.lowercased()) ? mask : String(value)
        }
        return output
    }

    private static func conninfoValue(_ text: Substring) -> Substring {
        let isQuoted = text.first == "'"
        var index = isQuoted ? text.index(after: text.startIndex) : text.startIndex
        while index < text.endIndex {
            let character = text[index]
            text.formIndex(after: &index)
            if character == "\\", index < text.endIndex {
                text.formIndex(after: &index)
            } else if isQuoted ? character == "'" : character.isWhitespace {
                return text[..<(isQuoted ? index : text.index(before: index))]
            }
        }
        return text
    }
}
