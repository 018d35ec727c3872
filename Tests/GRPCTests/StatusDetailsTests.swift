// SPDX-License-Identifier: Apache-2.0
import Base
import Testing

@testable import GRPC

@Suite struct StatusDetailsTests {
    /// As an answer has it in `grpc-status-details-bin`.
    private static func header(_ status: [UInt8], isPadded: Bool) -> [UInt8] {
        var text: [UInt8] = []
        unsafe status.withUnsafeBytes {
            Base64.encode(unsafe ByteSlice($0), isPadded: isPadded) { text.append($0) }
        }
        return text
    }

    @Test(arguments: [0, 1, 999, 1_000, 2_500, 60_000], [true, false])
    func delaysAreReadAsTheyAreWritten(_ delayMs: Int, _ isPadded: Bool) {
        let status = StatusDetails.status(
            code: .unavailable, message: "busy",
            retryInfo: StatusDetails.retryInfo(afterMs: delayMs))
        let header = StatusDetailsTests.header(status, isPadded: isPadded)
        let found = unsafe header.withUnsafeBytes {
            StatusDetails.retryDelayMs(header: unsafe ByteSlice($0))
        }
        #expect(found == delayMs)
    }

    @Test(arguments: ["", "AAAA", "!", "CAESAA"])
    func whatIsNoDelayIsNone(_ text: String) {
        let found = unsafe Array(text.utf8).withUnsafeBytes {
            StatusDetails.retryDelayMs(header: unsafe ByteSlice($0))
        }
        #expect(found == nil)
    }

    @Test func rejectionsAreReadAsTheyAreWritten() {
        let response = StatusDetails.partialSuccess(rejectedItemCount: 300, message: "no room")
        let found = unsafe response.withUnsafeBytes {
            StatusDetails.rejection(response: unsafe ByteSlice($0))
        }
        #expect(found?.itemCount == 300 && found?.message == "no room")
        #expect(StatusDetails.rejection(response: .empty) == nil)
    }
}
