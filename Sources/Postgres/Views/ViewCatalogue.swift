// SPDX-License-Identifier: Apache-2.0

/// Every view and helper function of the schema, written from the registry of promoted attributes.
enum ViewCatalogue {
    /// In an order in which each needs only what comes before it.
    static func definitions(promoted: [PromotedAttribute]) -> [ViewDefinition] {
        ViewFunctions.all + AttributeViews.all(promoted: promoted) + SpanPartViews.all
            + PointAttributeViews.all + LogViews.all(promoted: promoted)
            + SpanViews.all(promoted: promoted) + MetricViews.all + GrafanaViews.all
    }
}
