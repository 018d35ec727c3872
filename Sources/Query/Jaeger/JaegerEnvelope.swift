// SPDX-License-Identifier: Apache-2.0

/// What every answer of Jaeger's older JSON is in.
package enum JaegerEnvelope {
    /// What went wrong with a part of the answer, or with all of it.
    package struct Failure {
        let code: Int
        let message: String

        /// `code` is a status of HTTP.
        package init(code: Int, _ message: String) {
            self.code = code
            self.message = message
        }
    }

    /// An answer without data.
    package static func bytes(_ failure: Failure) -> [UInt8] {
        var writer = JSONWriter()
        write(total: 0, failures: [failure], to: &writer) { $0.null() }
        return writer.bytes
    }

    /// `warnings` is a member that Jaeger has not, and is there only where there are some.
    static func write(
        total: Int, failures: [Failure] = [], warnings: [String] = [],
        to writer: inout JSONWriter, data: (inout JSONWriter) -> Void
    ) {
        writer.object { writer in
            writer.key("data")
            data(&writer)
            writer.member("total", Int64(total))
            writer.member("limit", 0)
            writer.member("offset", 0)
            writer.key("errors")
            writeFailures(failures, to: &writer)
            guard !warnings.isEmpty else { return }
            writer.member("warnings", warnings)
        }
    }

    private static func writeFailures(_ failures: [Failure], to writer: inout JSONWriter) {
        guard !failures.isEmpty else { return writer.null() }
        writer.list { writer in
            for failure in failures {
                writer.object { writer in
                    writer.member("code", Int64(failure.code))
                    writer.member("msg", failure.message)
                }
            }
        }
    }
}
