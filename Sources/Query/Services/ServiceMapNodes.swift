// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// Services, and what answers for none, in the order in which edges name them.
struct ServiceMapNodes {
    private struct Node {
        let id: String
        let type: String
        let namespace: String
        let name: String
        /// Of the edges that lead to it.
        var callCount: Int64 = 0
        var errorCount: Int64 = 0
    }

    private var nodes: [Node] = []
    private var places: [String: Int] = [:]

    func id(of place: Int) -> String { nodes[place].id }

    /// Of the service from which an edge comes.
    mutating func place(ofCaller namespace: String, _ name: String) -> Int {
        place("service", namespace, name)
    }

    /// Of whom an edge leads to; its calls are counted there. What is no peer is a service.
    mutating func place(
        ofCalleeOf kind: String, _ namespace: String, _ name: String, _ total: EdgeTotals.Total
    ) -> Int {
        let isPeer = ["database", "broker", "external"].contains(kind)
        let place = place(isPeer ? kind : "service", namespace, name)
        nodes[place].callCount += total.callCount
        nodes[place].errorCount += total.errorCount
        return place
    }

    private mutating func place(_ type: String, _ namespace: String, _ name: String) -> Int {
        let id = "\(type):\(namespace)/\(name)"
        if let place = places[id] { return place }
        places[id] = nodes.count
        nodes.append(Node(id: id, type: type, namespace: namespace, name: name))
        return nodes.count - 1
    }

    /// As elements of a list.
    func write(to writer: inout JSONWriter) {
        for node in nodes {
            writer.object { writer in
                writer.member("id", node.id)
                writer.member("type", node.type)
                writer.member("namespace", node.namespace)
                writer.member("name", node.name)
                writer.member("calls", node.callCount)
                writer.member("errors", node.errorCount)
            }
        }
    }
}
