// SPDX-License-Identifier: Apache-2.0

extension Filter {
    /// The regular expressions in it, in their order.
    var regexes: [String] {
        switch self {
        case .all(let filters), .any(let filters): filters.flatMap(\.regexes)
        case .not(let filter): filter.regexes
        case .condition(_, .matches(let regex)): [regex]
        case .condition: []
        }
    }
}

extension ReadSession {
    /// What makes SQL of `filter`, whose regular expressions PostgreSQL has read by then.
    ///
    /// It reads those of a statement when it needs them: where no row is there to be looked at, a
    /// bad one would pass for one that finds nothing. Errors: `invalidFilter`. Cost: a round trip
    /// for each.
    mutating func compiler(
        of filter: Filter, _ subject: FilterSubject
    ) throws(QueryFailure) -> FilterCompiler {
        for regex in filter.regexes { try check(regex) }
        return FilterCompiler(subject, try fieldCatalogue())
    }

    private mutating func check(_ regex: String) throws(QueryFailure) {
        var statement = SQLStatement()
        statement.text = "SELECT '' ~ \(statement.bind(regex))"
        do throws(QueryFailure) {
            try query(statement)
        } catch {
            guard error.kind == .invalidFilter else { throw error }
            throw QueryFailure(
                .invalidFilter,
                "PostgreSQL does not take \"\(regex)\" for a regular expression: \(error.detail)")
        }
    }
}
