// SPDX-License-Identifier: Apache-2.0

/// The frame of a list: `{"spans":[…],"pagination":{…},"warnings":[…]}`.
enum Page {
    /// `nextCursor` is nil on the last page.
    static func write(
        _ name: String, nextCursor: String?, warnings: [String], to writer: inout JSONWriter,
        _ elements: (inout JSONWriter) -> Void
    ) {
        writer.object { writer in
            writer.key(name)
            writer.list { elements(&$0) }
            writer.key("pagination")
            writer.object { writer in
                writer.key("has_more")
                writer.truth(nextCursor != nil)
                writer.member("next_cursor", nextCursor)
            }
            writer.member("warnings", warnings)
        }
    }

    /// Why a page that is not the last is not full.
    static let tiredWarning =
        "\(WindowWalk.readCountMax) rows were looked at without filling the page; next_cursor goes "
        + "on from there"
}
