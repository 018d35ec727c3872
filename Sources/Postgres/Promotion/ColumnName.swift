// SPDX-License-Identifier: Apache-2.0
internal import Rows

/// Names of columns for attributes, made from the names of the attributes.
enum ColumnName {
    /// PostgreSQL cuts longer names (NAMEDATALEN - 1).
    static let sizeBytesMax = 63
    private static let prefix = "attr_"

    /// A name for `key` that is not among `taken`.
    ///
    /// `http.request.method` gives `http_request_method`. A further type of the same attribute has
    /// the type at its end; a name that begins with no letter, or that is taken, has `attr_` in
    /// front; one that is too long, or taken even so, ends in a hash.
    static func name(
        key: String, type: AttributeType, isFurtherType: Bool, taken: Set<String>
    ) -> String {
        let hash = hashText(key + "\0" + type.rawValue)
        var base = sanitized(key)
        if !startsWithLetter(base) { base = prefix + base }
        if isFurtherType { base += "_" + type.rawValue }
        for candidate in [base, prefix + base] {
            let name = fitted(candidate, hash: hash)
            if !taken.contains(name) { return name }
        }
        var attempt = 0
        while true {
            let name = cut(base, hash: attempt == 0 ? hash : hashText("\(key)\0\(attempt)"))
            if !taken.contains(name) { return name }
            attempt += 1
        }
    }

    private static func sanitized(_ key: String) -> String {
        var name = ""
        for scalar in key.unicodeScalars {
            switch scalar {
            case "a"..."z", "0"..."9", "_": name.unicodeScalars.append(scalar)
            case "A"..."Z": name += String(scalar).lowercased()
            default: name += "_"
            }
        }
        return name
    }

    private static func startsWithLetter(_ name: String) -> Bool {
        name.unicodeScalars.first.map { ("a"..."z").contains($0) } ?? false
    }

    private static func fitted(_ name: String, hash: String) -> String {
        name.utf8.count <= sizeBytesMax ? name : cut(name, hash: hash)
    }

    /// The beginning of `name`, which is ASCII, and the hash.
    private static func cut(_ name: String, hash: String) -> String {
        name.prefix(sizeBytesMax - 1 - hash.utf8.count) + "_" + hash
    }

    /// Eight hexadecimal digits: FNV-1a with 32 bits.
    private static func hashText(_ text: String) -> String {
        var hash: UInt32 = 0x811c_9dc5
        for byte in text.utf8 { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }
}
