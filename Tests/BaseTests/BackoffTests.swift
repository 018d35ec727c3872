// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@Suite struct BackoffTests {
    @Test func delaysDoubleUpToTheMaximumAndStartAgain() {
        var backoff = Backoff(minMs: 100, maxMs: 350)
        var generator = SystemRandomNumberGenerator()
        for bound in [100, 200, 350, 350] {
            let delay = backoff.nextDelayMs(using: &generator)
            #expect((bound / 2...bound).contains(delay))
        }
        backoff.reset()
        #expect((50...100).contains(backoff.nextDelayMs(using: &generator)))
    }
}

@Suite struct Base64Tests {
    // Vectors of RFC 4648 §10.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ])
    func encodes(text: String, expected: String) {
        var digits: [UInt8] = []
        let bytes = Array(text.utf8)
        unsafe bytes.withUnsafeBytes { buffer in
            Base64.encode(unsafe ByteSlice(buffer), isPadded: true) { digits.append($0) }
        }
        #expect(String(decoding: digits, as: UTF8.self) == expected)
        #expect(Base64.paddedSize(sizeBytes: bytes.count) == expected.utf8.count)
        let unpadded = expected.filter { $0 != "=" }
        #expect(Base64.unpadded(bytes) == unpadded)
    }
}

@Suite struct LimitsTests {
    @Test func theSumsHold() { Limits.checkSums() }
}
