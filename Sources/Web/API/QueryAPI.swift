// SPDX-License-Identifier: Apache-2.0

/// Everything that can be asked, group by group. What each says of itself is in `OpenAPI`.
enum QueryAPI {
    static func add(to routes: QueryRoutes) {
        TraceRoutes.add(to: routes)
        SearchRoutes.add(to: routes)
        ExportRoutes.add(to: routes)
        TailRoutes.add(to: routes)
        ServiceRoutes.add(to: routes)
        MetricRoutes.add(to: routes)
        FieldRoutes.add(to: routes)
        AdminRoutes.add(to: routes)
    }
}
