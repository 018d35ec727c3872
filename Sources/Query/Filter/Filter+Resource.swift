// SPDX-License-Identifier: Apache-2.0

extension Filter {
    /// The parts that all have to be true.
    var conjuncts: [Filter] {
        guard case .all(let filters) = self else { return [self] }
        return filters.flatMap(\.conjuncts)
    }

    /// Whether it is about nothing but the resource of an item.
    var isOfResource: Bool {
        switch self {
        case .all(let filters), .any(let filters): filters.allSatisfy(\.isOfResource)
        case .not(let filter): filter.isOfResource
        case .condition(.attribute(let scope, _), _): scope == .resource
        case .condition(.intrinsic(let field), _): field.isOfResource
        }
    }

    /// Whether it is true of items of a few traces only, which are found by their ids.
    package var isOfTraces: Bool {
        conjuncts.contains { filter in
            if case .condition(.intrinsic(.traceID), .oneOf) = filter { true } else { false }
        }
    }
}
