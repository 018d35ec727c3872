// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import CLinux
internal import Collector
internal import Postgres

extension DeadLetters {
    /// `starling dead-letters show`.
    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print one dead letter with its item.",
            discussion: """
                The item is printed as OTLP/JSON, in which text that is no valid UTF-8 is \
                replaced; --raw gives the exact bytes, an Export request in protobuf.

                Examples:
                  starling dead-letters show 17
                  starling dead-letters show 17 --json | jq .item
                  starling dead-letters show 17 --raw > item.bin
                """)

        @OptionGroup var options: ConfigurationOptions

        @Argument(help: "The number of the letter.")
        var id: Int64

        @Flag(help: "Print one JSON object, the item in it.")
        var json = false

        @Flag(help: "Write the stored bytes.")
        var raw = false

        func validate() throws {
            if json && raw { throw ValidationError("choose one of --json and --raw") }
        }

        func run() throws {
            let loaded = try options.sources(isDatabaseRequired: true).load()
            let (letter, request) = try DatabaseMaintenance(loaded.configuration).deadLetter(id)
            guard !raw else { return try Show.write(request) }
            let item = DatabaseMaintenance.json(letter.signal, request)
            guard !json else {
                let fields = letter.jsonFields.map { "\(JSONText.text($0.0)):\($0.1)" }
                let members = fields + ["\"item\":\(item ?? "null")"]
                return print("{" + members.joined(separator: ",") + "}")
            }
            var table = TextTable("FIELD", "VALUE")
            for (name, value) in letter.jsonFields {
                if case .text(let text) = value {
                    table.append(name, text)
                } else {
                    table.append(name, "\(value)")
                }
            }
            print(table.text)
            print(item ?? "the request cannot be decoded; --raw gives its bytes")
        }

        private static func write(_ bytes: [UInt8]) throws {
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = unsafe rest.withUnsafeBytes {
                    unsafe CLinux.write(STDOUT_FILENO, $0.baseAddress, $0.count)
                }
                guard count > 0 || linux_errno() == EINTR else { throw ExitCode(Failure.other) }
                rest = rest.dropFirst(max(0, count))
            }
        }
    }
}
