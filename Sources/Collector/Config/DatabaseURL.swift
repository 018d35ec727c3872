// SPDX-License-Identifier: Apache-2.0
internal import Base

/// `database.url` without its secrets: both of libpq's forms, cut the way libpq cuts them.
package enum DatabaseURL {
    private static let schemes = ["postgresql://", "postgres://"]
    private static let secretNames: Set<String> = ["password", "sslpassword"]
    private static let mask = "***"

    /// Tells a URL from something else. libpq checks the rest when it connects.
    static func check(_ text: String) throws(ValueFault) -> String {
        let isOfLibpq = schemes.contains(where: text.hasPrefix) || isConninfo(text)
        // libpq would read up to a NUL.
        if text.isEmpty || isOfLibpq && !text.utf8.contains(0) { return text }
        throw ValueFault(
            "this is neither a libpq URI nor a conninfo string",
            remedy: "write postgresql://user@host:5432/dbname, or host=name dbname=name user=name")
    }

    /// `text` with every password replaced. Where the form is broken it hides more, never less.
    package static func masked(_ text: String) -> String {
        if let end = schemeEnd(of: text) {
            return swept(text[..<end] + maskedURI(text[end...]))
        }
        guard isConninfo(text) else { return text.isEmpty ? "" : mask }
        return swept(maskedConninfo(text))
    }

    private static func isConninfo(_ text: String) -> Bool {
        schemeEnd(of: text) == nil && text.contains("=")
    }

    /// Where what follows a URI's scheme begins, whichever that is; nil where `text` is no URI.
    private static func schemeEnd(of text: String) -> String.Index? {
        guard let mark = text.firstRange(of: "://"), !text[..<mark.lowerBound].contains("=")
        else { return nil }
        return mark.upperBound
    }

    /// `text` up to where a secret's name stands without a mask behind it: there the form is not
    /// what its author took it for.
    private static func swept(_ text: String) -> String {
        var rest = text[...]
        while let name = secretName(in: rest) {
            let equals = rest[name.upperBound...].drop(while: \.isWhitespace)
            guard equals.first == "=",
                equals.dropFirst().drop(while: \.isWhitespace).hasPrefix(mask)
            else { return cut(text, at: name.lowerBound) }
            rest = equals
        }
        return text
    }

    private static func cut(_ text: String, at index: String.Index) -> String {
        text[..<index] + "password=" + mask
    }

    private static func secretName(in text: Substring) -> Range<String.Index>? {
        let name = Array("password".utf8)
        for start in text.utf8.indices {
            let found = text.utf8[start...].prefix(name.count)
            // The bit by which capitals differ.
            guard found.elementsEqual(name, by: { $0 | 0x20 == $1 }) else { continue }
            return start..<found.endIndex
        }
        return nil
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

    /// `name = value` pairs. Where they are not such pairs to the end, nothing from the first
    /// secret on is shown: a quote that is not escaped ends a password too early for us, but not
    /// for who wrote it.
    private static func maskedConninfo(_ text: String) -> String {
        var output = ""
        var rest = text[...]
        while !rest.isEmpty {
            guard let pair = ConninfoPair(cutting: &rest) else {
                return secretName(in: text[...]).map { cut(text, at: $0.lowerBound) } ?? text
            }
            let isSecret = secretNames.contains(pair.name.lowercased())
            output += pair.lead + (isSecret ? mask[...] : pair.value)
        }
        return output
    }
}

/// One setting of a conninfo string, as libpq reads it, with everything that is around it.
private struct ConninfoPair {
    let name: Substring
    /// Blanks, the name, and the equals sign with blanks around it.
    let lead: Substring
    /// Up to a blank, or in single quotes; a backslash escapes.
    let value: Substring

    /// Takes a pair from the front of `text`, or blanks at its end; nil where there is neither.
    init?(cutting text: inout Substring) {
        let start = text.startIndex
        var at = text.firstIndex { !$0.isWhitespace } ?? text.endIndex
        let nameStart = at
        at = text[at...].firstIndex { $0 == "=" || $0.isWhitespace } ?? text.endIndex
        name = text[nameStart..<at]
        at = text[at...].firstIndex { !$0.isWhitespace } ?? text.endIndex
        if !name.isEmpty {
            guard at < text.endIndex, text[at] == "=" else { return nil }
            at = text[text.index(after: at)...].firstIndex { !$0.isWhitespace } ?? text.endIndex
        } else if at < text.endIndex {
            return nil
        }
        guard let end = ConninfoPair.endOfValue(text[at...]) else { return nil }
        lead = text[start..<at]
        value = text[at..<end]
        text = text[end...]
    }

    /// Nil where a quote is not closed, or something stands right behind the closing one.
    private static func endOfValue(_ text: Substring) -> String.Index? {
        let isQuoted = text.first == "'"
        var index = isQuoted ? text.index(after: text.startIndex) : text.startIndex
        while index < text.endIndex {
            let character = text[index]
            if !isQuoted, character.isWhitespace { return index }
            text.formIndex(after: &index)
            if isQuoted, character == "'" {
                return index == text.endIndex || text[index].isWhitespace ? index : nil
            }
            if character == "\\", index < text.endIndex { text.formIndex(after: &index) }
        }
        return isQuoted ? nil : index
    }
}
