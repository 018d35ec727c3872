// SPDX-License-Identifier: Apache-2.0
package import Rows

/// Where attributes are stored, for all signals: what the configuration wants, as far as the
/// database has the columns for it.
///
/// Immutable: a change of the configuration makes a new one, which writers take up between batches.
package struct PromotionSet: Sendable {
    package let spans: AttributePlan
    package let logs: AttributePlan
    /// What is not stored of resources, scopes, and data points; the latter goes for exemplars too.
    package let drops: DimensionDrops

    package init(
        spans: AttributePlan = AttributePlan(), logs: AttributePlan = AttributePlan(),
        drops: DimensionDrops = DimensionDrops()
    ) {
        self.spans = spans
        self.logs = logs
        self.drops = drops
    }

    /// The plan for rows of `table`; data points have their attributes in their series.
    func plan(for table: FactTable) -> AttributePlan? {
        switch table {
        case .spans: spans
        case .logs: logs
        case .numberPoints, .histogramPoints, .expHistogramPoints, .summaryPoints: nil
        }
    }
}
