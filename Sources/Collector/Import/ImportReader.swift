// SPDX-License-Identifier: Apache-2.0
internal import Base

/// Finds the export requests in a file, whatever form it has.
///
/// JSON texts behind one another, on lines or not (the OTLP file format), a single protobuf
/// message, or protobuf messages each behind its length in 4 bytes, as the Collector's file
/// exporter writes them. All of it may be packed with gzip. Holds one request at a time.
struct ImportReader: ~Copyable {
    private enum Form {
        case json
        case lengthPrefixed
        case protobuf
    }

    private var input: ImportInput
    private var form: Form?
    private var line = 1

    /// A request that is larger no daemon takes, unless it is told to.
    static let documentSizeBytesMax = 64 << 20

    private static let prefixSizeBytes = 4
    /// So much space may be before the first of JSON.
    private static let blankSizeBytesMax = 64

    init(_ path: String) throws(ImportFault) { input = try ImportInput(path) }

    var name: String { input.name }

    /// The next request; nil at the end of the file.
    mutating func next() throws(ImportFault) -> ImportDocument? {
        if form == nil { form = try detected() }
        switch form {
        case .json: return try nextText()
        case .lengthPrefixed: return try nextPrefixed()
        case .protobuf: return try nextMessage()
        case nil: return nil
        }
    }

    /// No protobuf message begins with a byte below 8: that would be field 0. The first byte of a
    /// length is one: it is below 128 MiB. Nil for an empty file.
    private mutating func detected() throws(ImportFault) -> Form? {
        try skipSpace()
        guard let first = try input.byte(0) else { return nil }
        switch first {
        case UInt8(ascii: "{"): return .json
        case 0..<8 where input.offset == 0: return .lengthPrefixed
        case 0x1f where try input.byte(1) == 0x8b:
            throw fault(
                "byte 0",
                "it is packed with gzip twice; unpack it once: gzip -dc FILE | starling import -")
        case 0x28 where try input.byte(1) == 0xb5:
            throw fault(
                "byte 0", "it is packed with zstd; unpack it: zstd -dc FILE | starling import -")
        case 0x0a where input.offset == 0, 0x12 where input.offset == 0: return .protobuf
        default:
            throw fault(
                "byte \(input.offset)",
                "it is neither OTLP/JSON nor an OTLP message in protobuf; only these are imported")
        }
    }

    private func fault(_ place: String, _ reason: String) -> ImportFault {
        ImportFault(description: "\(input.name), \(place): \(reason)")
    }

    // MARK: JSON

    private mutating func skipSpace() throws(ImportFault) {
        // A protobuf message may begin with a line feed: its first field, of a length that follows.
        if form == nil, try input.byte(0) == 0x0a, try !isText(after: 1) { return }
        while let byte = try input.byte(0), JSONOutline.isSpace(byte) {
            if byte == JSONOutline.lineFeed { line += 1 }
            input.skip(1)
        }
    }

    /// Whether what comes behind `index` bytes is a JSON text, or nothing.
    private mutating func isText(after index: Int) throws(ImportFault) -> Bool {
        var index = index
        while let byte = try input.byte(index) {
            guard JSONOutline.isSpace(byte) else { return byte == UInt8(ascii: "{") }
            index += 1
            if index > ImportReader.blankSizeBytesMax { return false }
        }
        return true  // of nothing but space
    }

    private mutating func nextText() throws(ImportFault) -> ImportDocument? {
        try skipSpace()
        guard try input.byte(0) != nil else { return nil }
        let place = "line \(line)"
        var outline = JSONOutline()
        var count = 0
        while !outline.isComplete {
            guard let byte = try input.byte(count) else {
                throw fault(
                    place, "the file ends within the object that begins here; was it cut off?")
            }
            guard count < ImportReader.documentSizeBytesMax else { throw tooLarge(place) }
            if let reason = outline.take(byte) {
                throw fault("line \(line)", "\(reason); it has to be one OTLP/JSON object per line")
            }
            if byte == JSONOutline.lineFeed { line += 1 }
            count += 1
        }
        guard let signal = outline.signal else {
            throw fault(
                place,
                "the object has none of resourceSpans, resourceLogs, resourceMetrics, so it is not "
                    + "OTLP/JSON; NDJSON and CSV of exports cannot be imported, otlp-json can")
        }
        return ImportDocument(
            form: .json, signal: signal, bytes: input.take(count), place: place)
    }

    private func tooLarge(_ place: String) -> ImportFault {
        fault(
            place,
            "the request that begins here has more than "
                + "\(Quantity.text(bytes: ImportReader.documentSizeBytesMax)); write it as several")
    }

    // MARK: Protobuf

    private mutating func nextPrefixed() throws(ImportFault) -> ImportDocument? {
        guard try input.byte(0) != nil else { return nil }
        let place = "byte \(input.offset)"
        var size = 0
        for index in 0..<ImportReader.prefixSizeBytes {
            guard let byte = try input.byte(index) else {
                throw fault(place, "the file ends within a length; was it cut off?")
            }
            size = size << 8 | Int(byte)
        }
        guard size <= ImportReader.documentSizeBytesMax else { throw tooLarge(place) }
        let isWhole = try input.byte(ImportReader.prefixSizeBytes + size - 1) != nil
        guard isWhole else {
            throw fault(
                place,
                "the file ends within the message of \(size) bytes that begins here; was it "
                    + "cut off?")
        }
        input.skip(ImportReader.prefixSizeBytes)
        return ImportDocument(
            form: .protobuf, signal: nil, bytes: input.take(size), place: place)
    }

    private mutating func nextMessage() throws(ImportFault) -> ImportDocument? {
        guard try input.byte(0) != nil else { return nil }
        if try input.byte(ImportReader.documentSizeBytesMax) != nil { throw tooLarge("byte 0") }
        return ImportDocument(
            form: .protobuf, signal: nil, bytes: input.take(input.heldCount), place: "byte 0")
    }
}

/// Where a JSON object ends, and of which signal it is: that much, and no more, has to be known to
/// cut a file into requests.
struct JSONOutline {
    static let lineFeed = UInt8(ascii: "\n")

    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    /// Of the object itself, the string at hand or before; as far as it may be a name that counts.
    private var name: [UInt8] = []
    private(set) var signal: Signal?
    private(set) var isComplete = false

    private static let nameSizeBytesMax = 16
    private static let signals: [[UInt8]: Signal] = [
        Array("resourceSpans".utf8): .traces, Array("resource_spans".utf8): .traces,
        Array("resourceLogs".utf8): .logs, Array("resource_logs".utf8): .logs,
        Array("resourceMetrics".utf8): .metrics, Array("resource_metrics".utf8): .metrics,
    ]

    static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == lineFeed || byte == 0x0d
    }

    /// Takes the next byte of an object; says what is wrong with it.
    mutating func take(_ byte: UInt8) -> String? {
        if isInString { return takeInString(byte) }
        switch byte {
        case UInt8(ascii: "\""):
            isInString = true
            name.removeAll(keepingCapacity: true)
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            depth -= 1
            isComplete = depth == 0
        case UInt8(ascii: ":") where depth == 1:
            if signal == nil { signal = JSONOutline.signals[name] }
        default: break
        }
        return nil
    }

    private mutating func takeInString(_ byte: UInt8) -> String? {
        if byte == JSONOutline.lineFeed { return "a string does not end on its line" }
        if isEscaped {
            isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
            isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
            isInString = false
            return nil
        }
        if depth == 1, name.count < JSONOutline.nameSizeBytesMax { name.append(byte) }
        return nil
    }
}
