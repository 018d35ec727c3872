// SPDX-License-Identifier: Apache-2.0

/// What the daemon shows of itself at one moment: to people, monitors and balancers.
///
/// A value that whoever shows it may read at leisure. A part that not every daemon has (a spool,
/// say) is optional, and is left out where it is nil.
package struct DaemonObservation: Sendable {
    package var version = ""
    /// When the process began to serve.
    package var startUnixNs: UInt64 = 0
    package var uptimeNs: UInt64 = 0
    package var stage = DaemonStage.serving
    package var listeners: [Listener] = []
    /// Nil where TLS is off.
    package var certificate: Certificate?
    package var counters = Counters()
    /// From the last byte of a request to its acknowledgement, per signal.
    package var ackLatency: [Signal: HistogramSnapshot] = [:]
    /// From BEGIN to the answer to COMMIT.
    package var commitLatency = HistogramSnapshot()
    package var recent = Recent()
    package var ring = Ring()
    package var memory = Memory()
    package var connections = Connections()
    package var writers = Writers()
    package var loops = Loops()
    package var commits = Commits()
    package var breaker = Breaker()
    /// Nil where `spool.directory` is empty.
    package var spool: Spool?
    package var auth = Auth()
    /// Dimension ids that writers have cached.
    package var dimensionEntryCount = 0
    package var database = DatabaseObservation()
    package var process = ProcessObservation()

    package init() {}

    /// Where something is served.
    package struct Listener: Sendable, Equatable {
        /// As in the configuration: `grpc`, `api`.
        package let name: String
        package let address: String

        package init(name: String, address: String) {
            self.name = name
            self.address = address
        }
    }

    /// The certificate that clients see.
    package struct Certificate: Sendable, Equatable {
        package let identity: PeerIdentity
        /// Seconds since 1970 at which it expires.
        package let notAfterUnixSeconds: Int64

        package init(identity: PeerIdentity, notAfterUnixSeconds: Int64) {
            self.identity = identity
            self.notAfterUnixSeconds = notAfterUnixSeconds
        }
    }

    /// Over the last seconds, as far as the daemon runs that long.
    package struct Recent: Sendable {
        package var spanNs: UInt64 = 0
        package var receivedPerSecond: [Signal: Double] = [:]
        package var committedPerSecond: [Signal: Double] = [:]
        package var ackLatency = HistogramSnapshot()
        package init() {}
    }

    /// Decoded requests that wait for a writer.
    package struct Ring: Sendable {
        package var exportCount = 0
        package var itemCount = 0
        package var exportCountMax = 0
        package init() {}
    }

    /// `memory.budget_bytes`.
    package struct Memory: Sendable {
        package var inUseBytes = 0
        package var limitBytes = 0
        package init() {}
    }

    package struct Connections: Sendable {
        package var openCount = 0
        package var countMax = 0
        package init() {}
    }

    package struct Writers: Sendable {
        package var count = 0
        /// Those that have a batch in hand.
        package var busyCount = 0
        /// A busy writer has made no step for longer than a statement may take.
        package var isStalled = false
        package init() {}
    }

    package struct Loops: Sendable {
        package var count = 0
        /// A loop has not turned for seconds.
        package var isStalled = false
        package init() {}
    }

    package struct Commits: Sendable {
        /// Since the last commit of telemetry; nil before the first.
        package var lastAgeNs: UInt64?
        /// Since the first of the failures that followed the last commit; nil while batches are
        /// stored.
        package var failingForNs: UInt64?
        /// The last of these failures.
        package var failure: String?
        package init() {}
    }

    /// What writers together think of the database.
    package struct Breaker: Sendable, Equatable {
        /// Closed, every writer tries; open, nobody does; half open, one attempt is under way.
        package enum State: String, CaseIterable, Sendable {
            case closed, open
            case halfOpen = "half_open"
        }

        package var state = State.closed
        /// Since when it is closed, or not.
        package var sinceUnixNs: UInt64 = 0
        /// Failures since the last success.
        package var failureCount = 0
        /// The last error, for people.
        package var lastError: String?
        package init() {}
    }

    /// Who may come in.
    package struct Auth: Sendable, Equatable {
        /// `auth.required`.
        package var isRequired = false
        /// Tokens that count.
        package var tokenCount = 0
        /// What the database calls the list that is in force (`otel_token_changes`); nil before the
        /// first.
        package var listStamp: Int64?
        /// Since the database said last that the list is current; nil where it never did.
        package var listAgeNs: UInt64?
        package init() {}
    }

    /// Requests that are acknowledged and wait on disk for the database.
    package struct Spool: Sendable, Equatable {
        package var sizeBytes = 0
        package var sizeBytesMax = 0
        package var recordCount = 0
        /// Since the oldest of them arrived; nil where none waits.
        package var oldestAgeNs: UInt64?
        /// Damaged files that were set aside for a person.
        package var damagedFileCount = 0
        /// Whether it takes more.
        package var isReady = true
        /// What was in its way last, for people.
        package var lastError: String?
        package init() {}
    }
}

/// Where the daemon is in its life.
package enum DaemonStage: Int, Sendable {
    case serving
    /// What is in flight is still stored; nothing new is taken.
    case draining
}

/// What the process takes of its machine, as the kernel says; 0 where it does not.
package struct ProcessObservation: Sendable {
    package var residentBytes = 0
    package var virtualBytes = 0
    package var cpuNs: UInt64 = 0
    package var openDescriptorCount = 0
    package var descriptorCountMax = 0
    package var threadCount = 0
    package init() {}
}

/// Gives out observations.
///
/// Thread: any. Waits for nobody but for a lock that is only ever held to copy a value.
package protocol DaemonObserver: Sendable {
    func observe() -> DaemonObservation

    /// Decides who may see it.
    var authenticator: any Authenticator { get }
}
