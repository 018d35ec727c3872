// SPDX-License-Identifier: Apache-2.0

/// What a search asks of a span, as a filter.
extension JaegerSearch {
    /// Without the service and the time, which are asked of the resource and of the index.
    var filter: Filter {
        var filters: [Filter] = []
        if let operation {
            filters.append(.condition(.intrinsic(.name), .equals(.string(operation))))
        }
        if let durationNsMin {
            filters.append(.condition(.intrinsic(.duration), .order(.gte, .int(durationNsMin))))
        }
        if let durationNsMax {
            filters.append(.condition(.intrinsic(.duration), .order(.lte, .int(durationNsMax))))
        }
        return .all(filters + tags.map(\.filter))
    }
}

extension JaegerSearch.Tag {
    /// Jaeger knows values by their texts: `500` is the integer, the double and the string.
    fileprivate var filter: Filter {
        var values: [FilterValue] = [.string(value)]
        if let number = Int64(value) {
            values.append(.int(number))
        } else if let number = Double(value), number.isFinite {
            values.append(.double(number))
        }
        if let truth = Bool(value) { values.append(.bool(truth)) }
        let scopes: [AttributeScope] = [.span, .event, .resource]
        let attributes = scopes.map {
            Filter.condition(.attribute($0, key: key), .oneOf(values))
        }
        return .any(attributes + fields)
    }

    /// Tags that traces are shown with for fields of OTLP.
    private var fields: [Filter] {
        switch key {
        case "error": value == "true" ? [status(2)] : []
        case "otel.status_code":
            switch value.uppercased() {
            case "UNSET": [status(0)]
            case "OK": [status(1)]
            case "ERROR": [status(2)]
            default: []
            }
        case "span.kind":
            JaegerSpanKind(text: value).map { kind in
                [.condition(.intrinsic(.kind), .equals(.int(kind.rawValue)))]
            } ?? []
        case "event": [text(.eventName)]
        case "otel.status_description": [text(.statusMessage)]
        case "w3c.tracestate": [text(.traceState)]
        case "otel.scope.name", "otel.library.name": [text(.scopeName)]
        case "otel.scope.version", "otel.library.version": [text(.scopeVersion)]
        default: []
        }
    }

    private func status(_ code: Int64) -> Filter {
        .condition(.intrinsic(.status), .equals(.int(code)))
    }

    private func text(_ field: IntrinsicField) -> Filter {
        .condition(.intrinsic(field), .equals(.string(value)))
    }
}
