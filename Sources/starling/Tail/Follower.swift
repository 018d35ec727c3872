// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLinux
internal import Collector

/// Prints what a tail of a running daemon shows, over as many connections as that takes.
struct Follower {
    typealias Parameters = [(name: String, value: String)]

    let items: TailVerb.Items
    /// What says which of them are meant.
    let filter: Parameters
    /// What says which of those that are stored come first.
    let start: Parameters
    /// Rows after which it is over; nil for never.
    let countMax: Int?
    let isJSON: Bool

    /// How long there may be silence; the daemon breaks it every 15 seconds.
    private static let patienceMs = 45_000
    private static let pauseMs = 1_000

    /// Returns behind the last of `countMax`; Ctrl-C ends the process. Errors: what the daemon says
    /// against it, and `daemonUnreachable` where nobody answers at first.
    func run(over connection: APIOptions) throws {
        // Nothing is left to be done, and it is how a tail ends.
        _ = signal(SIGINT) { _ in _exit(0) }
        let client = QueryClient(try connection.client(patienceMs: Follower.patienceMs))
        var reader = TailReader(
            TailPrinter(items, isJSON: isJSON, Colours.ofThisProcess), countMax: countMax)
        var isTold = false
        while true {
            reader.begin()
            do throws(DaemonError) {
                try client.stream("/api/\(items.rawValue)/tail", parameters(reader)) {
                    (bytes) throws(DaemonError) in try reader.take(bytes)
                }
                return try reader.finish()
            } catch {
                guard reader.isWorthAnother(error) else { throw error }
                if reader.hasHeard { isTold = false }
                if !isTold { StandardError.write("starling: \(error); trying again\n") }
                isTold = true
            }
            WorkerThread.pause(ms: Follower.pauseMs)
        }
    }

    private func parameters(_ reader: TailReader) -> Parameters {
        var parameters = filter + [("format", "ndjson")]
        if let left = reader.leftCount { parameters.append(("limit", "\(left)")) }
        return parameters + (reader.cursor.map { [("cursor", $0)] } ?? start)
    }
}
