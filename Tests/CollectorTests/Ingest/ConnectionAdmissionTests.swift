// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import Collector

// Goal: neither all clients together nor one of them have more connections than they may, and what
// is given back can be used again.

@Suite struct ConnectionAdmissionTests {
    private let first = PeerAddress.ipv4(1, port: 1)
    private let second = PeerAddress.ipv4(2, port: 1)

    @Test func totalIsHeldAndGivenBack() {
        let admission = ConnectionAdmission(countMax: 2, perSourceMax: 9)
        #expect(admission.tryEnter() && admission.tryEnter() && !admission.tryEnter())
        #expect(admission.count == 2)
        admission.leave(nil)
        #expect(admission.tryEnter() && !admission.tryEnter())
    }

    @Test func eachSourceHasItsOwnCount() {
        let admission = ConnectionAdmission(countMax: 99, perSourceMax: 2)
        #expect(admission.tryEnter(first) && admission.tryEnter(first))
        #expect(!admission.tryEnter(first) && admission.tryEnter(second))
        admission.leave(first.source)
        #expect(admission.tryEnter(first) && !admission.tryEnter(first))
    }

    @Test func unixSocketsHaveNoSource() {
        let admission = ConnectionAdmission(countMax: 99, perSourceMax: 1)
        #expect(admission.tryEnter(.local) && admission.tryEnter(.local))
    }
}
