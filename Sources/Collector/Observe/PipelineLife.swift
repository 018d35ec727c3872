// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import Postgres

/// The signs of life of loops and writers.
///
/// Thread: any. Cost: a relaxed load each.
struct PipelineLife: Sendable {
    private let loops: [IngestLoopControl]
    /// Those of OTLP/HTTP.
    private let lanes: [IngestLoopControl]
    private let writers: [WriterProgress]
    private let writerStallNsMax: UInt64

    private static let loopStallNsMax: UInt64 = 10_000_000_000

    init(
        loops: [IngestLoopControl], lanes: [IngestLoopControl], writers: [WriterProgress],
        database: DatabaseSettings
    ) {
        self.loops = loops
        self.lanes = lanes
        self.writers = writers
        // A writer may wait for a connection and for one statement; beyond both it is stuck.
        writerStallNsMax =
            UInt64(database.connectTimeoutMs + 2 * database.statementTimeoutMs) * 1_000_000
    }

    /// Every loop turns.
    func areLoopsAlive(nowNs: UInt64) -> Bool {
        (loops + lanes).allSatisfy { loop in
            let lastTickNs = loop.lastTickNs
            return lastTickNs == 0 || nowNs < lastTickNs + PipelineLife.loopStallNsMax
        }
    }

    /// Every writer that has work makes progress.
    func areWritersAlive(nowNs: UInt64) -> Bool {
        writers.allSatisfy { writer in
            guard let lastStepNs = writer.lastStepNs else { return true }
            return nowNs < lastStepNs + writerStallNsMax
        }
    }

    func isAlive(nowNs: UInt64) -> Bool {
        areLoopsAlive(nowNs: nowNs) && areWritersAlive(nowNs: nowNs)
    }

    var loopCount: Int { loops.count }
    var writerCount: Int { writers.count }
    var busyWriterCount: Int { writers.count { $0.lastStepNs != nil } }
}
