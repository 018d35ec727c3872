// SPDX-License-Identifier: Apache-2.0
internal import Base

/// `${env:NAME}` and `${file:/path}` inside values; `$${` stands for `${` itself.
///
/// A path may contain references in turn: `${file:${env:CREDENTIALS_DIRECTORY}/database}`. What a
/// reference yields is never looked at again, so a password may contain anything.
struct Interpolation {
    /// What the outside world offers, injected for tests.
    let environment: [String: String]
    let readFile: (String) throws(TextFile.Fault) -> String

    /// `text` with every reference replaced.
    func expand(_ text: String) throws(ValueFault) -> String {
        var rest = text[...]
        return try expand(&rest, isInside: false)
    }

    /// Up to the end, or `isInside` a reference up to the brace that closes it.
    private func expand(_ rest: inout Substring, isInside: Bool) throws(ValueFault) -> String {
        var output = ""
        while let character = rest.first {
            if isInside, character == "}" { return output }
            if rest.hasPrefix("$${") {
                output += "${"
                rest = rest.dropFirst(3)
            } else if rest.hasPrefix("${") {
                rest = rest.dropFirst(2)
                let reference = try expand(&rest, isInside: true)
                guard rest.popFirst() == "}" else {
                    throw ValueFault(
                        "\"${\" is not closed",
                        remedy: "add the missing }, or write $${ for the characters ${")
                }
                output += try resolve(reference)
            } else {
                output.append(character)
                rest = rest.dropFirst()
            }
        }
        return output
    }

    private func resolve(_ reference: String) throws(ValueFault) -> String {
        if reference.hasPrefix("env:") { return try variable(String(reference.dropFirst(4))) }
        if reference.hasPrefix("file:") { return try content(String(reference.dropFirst(5))) }
        throw ValueFault(
            "${\(reference)} is no reference",
            remedy: "write ${env:NAME} or ${file:/path}, or $${ for the characters ${")
    }

    private func variable(_ name: String) throws(ValueFault) -> String {
        let isName =
            !name.isEmpty
            && name.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
                    || (0x61...0x7a).contains(byte)
                    || byte == 0x5f
            }
        guard isName else {
            throw ValueFault(
                "\"\(name)\" cannot name an environment variable",
                remedy: "write ${env:NAME} with letters, digits and underscores only")
        }
        guard let value = environment[name] else {
            throw ValueFault(
                "the environment variable \(name) is not set",
                remedy: "set it, or write the value here")
        }
        return value
    }

    /// One line break at the end is not part of a secret: editors and `echo` put it there.
    private func content(_ path: String) throws(ValueFault) -> String {
        guard path.hasPrefix("/") else {
            throw ValueFault("\"\(path)\" is not an absolute path", remedy: "write ${file:/path}")
        }
        let text: String
        do {
            text = try readFile(path)
        } catch {
            throw ValueFault(
                "\(path) cannot be read: \(error)", remedy: "check the path and its permissions")
        }
        guard !text.utf8.contains(0) else {
            throw ValueFault("\(path) contains a zero byte", remedy: "give a text file")
        }
        return text.hasSuffix("\n") || text.hasSuffix("\r\n") ? String(text.dropLast()) : text
    }
}
