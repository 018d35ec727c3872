// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Socket

/// How values of one type are written in the configuration: both directions, and words for people.
struct ValueFormat<Value: Sendable & Equatable>: Sendable {
    /// What the value is, for example "size".
    let typeText: String
    /// What it counts or is measured in; empty where that makes no sense.
    let unitText: String
    /// Which values are allowed, for example "1...64".
    let rangeText: String
    let parse: @Sendable (String) throws(ValueFault) -> Value
    /// The inverse of `parse`.
    let text: @Sendable (Value) -> String
}

extension ValueFormat where Value == Int {
    /// A whole number of `unit`.
    static func count(_ unit: String, _ range: ClosedRange<Int>) -> ValueFormat {
        let rangeText = "\(range.lowerBound)...\(range.upperBound)"
        return ValueFormat(typeText: "number", unitText: unit, rangeText: rangeText) {
            (text) throws(ValueFault) in
            try checked(try wholeNumber(text, rangeText: rangeText), range, "\(text)", rangeText)
        } text: {
            "\($0)"
        }
    }

    /// A whole number of `unit`, or `auto` for the processors this process may use, but at least
    /// `autoMin`.
    static func perCore(_ unit: String, _ range: ClosedRange<Int>, autoMin: Int) -> ValueFormat {
        let count = Self.count(unit, range)
        let rangeText = "auto or \(count.rangeText)"
        return ValueFormat(typeText: "number", unitText: unit, rangeText: rangeText) {
            (text) throws(ValueFault) in
            if text == "auto" { return min(range.upperBound, max(autoMin, Machine.processorCount)) }
            return try checked(try wholeNumber(text, rangeText: rangeText), range, text, rangeText)
        } text: {
            "\($0)"
        }
    }

    /// A number of bytes.
    static func bytes(_ range: ClosedRange<Int>) -> ValueFormat {
        let rangeText =
            "\(Quantity.text(bytes: range.lowerBound))...\(Quantity.text(bytes: range.upperBound))"
        return ValueFormat(typeText: "size", unitText: "bytes", rangeText: rangeText) {
            (text) throws(ValueFault) in
            try checked(try Quantity.bytes(text), range, text, rangeText)
        } text: {
            Quantity.text(bytes: $0)
        }
    }

    /// A duration, kept in milliseconds.
    static func milliseconds(_ range: ClosedRange<Int>) -> ValueFormat {
        let nsPerMs: Int64 = 1_000_000
        let rangeText =
            "\(Quantity.text(durationNs: Int64(range.lowerBound) * nsPerMs))"
            + "...\(Quantity.text(durationNs: Int64(range.upperBound) * nsPerMs))"
        return ValueFormat(typeText: "duration", unitText: "", rangeText: rangeText) {
            (text) throws(ValueFault) in
            let ns = try Quantity.durationNs(text)
            guard ns % nsPerMs == 0 else {
                throw ValueFault(
                    "this is finer than a millisecond", remedy: "write whole milliseconds")
            }
            return try checked(Int(ns / nsPerMs), range, text, rangeText)
        } text: {
            Quantity.text(durationNs: Int64($0) * nsPerMs)
        }
    }

    private static func wholeNumber(_ text: String, rangeText: String) throws(ValueFault) -> Int {
        guard let number = Int(text) else {
            throw ValueFault("this is not a whole number", remedy: "write \(rangeText)")
        }
        return number
    }
}

extension ValueFormat where Value == Int64 {
    /// A duration, kept in nanoseconds as the stored times are.
    static func nanoseconds(_ range: ClosedRange<Int64>) -> ValueFormat {
        let rangeText =
            "\(Quantity.text(durationNs: range.lowerBound))"
            + "...\(Quantity.text(durationNs: range.upperBound))"
        return ValueFormat(typeText: "duration", unitText: "", rangeText: rangeText) {
            (text) throws(ValueFault) in
            try checked(try Quantity.durationNs(text), range, text, rangeText)
        } text: {
            Quantity.text(durationNs: $0)
        }
    }
}

extension ValueFormat where Value == Endpoint? {
    static var endpoint: ValueFormat {
        ValueFormat(
            typeText: "address", unitText: "",
            rangeText: "host:port, [IPv6]:port, unix:/path, or empty for off",
            parse: { (text) throws(ValueFault) in
                do throws(ValueFault) {
                    return try Endpoint.parse(text)
                } catch {
                    // Whoever writes `off` means this.
                    throw ValueFault(
                        error.problem, remedy: "\(error.remedy); an empty value is off")
                }
            }, text: { $0?.description ?? "" })
    }
}

extension ValueFormat where Value == AddressList {
    static var addressList: ValueFormat {
        ValueFormat(
            typeText: "addresses", unitText: "",
            rangeText: "addresses, networks (10.0.0.0/8) or unix, with commas; empty for none",
            parse: AddressList.parse, text: \.text)
    }
}

extension ValueFormat where Value == Int {
    /// Permission bits of a file.
    static var fileMode: ValueFormat {
        let rangeText = "0600...0777, octal"
        return ValueFormat(typeText: "mode", unitText: "", rangeText: rangeText) {
            (text) throws(ValueFault) in
            guard text.hasPrefix("0"), let mode = Int(text, radix: 8) else {
                throw ValueFault(
                    "this is no file mode",
                    remedy: "write it octal with a leading 0 and in quotes, for example \"0660\"")
            }
            guard mode & ~0o777 == 0, mode & 0o600 == 0o600 else {
                throw ValueFault(
                    "the owner must be able to read and write, and there is nothing beyond 0777",
                    remedy: "the range is \(rangeText)")
            }
            return mode
        } text: {
            "0" + String($0, radix: 8)
        }
    }
}

extension ValueFormat where Value == String {
    static var databaseURL: ValueFormat {
        ValueFormat(
            typeText: "libpq URI or conninfo", unitText: "",
            rangeText: "postgresql://user@host/dbname or host=... dbname=...",
            parse: DatabaseURL.check, text: { $0 })
    }

    /// The name of an attribute, as long as the schema registers it.
    static var attributeKey: ValueFormat {
        let rangeText = "1 to 512 bytes"
        return ValueFormat(typeText: "attribute name", unitText: "", rangeText: rangeText) {
            (text) throws(ValueFault) in
            guard (1...512).contains(text.utf8.count), !text.contains("\0") else {
                throw ValueFault(
                    "this is no usable name of an attribute", remedy: "write \(rangeText)")
            }
            return text
        } text: {
            $0
        }
    }
}

extension ValueFormat where Value == String {
    static var path: ValueFormat {
        ValueFormat(
            typeText: "path", unitText: "", rangeText: "a file, or empty for none",
            parse: { (text) throws(ValueFault) in text }, text: { $0 })
    }

    static var folder: ValueFormat {
        ValueFormat(
            typeText: "path", unitText: "", rangeText: "an absolute path, or empty for off",
            parse: { (text) throws(ValueFault) in
                guard text.isEmpty || text.hasPrefix("/") else {
                    throw ValueFault(
                        "this path depends on where the daemon is started",
                        remedy: "write an absolute path, or nothing for off")
                }
                return text
            }, text: { $0 })
    }
}

extension ValueFormat where Value == Bool {
    static var truth: ValueFormat {
        ValueFormat(typeText: "truth value", unitText: "", rangeText: "true or false") {
            (text) throws(ValueFault) in
            switch text {
            case "true": return true
            case "false": return false
            default:
                throw ValueFault("this is neither true nor false", remedy: "write true or false")
            }
        } text: {
            "\($0)"
        }
    }
}

extension ValueFormat where Value == [String] {
    /// Origins as browsers write them (RFC 6454 §6.1): scheme, host, and a port that is not usual.
    static var origins: ValueFormat {
        ValueFormat(
            typeText: "origins", unitText: "",
            rangeText: "https://host or http://host:port, with commas between, * for all, or empty "
                + "for none",
            parse: { (text) throws(ValueFault) in
                var origins: [String] = []
                for part in text.split(separator: ",") {
                    origins.append(try origin(part.filter { $0 != " " }))
                }
                return origins
            }, text: { $0.joined(separator: ",") })
    }

    private static func origin(_ text: String) throws(ValueFault) -> String {
        if text == "*" { return text }
        let host = ["https://", "http://"].lazy.filter { text.hasPrefix($0) }
            .map { text.dropFirst($0.count) }.first
        guard let host, !host.isEmpty, !host.contains(where: { "/?#@*".contains($0) }),
            text == text.lowercased()
        else {
            throw ValueFault(
                "\"\(text)\" is not an origin",
                remedy: "write scheme and host as browsers do, for example "
                    + "https://app.example.com, without a path")
        }
        return text
    }
}

extension ValueFormat where Value: RawRepresentable<String> & CaseIterable {
    /// One of the names of `Value`.
    static func choice() -> ValueFormat {
        let list = Value.allCases.map(\.rawValue).joined(separator: ", ")
        return ValueFormat(typeText: "name", unitText: "", rangeText: list) {
            (text) throws(ValueFault) in
            if let value = Value(rawValue: text) { return value }
            throw ValueFault(
                "this is not one of the names it may have", remedy: "write one of \(list)")
        } text: {
            $0.rawValue
        }
    }
}

private func checked<Number: Comparable>(
    _ number: Number, _ range: ClosedRange<Number>, _ written: String, _ rangeText: String
) throws(ValueFault) -> Number {
    guard range.contains(number) else {
        let side = number < range.lowerBound ? "small" : "large"
        throw ValueFault("this is too \(side)", remedy: "the range is \(rangeText)")
    }
    return number
}
