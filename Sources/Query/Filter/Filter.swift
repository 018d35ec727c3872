// SPDX-License-Identifier: Apache-2.0

/// What is true of the items that are asked for. Every surface of the API says its conditions so.
///
/// A condition on something that an item has not is false, `ne` and `not_in` among them. `not` is
/// full negation: true of all the items of which the rest is not true.
package indirect enum Filter: Sendable, Equatable {
    /// True of everything where there are none.
    case all([Filter])
    /// True of nothing where there are none.
    case any([Filter])
    case not(Filter)
    case condition(FilterField, FilterTest)

    /// Levels of `and`, `or`, `not`.
    package static let depthMax = 16
    package static let conditionCountMax = 100
    package static let listCountMax = 200
    package static let textSizeBytesMax = 4_096
    package static let regexSizeBytesMax = 512

    /// True of everything.
    package static let everything = Filter.all([])
}

/// What the items are that a filter is about.
package enum FilterSubject: Sendable, Equatable {
    case spans, logs
    /// Of metric points; a point has of its own only time and value.
    case series
}

/// What a condition looks at.
package enum FilterField: Sendable, Equatable {
    case intrinsic(IntrinsicField)
    case attribute(AttributeScope, key: String)
}

/// Whose attribute it is.
package enum AttributeScope: String, CaseIterable, Sendable {
    case resource, scope, span, event, link, log, datapoint

    /// Whether items of `subject` have it.
    func exists(for subject: FilterSubject) -> Bool {
        switch self {
        case .resource, .scope: true
        case .span, .event, .link: subject == .spans
        case .log: subject == .logs
        case .datapoint: subject == .series
        }
    }

    /// That of the items themselves.
    static func own(of subject: FilterSubject) -> AttributeScope {
        switch subject {
        case .spans: .span
        case .logs: .log
        case .series: .datapoint
        }
    }
}

/// What has to be true of it. Values are compared with values of their type only; whole numbers and
/// doubles are numbers, which are compared with each other.
package enum FilterTest: Sendable, Equatable {
    case oneOf([FilterValue])
    /// It is there, and none of these.
    case noneOf([FilterValue])
    case order(FilterOrder, FilterValue)
    case contains(String)
    /// A regular expression of PostgreSQL's.
    case matches(String)
    case exists

    package static func equals(_ value: FilterValue) -> FilterTest { .oneOf([value]) }
}

/// Of strings by their bytes in UTF-8.
package enum FilterOrder: String, Sendable {
    case gt, gte, lt, lte

    var sql: String {
        switch self {
        case .gt: ">"
        case .gte: ">="
        case .lt: "<"
        case .lte: "<="
        }
    }
}

package enum FilterValue: Sendable, Equatable {
    case string(String)
    case int(Int64)
    /// Finite.
    case double(Double)
    case bool(Bool)
}
