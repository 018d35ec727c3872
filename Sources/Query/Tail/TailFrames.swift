// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Entries of a tail as their client reads them.
enum TailFrames {
    /// Milliseconds after which a browser comes back; in the first event.
    static let retryMs = 1_000

    /// What goes before the first entry.
    static func head(_ form: TailQuestion.Form) -> [UInt8] {
        switch form {
        case .events: Array("retry: \(retryMs)\n\n".utf8)
        case .lines: []
        }
    }

    static func append(
        _ entry: TailQueue.Entry, as form: TailQuestion.Form, to bytes: inout [UInt8]
    ) {
        switch (form, entry) {
        case (.events, .row(let json, let cursor)): event("row", json, cursor, to: &bytes)
        case (.lines, .row(let json, let cursor)): line("row", json, cursor, to: &bytes)
        case (.events, .lagged(let count, let cursor)):
            event("lagged", lag(count), cursor, to: &bytes)
        case (.lines, .lagged(let count, let cursor)):
            line("lagged", lag(count), cursor, to: &bytes)
        case (.events, .status(let isThere, let detail)):
            event("status", status(isThere, detail), nil, to: &bytes)
        case (.lines, .status(let isThere, let detail)):
            line("status", status(isThere, detail), nil, to: &bytes)
        case (.events, .position(let cursor)):
            // Without data it is no event, and yet the place is known: HTML, section 9.2.6.
            bytes += ": heartbeat\nid: \(cursor)\n\n".utf8
        case (.lines, .position(let cursor)): bytes += "{\"cursor\":\"\(cursor)\"}\n".utf8
        }
    }

    private static func lag(_ count: Int64?) -> [UInt8] {
        Array("{\"skipped\":\(count.map(String.init) ?? "null")}".utf8)
    }

    private static func status(_ isThere: Bool, _ detail: String) -> [UInt8] {
        let members: JSONText = .object([
            ("database", .text(isThere ? "available" : "unavailable")), ("detail", .text(detail)),
        ])
        return Array("\(members)".utf8)
    }

    private static func event(
        _ name: String, _ json: [UInt8], _ cursor: String?, to bytes: inout [UInt8]
    ) {
        bytes += "event: \(name)\n".utf8
        if let cursor { bytes += "id: \(cursor)\n".utf8 }
        bytes += "data: ".utf8
        // JSON has no line ends in its texts; one between its tokens would end the line here.
        for byte in json {
            if byte == UInt8(ascii: "\n") {
                bytes += "\ndata: ".utf8
            } else {
                bytes.append(byte)
            }
        }
        bytes += "\n\n".utf8
    }

    private static func line(
        _ name: String, _ json: [UInt8], _ cursor: String?, to bytes: inout [UInt8]
    ) {
        bytes += "{\"\(name)\":".utf8
        bytes += json
        if let cursor { bytes += ",\"cursor\":\"\(cursor)\"".utf8 }
        bytes += "}\n".utf8
    }
}
