// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Query

@Suite struct AnswerTests {
    @Test func longAnswersArePackedForThoseWhoTakeIt() {
        let long = [UInt8](repeating: 0x61, count: 1_024)
        #expect(Answer(long, acceptsGzip: true).isGzip)
        #expect(!Answer(long, acceptsGzip: false).isGzip)
        #expect(!Answer(Array(long.dropLast()), acceptsGzip: true).isGzip)
        #expect(Answer(long, acceptsGzip: true).bytes.prefix(2) == [0x1f, 0x8b])
        #expect(Answer(long, acceptsGzip: true).bytes.count < 100)
    }

    @Test func theTagIsThatOfTheContent() {
        let tag = Answer([1, 2], acceptsGzip: false).entityTag
        #expect(tag == Answer([1, 2], acceptsGzip: true).entityTag)
        #expect(tag != Answer([1, 3], acceptsGzip: false).entityTag)
        #expect(tag.hasPrefix("W/\"") && tag.hasSuffix("\""))
    }
}
