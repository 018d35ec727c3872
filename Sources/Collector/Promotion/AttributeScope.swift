// SPDX-License-Identifier: Apache-2.0
internal import Copy

/// Whose attributes a rule is about, as files of rules write it.
package enum AttributeScope: String, CaseIterable, Sendable {
    case resource, scope, logs, spans, metrics

    /// The signal whose rows have columns for such attributes; nil where they are in typed tables.
    var promotedSignal: PromotedSignal? {
        switch self {
        case .logs: .logs
        case .spans: .spans
        case .resource, .scope, .metrics: nil
        }
    }
}
