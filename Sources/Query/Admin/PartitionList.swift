// SPDX-License-Identifier: Apache-2.0
package import Base
internal import Postgres

/// The partitions of the fact tables, with range, size and state.
package enum PartitionList {
    /// Writes them, by table and time; those of one signal, or all.
    package static func write(
        of signal: Signal?, from session: inout ReadSession, to writer: inout JSONWriter
    ) throws(QueryFailure) {
        let partitions = try session.withConnection {
            (connection, deadlineNs) throws(DatabaseError) in
            try connection.listPartitions(deadlineNs: deadlineNs)
        }
        let wanted = partitions.filter { signal == nil || $0.signal == signal }
        writer.object { writer in
            writer.key("partitions")
            writer.list { writer in
                for partition in wanted {
                    writer.object { writer in
                        writer.member("partition", partition.name)
                        writer.member("table", partition.tableName)
                        writer.member("signal", partition.signal.storedName)
                        writer.member("start_time_unix_nano", digits: partition.range.fromNs)
                        writer.member("end_time_unix_nano", digits: partition.range.untilNs)
                        writer.member("rows_estimate", partition.rowCountEstimate)
                        writer.member("size_bytes", partition.sizeBytes)
                        writer.member("state", partition.state.rawValue)
                    }
                }
            }
            writer.member("size_bytes", wanted.reduce(0) { $0 + $1.sizeBytes })
        }
    }
}
