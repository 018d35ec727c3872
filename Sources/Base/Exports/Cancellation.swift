// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// Says that nobody waits for an export any more, so that a writer need not start with it.
///
/// Thread: any.
package final class Cancellation: Sendable {
    private let flag = Atomic<Bool>(false)

    package init() {}

    package var isCancelled: Bool { flag.load(ordering: .relaxed) }

    package func cancel() { flag.store(true, ordering: .relaxed) }
}
