// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Collector

// Goal: nobody waits for more of another sender than one element, and nobody is kept out by one who
// has filled the queue. Method: one sender floods, others come later.

@Suite struct FairQueueTests {
    private func drained(_ queue: consuming FairQueue<String, Int>) -> [Int] {
        var queue = queue
        var found: [Int] = []
        while let element = queue.pop() { found.append(element) }
        #expect(queue.isEmpty && queue.count == 0)
        return found
    }

    @Test func sendersTakeTurns() {
        var queue = FairQueue<String, Int>(countMax: 10)
        for element in 0..<4 { #expect(queue.push(element, from: "flood") == nil) }
        #expect(queue.push(10, from: "a") == nil && queue.push(20, from: "b") == nil)
        #expect(queue.push(11, from: "a") == nil)
        #expect(queue.count == 7)
        #expect(drained(queue) == [0, 10, 20, 1, 11, 2, 3])
    }

    @Test func whoComesBackWaitsForTheOthers() {
        var queue = FairQueue<String, Int>(countMax: 10)
        for element in [1, 2] { #expect(queue.push(element, from: "a") == nil) }
        #expect(queue.push(9, from: "b") == nil)
        #expect(queue.pop() == 1)
        #expect(queue.push(3, from: "a") == nil)
        #expect(drained(queue) == [9, 2, 3])
    }

    @Test func whoHasMostGivesUpItsLast() {
        var queue = FairQueue<String, Int>(countMax: 4)
        for element in 0..<4 { #expect(queue.push(element, from: "flood") == nil) }
        #expect(queue.push(4, from: "flood") == 4)
        #expect(queue.push(10, from: "a") == 3)
        #expect(queue.push(11, from: "a") == 2)
        #expect(queue.push(12, from: "a") == 12, "two each would not get better")
        #expect(queue.push(20, from: "b").map([1, 11].contains) == true)
        #expect(queue.count == 4)
        #expect(drained(queue).starts(with: [0, 10, 20]))
    }

    @Test func whenAllHaveOneWhoComesIsTurnedAway() {
        var queue = FairQueue<String, Int>(countMax: 2)
        #expect(queue.push(1, from: "a") == nil && queue.push(2, from: "b") == nil)
        #expect(queue.push(3, from: "c") == 3)
        #expect(drained(queue) == [1, 2])
    }
}
