// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base
internal import Decode
internal import Rows

/// What one station does to a request.
protocol Work: AnyObject {
    /// Items that have gone through the station so far.
    var doneItemCount: Int { get }
    /// Does its work on the requests of `range`, one after the other.
    func run(_ range: Range<Int>)
}

/// The stations, in the order of the path.
enum Station: String, CaseIterable, ExpressibleByArgument {
    /// HTTP/2 and gRPC, with an answer at once.
    case framing
    /// SHA-256 of the message.
    case fingerprint
    /// The pre-scan alone.
    case scan
    /// Pre-scan and protobuf-c.
    case decode
    /// Dimensions and rows of decoded exports, into nothing.
    case rows
    /// The same, into COPY BINARY.
    case copy

    func work(on input: Input) -> any Work {
        switch self {
        case .framing: FramingWork(input)
        case .fingerprint: FingerprintWork(input)
        case .scan: ScanWork(input)
        case .decode: DecodeWork(input)
        case .rows: RowsWork(input)
        case .copy: CopyWork(input)
        }
    }
}

final class FingerprintWork: Work {
    private let input: Input
    private var digest = ExportDigest()
    private(set) var doneItemCount = 0
    private var last: Fingerprint?

    init(_ input: Input) { self.input = input }

    func run(_ range: Range<Int>) {
        for index in range {
            let fingerprint = digest.fingerprint(
                signal: input.signal, body: input.message(index))
            precondition(fingerprint != last, "two requests with one fingerprint")
            last = fingerprint
            doneItemCount += input.itemCount
        }
    }
}

final class ScanWork: Work {
    private let input: Input
    private let budget = MemoryBudget(limitBytes: 256 << 20)
    private(set) var doneItemCount = 0

    init(_ input: Input) { self.input = input }

    func run(_ range: Range<Int>) {
        for index in range { doneItemCount += input.scannedItemCount(index, budget: budget) }
    }
}

final class DecodeWork: Work {
    private let input: Input
    private let budget = MemoryBudget(limitBytes: 256 << 20)
    private(set) var doneItemCount = 0

    init(_ input: Input) { self.input = input }

    func run(_ range: Range<Int>) {
        for index in range {
            let export = input.decoded(index, budget: budget)
            doneItemCount += export.itemCount
        }
    }
}
