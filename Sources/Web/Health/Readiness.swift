// SPDX-License-Identifier: Apache-2.0
internal import Base

/// One question about the daemon's health, and its answer.
struct HealthCheck: Equatable {
    let name: String
    let isOK: Bool
    /// What was seen; for people.
    let detail: String
}

/// What a balancer asks: may requests be sent here now?
enum Readiness {
    /// A look at the database may be missed twice before it counts as not answering.
    static let answeredAgeNsMax: UInt64 = 10_000_000_000
    /// Batches may fail for as long as a restart of the database takes.
    static let failingNsMax: UInt64 = 15_000_000_000

    static func checks(of daemon: DaemonObservation) -> [HealthCheck] {
        [
            stage(daemon), database(daemon.database), schema(daemon.database),
            partitions(daemon.database), commits(daemon.commits),
        ]
    }

    private static func stage(_ daemon: DaemonObservation) -> HealthCheck {
        switch daemon.stage {
        case .serving: HealthCheck(name: "serving", isOK: true, detail: "takes requests")
        case .draining:
            HealthCheck(
                name: "serving", isOK: false, detail: "the daemon is stopping: it takes no more")
        }
    }

    private static func database(_ database: DatabaseObservation) -> HealthCheck {
        func check(_ isOK: Bool, _ detail: String) -> HealthCheck {
            HealthCheck(name: "database", isOK: isOK, detail: detail)
        }
        switch database.state {
        case .unknown: return check(false, "nobody has looked yet")
        case .down, .readOnly, .diskFull:
            return check(false, database.reason ?? database.state.rawValue)
        // What is stored depends on the schema that is there, which has a check of its own.
        case .ok, .migrating, .schemaNotCurrent: break
        }
        guard let ageNs = database.answeredAgeNs, ageNs <= answeredAgeNsMax else {
            return check(false, "it has not answered for more than \(text(answeredAgeNsMax))")
        }
        return check(true, "answered \(text(ageNs)) ago")
    }

    private static func schema(_ database: DatabaseObservation) -> HealthCheck {
        guard let version = database.schemaVersion else {
            return HealthCheck(
                name: "schema", isOK: false,
                detail: database.reason ?? "it has not been looked at yet")
        }
        let wanted = database.schemaVersionWanted
        guard version >= wanted else {
            return HealthCheck(
                name: "schema", isOK: false,
                detail: "version \(version), but \(wanted) is needed; run `starling migrate`")
        }
        // A newer daemon has migrated, and this one serves until it is replaced.
        return HealthCheck(
            name: "schema", isOK: true,
            detail: version == wanted
                ? "version \(version)" : "version \(version), newer than \(wanted)")
    }

    private static func partitions(_ database: DatabaseObservation) -> HealthCheck {
        let least = database.partitionsAhead.min { $0.aheadNs < $1.aheadNs }
        guard database.partitionsAheadNsMin > 0 else {
            return HealthCheck(name: "partitions", isOK: true, detail: "made on demand")
        }
        guard let least else {
            return HealthCheck(
                name: "partitions", isOK: false, detail: "they have not been looked at yet")
        }
        return HealthCheck(
            name: "partitions", isOK: least.aheadNs >= database.partitionsAheadNsMin,
            detail: "\(least.table) takes rows for another \(text(least.aheadNs)), at least "
                + "\(text(database.partitionsAheadNsMin)) is needed")
    }

    private static func commits(_ commits: DaemonObservation.Commits) -> HealthCheck {
        func check(_ isOK: Bool, _ detail: String) -> HealthCheck {
            HealthCheck(name: "commits", isOK: isOK, detail: detail)
        }
        if let failingForNs = commits.failingForNs {
            let reason = commits.failure ?? "unknown"
            return check(
                failingForNs <= failingNsMax,
                "batches have failed for \(text(failingForNs)): \(reason)")
        }
        guard let ageNs = commits.lastAgeNs else { return check(true, "none yet") }
        return check(true, "the last was \(text(ageNs)) ago")
    }

    /// Whole seconds from one on, else milliseconds.
    static func text(_ nanoseconds: UInt64) -> String {
        let seconds = nanoseconds / 1_000_000_000
        switch seconds {
        case 0: return "\(nanoseconds / 1_000_000) ms"
        case ..<120: return "\(seconds) s"
        case ..<7_200: return "\(seconds / 60) min"
        case ..<172_800: return "\(seconds / 3_600) h"
        default: return "\(seconds / 86_400) d"
        }
    }
}

/// What a supervisor asks: is the process beyond help, so that it is to be started anew?
enum Liveness {
    static func checks(of daemon: DaemonObservation) -> [HealthCheck] {
        [
            HealthCheck(
                name: "loops", isOK: !daemon.loops.isStalled,
                detail: daemon.loops.isStalled
                    ? "an event loop does not turn" : "all \(daemon.loops.count) turn"),
            HealthCheck(
                name: "writers", isOK: !daemon.writers.isStalled,
                detail: daemon.writers.isStalled
                    ? "a writer makes no progress"
                    : "\(daemon.writers.busyCount) of \(daemon.writers.count) are busy"),
        ]
    }
}
