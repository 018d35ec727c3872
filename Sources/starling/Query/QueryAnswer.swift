// SPDX-License-Identifier: Apache-2.0

/// Shows an answer: the rows on standard output, what else there is to say on standard error.
enum QueryAnswer {
    static func show(_ answer: JSONObject, _ table: TextTable, nothing: String) {
        if table.isEmpty {
            StandardError.write("\(nothing)\n")
        } else {
            print(table.text)
        }
        for warning in answer.texts("warnings") {
            StandardError.write("note: \(ShownText.line(warning, countMax: 500))\n")
        }
        let page = answer["pagination"].flatMap { JSONObject($0) }
        if let cursor = page?["next_cursor"]?.text {
            StandardError.write("there is more: --cursor \(cursor)\n")
        }
    }
}
