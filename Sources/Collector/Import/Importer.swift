// SPDX-License-Identifier: Apache-2.0
package import Base
internal import Decode
internal import Synchronization

/// Sends what files hold to a daemon, the way in which every client does, and counts what it takes.
///
/// One request is read while others are under way, so what is held does not depend on the files.
/// Thread: `run` one, which waits; the rest any.
package final class Importer: RequestSource {
    /// What became of it all. Items add up: sent = stored + rejected + failed.
    package struct Report: Sendable {
        package var sending = SendReport()
        /// What the daemon did not store, and where it was from; the first of them.
        package var notes: [String] = []
        /// Notes that were left out.
        package var hiddenNoteCount = 0
        /// Why not everything was read.
        package var fault: ImportFault?
    }

    /// Longer reports help nobody.
    package static let noteCountMax = 20

    let delivery: Delivery
    private let paths: [String]
    private let signal: Signal?
    private let budget = MemoryBudget(limitBytes: .max)
    private let state: Mutex<State>

    private struct State: ~Copyable {
        var reader: ImportReader?
        var nextPath = 0
        var isOver = false
        var storedCount = 0
        var notes: [String] = []
        var hiddenNoteCount = 0
        var fault: ImportFault?
    }

    /// `paths` are read in their order, `-` is standard input; `signal` is that of files which do
    /// not say it.
    package init(_ paths: [String], signal: Signal?, _ delivery: Delivery) {
        self.paths = paths
        self.signal = signal
        self.delivery = delivery
        state = Mutex(State())
    }

    /// Sends everything. What cannot be read ends it, with what came before sent.
    package func run() -> Report {
        let startNs = Clock.monotonicNs
        var sending = SenderConnection(from: self).run()
        sending.elapsedNs = Clock.monotonicNs - startNs
        return state.withLock { state in
            Report(
                sending: sending, notes: state.notes, hiddenNoteCount: state.hiddenNoteCount,
                fault: state.fault)
        }
    }

    /// Items that are stored so far.
    package var storedCount: Int { state.withLock { $0.storedCount } }

    // MARK: RequestSource

    func next() -> PlannedRequest? {
        state.withLock { state in
            do throws(ImportFault) {
                return try next(&state)
            } catch {
                state.fault = error
                state.isOver = true
                return nil
            }
        }
    }

    func note(_ outcome: RequestOutcome, of request: PlannedRequest) {
        let items = "\(request.itemCount) \(request.signal.itemName)"
        state.withLock { state in
            let note: String
            switch outcome {
            case .stored(let rejectedCount, let reason):
                state.storedCount += request.itemCount - rejectedCount
                guard rejectedCount > 0 else { return }
                note = "\(request.origin): \(rejectedCount) of \(items) were rejected: \(reason)"
            case .failed(let reason):
                note = "\(request.origin): \(items) were not stored: \(reason)"
            }
            if state.notes.count < Importer.noteCountMax {
                state.notes.append(note)
            } else {
                state.hiddenNoteCount += 1
            }
        }
    }

    /// How much is left in files nobody knows: that it was not read is a fault.
    func giveUp() -> Int {
        state.withLock { state in
            if !state.isOver, state.reader != nil || state.nextPath < paths.count {
                state.fault = ImportFault(
                    description:
                        "nobody answers on \(delivery.endpoint), so the rest was not read; "
                        + "check --endpoint, and import it again")
            }
            state.isOver = true
        }
        return 0
    }

    // MARK: Reading

    private func next(_ state: inout State) throws(ImportFault) -> PlannedRequest? {
        while !state.isOver {
            guard var reader = state.reader.take() else {
                guard state.nextPath < paths.count else { return nil }
                state.reader = try ImportReader(paths[state.nextPath])
                state.nextPath += 1
                continue
            }
            guard let document = try reader.next() else { continue }
            let planned = try planned(document, of: reader.name)
            state.reader = consume reader
            return planned
        }
        return nil
    }

    private func planned(
        _ document: ImportDocument, of name: String
    ) throws(ImportFault) -> PlannedRequest {
        let origin = "\(name), \(document.place)"
        guard let signal = document.signal ?? signal else {
            throw ImportFault(
                description:
                    "\(origin): protobuf does not say what it holds; give --signal traces, "
                    + "logs or metrics")
        }
        if let wanted = self.signal, wanted != signal {
            throw ImportFault(
                description: "\(origin): it holds \(signal.itemName), and --signal is "
                    + "\(wanted.storedName); leave that out")
        }
        let message = try message(document, signal, origin)
        let count = unsafe message.withUnsafeBytes {
            ImportItems.count(unsafe ByteSlice($0), signal)
        }
        guard let count else {
            throw ImportFault(
                description: "\(origin): it is no OTLP message of \(signal.storedName) in protobuf")
        }
        return PlannedRequest(
            signal: signal, itemCount: count, dueNs: nil, origin: origin, message: { message })
    }

    /// The document as protobuf.
    private func message(
        _ document: ImportDocument, _ signal: Signal, _ origin: String
    ) throws(ImportFault) -> [UInt8] {
        guard document.form == .json else { return document.bytes }
        let limits = DecodeLimits(requestSizeBytesMax: ImportReader.documentSizeBytesMax)
        let result: Result<[UInt8], JSONError> = unsafe document.bytes.withUnsafeBytes { text in
            Result { () throws(JSONError) in
                let wire = try JSONTranscoder.transcode(
                    unsafe ByteSlice(text), signal: signal, limits: limits,
                    sizeBytesMax: ImportReader.documentSizeBytesMax, budget: budget)
                return unsafe Array(wire.slice.buffer)
            }
        }
        switch result {
        case .success(let message): return message
        case .failure(.refused(let refusal)):
            throw ImportFault(description: "\(origin): \(refusal.message)")
        case .failure(.tooLarge), .failure(.overBudget):
            throw ImportFault(
                description: "\(origin): it has more than "
                    + "\(Quantity.text(bytes: ImportReader.documentSizeBytesMax)) as protobuf; "
                    + "write it as several requests")
        }
    }
}
