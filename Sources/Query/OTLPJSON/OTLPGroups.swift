// SPDX-License-Identifier: Apache-2.0

/// Rows of items by resource and scope, both in the order in which the rows have them.
struct OTLPGroups {
    private struct Scope {
        let id: Int64?
        var rows: [Int]
    }

    private var resources: [(id: Int64, scopes: [Scope])] = []
    private var places: [Int64: Int] = [:]

    mutating func add(_ row: Int, resourceID: Int64, scopeID: Int64?) {
        let place = places[resourceID] ?? resources.count
        if place == resources.count {
            places[resourceID] = place
            resources.append((resourceID, []))
        }
        if let index = resources[place].scopes.firstIndex(where: { $0.id == scopeID }) {
            resources[place].scopes[index].rows.append(row)
        } else {
            resources[place].scopes.append(Scope(id: scopeID, rows: [row]))
        }
    }

    /// Writes the elements of `resourceSpans` or its like: `scopes` names the list in each, `items`
    /// the list in each of those, and `write` writes the items of the rows of one.
    func write(
        _ origins: Origins, scopes scopeList: String, items: String, to writer: inout JSONWriter,
        _ write: ([Int], inout JSONWriter) -> Void
    ) {
        for (resourceID, scopes) in resources {
            let resource = origins.resources[resourceID]
            writer.object { writer in
                writer.key("resource")
                writer.object { writer in
                    writer.key("attributes")
                    writer.otlp(resource?.attributes ?? [])
                    writer.count("droppedAttributesCount", resource?.droppedAttributeCount ?? 0)
                    writer.entities(resource?.entities ?? [])
                }
                writer.key(scopeList)
                writer.list { writer in
                    for group in scopes {
                        writer.object { writer in
                            writer.scope(group.id.flatMap { origins.scopes[$0] })
                            writer.key(items)
                            writer.list { write(group.rows, &$0) }
                        }
                    }
                }
                writer.textUnlessEmpty("schemaUrl", resource?.schemaURL ?? "")
            }
        }
    }
}

extension JSONWriter {
    fileprivate mutating func entities(_ entities: [Origins.Entity]) {
        guard !entities.isEmpty else { return }
        key("entityRefs")
        list { writer in
            for entity in entities {
                writer.object { writer in
                    writer.textUnlessEmpty("schemaUrl", entity.schemaURL)
                    writer.textUnlessEmpty("type", entity.type)
                    writer.member("idKeys", entity.idKeys)
                    writer.member("descriptionKeys", entity.descriptionKeys)
                }
            }
        }
    }

    /// The members `scope` and `schemaUrl`.
    fileprivate mutating func scope(_ scope: Origins.Scope?) {
        key("scope")
        object { writer in
            guard let scope else { return }
            writer.textUnlessEmpty("name", scope.name)
            writer.textUnlessEmpty("version", scope.version ?? "")
            if !scope.attributes.isEmpty {
                writer.key("attributes")
                writer.otlp(scope.attributes)
            }
            writer.count("droppedAttributesCount", scope.droppedAttributeCount)
        }
        if let scope { textUnlessEmpty("schemaUrl", scope.schemaURL) }
    }
}
