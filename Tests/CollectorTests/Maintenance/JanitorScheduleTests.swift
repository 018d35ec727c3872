// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Collector

private let secondNs: UInt64 = 1_000_000_000
private let minuteNs = 60 * secondNs

// Goal: each task has its period, failures are tried again soon, and nothing runs when it is off.
// Method: a clock that the test moves.
struct JanitorScheduleTests {
    private func settings(dedupWindowSeconds: Int64 = 900) -> JanitorSettings {
        var settings = JanitorSettings(.defaults)
        settings.dedupWindowSeconds = dedupWindowSeconds
        return settings
    }

    @Test func everythingIsDueAtOnceAndEachTaskIsInOneLane() {
        var found: [JanitorTask] = []
        for lane in JanitorLane.allCases {
            let schedule = JanitorSchedule(lane, settings())
            #expect(schedule.delayMs(nowNs: 0) == 0)
            found += schedule.due(nowNs: 0)
        }
        #expect(Set(found) == Set(JanitorTask.allCases))
        #expect(found.count == JanitorTask.allCases.count)
    }

    @Test func periodsCountFromTheEndOfARun() {
        var schedule = JanitorSchedule(.closing, settings())
        schedule.ran(.closePartitions, nowNs: 7 * minuteNs, isDone: true)
        #expect(schedule.due(nowNs: 17 * minuteNs - 1) == [])
        #expect(schedule.due(nowNs: 17 * minuteNs) == [.closePartitions])
        #expect(schedule.delayMs(nowNs: 17 * minuteNs - 1) == 1)
        #expect(schedule.delayMs(nowNs: 7 * minuteNs) == 600_000)
        #expect(schedule.delayMs(nowNs: 18 * minuteNs) == 0)
    }

    @Test func aLaneWithoutTasksWaits() {
        var settings = settings()
        settings.isServiceMapKept = false
        let schedule = JanitorSchedule(.mapping, settings)
        #expect(schedule.due(nowNs: 7 * minuteNs) == [])
        #expect(schedule.delayMs(nowNs: 7 * minuteNs) == 3_600_000)
    }

    @Test func failuresAreTriedAgainSoon() {
        var schedule = JanitorSchedule(.closing, settings())
        schedule.ran(.closePartitions, nowNs: 0, isDone: false)
        #expect(schedule.due(nowNs: minuteNs - 1) == [])
        #expect(schedule.due(nowNs: minuteNs) == [.closePartitions])
    }

    /// Ten days: how often each task of a lane runs.
    @Test(arguments: [
        (JanitorTask.makePartitions, 1_440), (.followPolicy, 28_800), (.noteSightings, 2_880),
        (.clearLedger, 1_920), (.flushLosses, 86_400), (.pruneBatches, 14_400),
    ])
    func tenDays(task: JanitorTask, expectedCount: Int) {
        var schedule = JanitorSchedule(.upkeep, settings())
        var nowNs: UInt64 = 0
        var count = 0
        while nowNs < 10 * 24 * 60 * minuteNs {
            for due in schedule.due(nowNs: nowNs) {
                if due == task { count += 1 }
                schedule.ran(due, nowNs: nowNs, isDone: true)
            }
            let delayMs = schedule.delayMs(nowNs: nowNs)
            #expect(delayMs > 0)
            nowNs += UInt64(delayMs) * 1_000_000
        }
        #expect(count == expectedCount)
    }

    @Test(arguments: [
        (0 as Int64, nil as UInt64?), (1, 1), (2, 1), (10, 5), (1_200, 600), (86_400, 600),
    ])
    func ledgerIsClearedTwicePerWindow(windowSeconds: Int64, expectedSeconds: UInt64?) {
        let periodNs = JanitorTask.clearLedger.periodNs(
            settings(dedupWindowSeconds: windowSeconds))
        #expect(periodNs == expectedSeconds.map { $0 * secondNs })
    }
}
