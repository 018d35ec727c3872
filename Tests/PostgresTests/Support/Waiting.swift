// SPDX-License-Identifier: Apache-2.0
import Base

@testable import Postgres

struct WaitedTooLong: Error { let condition: String }

/// Asks again and again until `isTrue`; for what another process does, which sends no event.
func waitUntil(_ condition: String, _ isTrue: () throws -> Bool) throws {
    let deadlineNs = Deadline.inMs(60_000)
    let never = StopSignal()
    while try !isTrue() {
        guard Clock.monotonicNs < deadlineNs else { throw WaitedTooLong(condition: condition) }
        _ = never.wait(delayMs: 2)
    }
}

/// A deadline that no passing test comes near.
var farDeadlineNs: UInt64 { Deadline.inMs(60_000) }
