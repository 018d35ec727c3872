// SPDX-License-Identifier: Apache-2.0

/// A bounded queue in which senders take turns: each gets one element out before another gets its
/// second, however many it has put in.
///
/// When it is full, the sender with most elements in it gives up its last. So one who fills it
/// keeps others neither waiting nor out. Not thread-safe.
/// Cost: a walk over the senders that have something in it, where it is full.
struct FairQueue<Sender: Hashable, Element> {
    let countMax: Int
    private(set) var count = 0
    /// Whose turn it is, in this order.
    private var turns: [Sender] = []
    private var elements: [Sender: [Element]] = [:]

    init(countMax: Int) {
        precondition(countMax > 0)
        self.countMax = countMax
    }

    var isEmpty: Bool { count == 0 }

    /// Puts `element` in behind those of its sender; returns what has no place any more, which is
    /// `element` itself where nobody has more in the queue than its sender.
    mutating func push(_ element: Element, from sender: Sender) -> Element? {
        guard count == countMax else {
            append(element, from: sender)
            return nil
        }
        let ownCount = elements[sender]?.count ?? 0
        guard let greediest = turns.max(by: { countOf($0) < countOf($1) }),
            countOf(greediest) > ownCount + 1
        else { return element }
        let displaced = elements[greediest]?.popLast()
        count -= 1
        append(element, from: sender)
        return displaced
    }

    /// Takes out the first element of the sender whose turn it is; nil where there is none.
    mutating func pop() -> Element? {
        guard !turns.isEmpty else { return nil }
        let sender = turns.removeFirst()
        guard var line = elements.removeValue(forKey: sender) else {
            preconditionFailure("only senders with elements have turns")
        }
        let first = line.removeFirst()
        count -= 1
        if !line.isEmpty {
            elements[sender] = line
            turns.append(sender)
        }
        return first
    }

    private func countOf(_ sender: Sender) -> Int { elements[sender]?.count ?? 0 }

    private mutating func append(_ element: Element, from sender: Sender) {
        if elements[sender] == nil { turns.append(sender) }
        elements[sender, default: []].append(element)
        count += 1
    }
}
