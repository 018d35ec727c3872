// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// Whether clients should send here, as grpc.health.v1 tells them.
///
/// Thread: any. Cost: a relaxed load.
package final class HealthStatus: Sendable {
    private let away = Atomic<Bool>(false)
    private let draining = Atomic<Bool>(false)

    package init() {}

    package var isServing: Bool { !isAway && !isDraining }

    /// What is received cannot be stored, and has not been for a while.
    package var isAway: Bool {
        get { away.load(ordering: .relaxed) }
        set { away.store(newValue, ordering: .relaxed) }
    }

    /// The daemon is stopping.
    package var isDraining: Bool { draining.load(ordering: .relaxed) }

    /// Says so from now on; there is no way back.
    package func beginDrain() { draining.store(true, ordering: .relaxed) }
}
