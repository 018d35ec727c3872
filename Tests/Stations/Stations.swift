// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base

/// Runs one station of the data path on requests that are always the same.
///
/// What it does within `stations_measured` is what counts; callgrind can be told to look there only
/// (`--toggle-collect=stations_measured`). Everything is warm by then: pools, caches, buffers.
@main
struct Stations: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "Stations",
        abstract: "Run one station of the data path alone, always on the same input.",
        discussion: """
            Prints the nanoseconds per item, which mean something on a quiet machine only.

            Example:
              Stations decode traces --items 512 --requests 64
            """)

    @Argument(help: "One of \(Station.allCases.map(\.rawValue).joined(separator: ", ")).")
    var station: Station
    @Argument(help: "One of traces, logs, metrics.")
    var signal: SignalArgument
    @Option(help: "Items per request.")
    var items = 512
    @Option(help: "Requests that are measured.")
    var requests = 16
    @Option(help: "Requests before them.")
    var warmUp = 4
    @Option(help: "Requests that are made in all, measured or not; as many as needed if less.")
    var prepared = 0

    func validate() throws {
        guard items > 0, requests > 0, warmUp > 0 else {
            throw ValidationError("--items, --requests and --warm-up must be 1 or more")
        }
    }

    func run() throws {
        let input = Input(
            signal: signal.value, itemCount: items,
            requestCount: max(prepared, warmUp + requests))
        let work = station.work(on: input)
        work.run(0..<warmUp)
        let startNs = Clock.monotonicNs
        measure(work, warmUp..<warmUp + requests)
        let elapsedNs = Clock.monotonicNs - startNs
        precondition(work.doneItemCount == (warmUp + requests) * items, "a station lost items")
        let perItemNs = Double(elapsedNs) / Double(requests * items)
        print("\(station.rawValue) \(signal.rawValue) \(items) \(requests) \(perItemNs)")
    }
}

enum SignalArgument: String, ExpressibleByArgument, CaseIterable {
    case traces, logs, metrics

    var value: Signal {
        switch self {
        case .traces: .traces
        case .logs: .logs
        case .metrics: .metrics
        }
    }
}

nonisolated(unsafe) private var measured: (work: any Work, range: Range<Int>)?

/// The frame that a profiler looks for.
@c(stations_measured) @inline(never)
func runMeasured() {
    guard let (work, range) = unsafe measured else { preconditionFailure("nothing to measure") }
    work.run(range)
}

private func measure(_ work: any Work, _ range: Range<Int>) {
    unsafe measured = (work, range)
    runMeasured()
}
