// SPDX-License-Identifier: Apache-2.0

/// The signals whose rows have columns for attributes. The raw value stands in
/// `otel_attribute_columns.signal` and in files of the configuration.
package enum PromotedSignal: String, CaseIterable, Sendable {
    case spans, logs

    /// Where the columns are.
    package var table: FactTable {
        switch self {
        case .spans: .spans
        case .logs: .logs
        }
    }
}
