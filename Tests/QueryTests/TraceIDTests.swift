// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Query

@Suite struct TraceIDTests {
    @Test(arguments: [
        ("5b8efff798038103d269b633813fc60c", "5b8efff798038103d269b633813fc60c"),
        ("5B8EFFF798038103D269B633813FC60C", "5b8efff798038103d269b633813fc60c"),
        ("d269b633813fc60c", "0000000000000000d269b633813fc60c"),
    ])
    func ids(_ written: String, _ text: String) {
        #expect(TraceID(written)?.text == text)
    }

    @Test(arguments: [
        "", "0", "00000000000000000000000000000000", "0000000000000000",
        "5b8efff798038103d269b633813fc60", "5b8efff798038103d269b633813fc60cc",
        "5b8efff798038103d269b633813fc60g", "5b8efff7-9803-8103-d269-b633813fc6",
        "ｄ269b633813fc60c",
    ])
    func otherTexts(_ written: String) {
        #expect(TraceID(written) == nil)
    }
}
