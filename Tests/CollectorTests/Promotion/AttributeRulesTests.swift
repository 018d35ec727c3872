// SPDX-License-Identifier: Apache-2.0
import Copy
import Postgres
import Rows
import Testing

@testable import Collector

// Goal: what is promoted and dropped is what the two lists say together, and every mistake is named
// with its place. Method: small files, and the shipped one.

private func file(_ yaml: String) -> AttributeRulesFile {
    AttributeRulesFile(overridesYAML: yaml, path: "/attributes.yaml")
}

private func problems(_ yaml: String) -> [String] { file(yaml).problems.map(\.description) }

@Suite struct BaseRulesTests {
    private let rules = AttributeRules.base

    // The names with which the project began: they stay, whatever conventions do.
    @Test(
        arguments: [
            (.spans, .string, "http.method http.route http.url http.target http.host http.scheme"),
            (.spans, .string, "db.system db.name db.operation db.statement messaging.system"),
            (.spans, .string, "messaging.destination rpc.system rpc.service rpc.method error.type"),
            (.spans, .string, "exception.type gen_ai.system gen_ai.request.model llm.system"),
            (.spans, .string, "gen_ai.response.model llm.request.type"),
            (.spans, .int, "http.status_code rpc.grpc.status_code gen_ai.usage.input_tokens"),
            (.spans, .int, "gen_ai.usage.output_tokens gen_ai.usage.total_tokens"),
            (.spans, .double, "http.request.size http.response.size gen_ai.usage.cost"),
            (.logs, .string, "log.level log.logger log.file.name log.file.path error.type"),
            (.logs, .string, "exception.type exception.message"),
            (.logs, .int, "log.line error.code http.status_code"),
            (.resource, .string, "service.name service.namespace service.instance.id host.name"),
            (.resource, .string, "deployment.environment cloud.provider cloud.region host.type"),
            (.resource, .string, "cloud.availability_zone k8s.cluster.name k8s.namespace.name"),
            (.resource, .string, "k8s.pod.name k8s.deployment.name container.name container.id"),
            (.resource, .int, "service.port"),
            (.scope, .string, "otel.library.name otel.library.version"),
            (.metrics, .string, "endpoint method status_code operation job instance"),
        ] as [(AttributeScope, AttributeType, String)])
    func oldNamesStay(scope: AttributeScope, type: AttributeType, keys: String) {
        for key in keys.split(separator: " ") {
            let promotion = AttributeRules.Promotion(key: String(key), type: type)
            #expect(rules.promotions[scope]?.contains(promotion) == true, "\(key)")
        }
    }

    // Those of the conventions now, area by area: HTTP and URL, client and server, network,
    // databases, RPC, messaging, errors and code, generative AI; what a resource says.
    @Test(
        arguments: [
            (
                .spans, .string,
                "http.request.method http.route url.full url.path url.query url.scheme"
            ),
            (.spans, .string, "http.request.method_original url.template user_agent.original"),
            (.spans, .int, "http.response.status_code http.request.resend_count http.request.size"),
            (.spans, .int, "http.response.size http.request.body.size http.response.body.size"),
            (.spans, .string, "server.address client.address service.peer.name"),
            (.spans, .int, "server.port client.port network.peer.port"),
            (.spans, .string, "network.peer.address network.local.address network.transport"),
            (.spans, .string, "network.type network.protocol.name network.protocol.version"),
            (.spans, .string, "db.system.name db.namespace db.collection.name db.operation.name"),
            (.spans, .string, "db.query.text db.query.summary db.response.status_code"),
            (.spans, .string, "db.stored_procedure.name"),
            (.spans, .int, "db.operation.batch.size db.response.returned_rows"),
            (.spans, .string, "rpc.system.name rpc.method rpc.method_original"),
            (.spans, .string, "rpc.response.status_code"),
            (.spans, .string, "messaging.operation.name messaging.operation.type"),
            (.spans, .string, "messaging.destination.name messaging.destination.template"),
            (.spans, .string, "messaging.destination.partition.id messaging.message.id"),
            (.spans, .string, "messaging.consumer.group.name messaging.client.id"),
            (.spans, .string, "messaging.message.conversation_id"),
            (.spans, .int, "messaging.batch.message_count messaging.message.body.size"),
            (.spans, .int, "messaging.kafka.offset"),
            (.spans, .string, "error.type exception.type exception.message"),
            (.logs, .string, "error.type exception.type exception.message exception.stacktrace"),
            (.spans, .string, "code.function.name code.file.path"),
            (.logs, .string, "code.function.name code.file.path log.record.uid log.iostream"),
            (.spans, .int, "code.line.number thread.id"), (.logs, .int, "code.line.number"),
            (.spans, .string, "gen_ai.provider.name gen_ai.operation.name gen_ai.agent.name"),
            (.spans, .string, "gen_ai.conversation.id gen_ai.response.id gen_ai.tool.name"),
            (.spans, .string, "gen_ai.output.type"), (.spans, .int, "gen_ai.request.max_tokens"),
            (.spans, .double, "gen_ai.request.temperature gen_ai.request.top_p"),
            (.resource, .string, "service.version deployment.environment.name telemetry.sdk.name"),
            (.resource, .string, "telemetry.sdk.language telemetry.sdk.version cloud.platform"),
            (.resource, .string, "cloud.account.id cloud.resource_id k8s.pod.uid k8s.node.name"),
            (.resource, .string, "k8s.container.name k8s.replicaset.name k8s.statefulset.name"),
            (
                .resource, .string,
                "k8s.daemonset.name k8s.job.name k8s.cronjob.name host.id os.type"
            ),
            (.resource, .string, "process.executable.name process.command process.runtime.name"),
            (.resource, .string, "process.runtime.version process.owner container.image.name"),
            (.resource, .int, "process.pid process.parent_pid"),
        ] as [(AttributeScope, AttributeType, String)])
    func currentNamesAreThere(scope: AttributeScope, type: AttributeType, keys: String) {
        for key in keys.split(separator: " ") {
            let promotion = AttributeRules.Promotion(key: String(key), type: type)
            #expect(rules.promotions[scope]?.contains(promotion) == true, "\(key)")
        }
    }

    @Test func itDropsNothingAndLeavesRoom() {
        #expect(rules.drops.isEmpty)
        for signal in PromotedSignal.allCases {
            let count = rules.wantedColumns.count { $0.signal == signal }
            #expect(count > 20 && count < AttributePlan.columnCountMax / 2)
        }
    }

    @Test func itIsTheFileOfTheRepository() throws {
        let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4)
        let path = parts.joined(separator: "/") + "/config/attribute-promotion.yaml"
        #expect(try TextFile.read(path, sizeBytesMax: 1 << 20) == baseAttributeRulesYAML + "")
    }
}

@Suite struct OverridesTests {
    private static let yaml = """
        promote:
          spans:
            string: [app.tenant, http.route]
            int:
              - app.retry_count
          logs: {bytes: [app.digest]}
          resource:
            string: [team]
        drop:
          spans: [http.url, app.retry_count]
          resource: [internal.build_hash]
          metrics:
        """

    @Test(arguments: [(0, 1), (1, 0)])
    func listsAreBounded(extraCount: Int, isTaken: Int) {
        let names = (0..<AttributeRulesFile.listCountMax + extraCount).map { "a\($0)" }
        let file = AttributeRulesFile(
            overridesYAML: "drop:\n  spans: [\(names.joined(separator: ", "))]", path: "/x")
        #expect(file.problems.count == 1 - isTaken)
        #expect(file.rules.drops.count == isTaken)
    }

    @Test func bothListsCountAndDropsWin() {
        let file = file(OverridesTests.yaml)
        #expect(file.problems == [])
        let merged = AttributeRules.base.merging(file.rules)
        func has(_ scope: AttributeScope, _ type: AttributeType, _ key: String) -> Bool {
            merged.effectivePromotions(in: scope).contains(.init(key: key, type: type))
        }
        #expect(has(.spans, .string, "app.tenant"))
        #expect(has(.spans, .string, "http.route"))
        #expect(!has(.spans, .int, "app.retry_count"))
        #expect(!has(.spans, .string, "http.url"))
        #expect(has(.logs, .bytes, "app.digest"))
        #expect(has(.resource, .string, "team") && has(.resource, .string, "service.name"))
        let base = Set(
            AttributeRules.base.wantedColumns.map { "\($0.signal) \($0.key) \($0.type)" })
        let wanted = Set(merged.wantedColumns.map { "\($0.signal) \($0.key) \($0.type)" })
        #expect(wanted.subtracting(base) == ["spans app.tenant string", "logs app.digest bytes"])
        #expect(base.subtracting(wanted) == ["spans http.url string"])
        #expect(merged.merging(file.rules) == merged)
    }

    @Test(arguments: ["", "\n", "# nothing\n", "promote:\n", "promote:\n  spans:\ndrop: {}\n"])
    func nothingIsNoChange(yaml: String) {
        let file = file(yaml)
        #expect(file.problems == [])
        #expect(AttributeRules.base.merging(file.rules) == .base)
    }

    @Test(
        arguments: [
            (
                "- a",
                "/attributes.yaml:1: the file is not a list of sections. Write promote: first."
            ),
            (
                "promte: {}",
                "/attributes.yaml:1: promte: there is no such key here. Perhaps promote is meant; "
                    + "there are promote, drop."
            ),
            (
                "spans: {string: [a]}",
                "/attributes.yaml:1: spans: there is no such key here. Write one of promote, drop."
            ),
            (
                "promote:\n  span: {}",
                "/attributes.yaml:2: promote.span: there is no such key here. Perhaps spans is "
                    + "meant; there are resource, scope, logs, spans, metrics."
            ),
            (
                "promote:\n  spans:\n    text: [a]",
                "/attributes.yaml:3: promote.spans.text: there is no such key here. Write one of "
                    + "string, int, double, bool, bytes."
            ),
            (
                "promote:\n  spans: [a]",
                "/attributes.yaml:2: promote.spans: this is not a list of types. Write a type such "
                    + "as string: below it, and below that a list of names."
            ),
            (
                "promote:\n  spans:\n    string: a",
                "/attributes.yaml:3: promote.spans.string: this is not a list. Write each name on "
                    + "a line of its own after a dash."
            ),
            (
                "drop:\n  logs:\n    - a\n    - [b]",
                "/attributes.yaml:4: drop.logs: an entry of the list is not a name. Write one name "
                    + "after each dash."
            ),
            (
                "drop:\n  logs:\n    - a\n    - a",
                "/attributes.yaml:4: drop.logs = \"a\": this name is written twice. Remove one of "
                    + "the two."
            ),
            (
                "drop: [a]",
                "/attributes.yaml:1: drop: this is not a list of scopes. Write a scope such as "
                    + "spans: below it, and below that a list of names."
            ),
            (
                "promote: {\n",
                "/attributes.yaml:2: the file is not valid YAML: did not find expected node "
                    + "content. Check indentation, colons and quotes there."
            ),
        ])
    func mistakesAreNamedWithTheirPlace(yaml: String, problem: String) {
        #expect(problems(yaml) == [problem])
    }

    @Test func everyMistakeIsSaidAtOnce() {
        #expect(
            problems("promote:\n  spans:\n    string: [a, a]\n  x: {}\ndrop:\n  y: []").count == 3)
    }

    @Test(arguments: [(512, 0), (513, 1)])
    func longNamesAreRefused(sizeBytes: Int, problemCount: Int) {
        let name = String(repeating: "n", count: sizeBytes)
        #expect(problems("drop: {spans: [\(name)]}").count == problemCount)
    }

    @Test func thereIsABoundOnColumns() {
        let baseCount = AttributeRules.base.effectivePromotions(in: .logs).count
        func yaml(_ count: Int) -> String {
            "promote: {logs: {int: [\((0..<count).map { "k\($0)" }.joined(separator: ", "))]}}"
        }
        #expect(problems(yaml(AttributePlan.columnCountMax - baseCount)) == [])
        let found = problems(yaml(AttributePlan.columnCountMax - baseCount + 1))
        #expect(
            found == [
                "/attributes.yaml: promote.logs: with those of the program, 501 attributes are "
                    + "promoted, more than 500. Promote those that are often searched for."
            ])
    }
}

@Suite struct RulesInConfigurationTests {
    private func load(
        _ path: String, _ text: String?
    ) throws(ConfigurationError) -> LoadedConfiguration {
        let sources = ConfigurationSources(overrides: ["attributes.overrides_file=\(path)"])
        return try sources.load { (asked) throws(TextFile.Fault) in
            guard asked == path, let text else {
                throw TextFile.Fault(description: "No such file or directory")
            }
            return text
        }
    }

    @Test func aFileThatIsNotThereIsAnError() {
        let error = #expect(throws: ConfigurationError.self) { try load("/none.yaml", nil) }
        #expect(
            error?.description == "--set: attributes.overrides_file = \"/none.yaml\": the file "
                + "cannot be read: No such file or directory. Check the path and its permissions, "
                + "or set it to \"\" for none.")
    }

    @Test func itsMistakesAreThoseOfTheConfiguration() {
        let error = #expect(throws: ConfigurationError.self) { try load("/a.yaml", "drop: 5") }
        #expect(error?.problems.map(\.place) == ["/a.yaml:1"])
    }

    @Test func aReloadTakesNewContentOver() throws {
        let old = try load("/a.yaml", "").configuration
        let new = try load("/a.yaml", "drop: {spans: [secret]}").configuration
        let (adopted, changes) = try old.adopting(new)
        #expect(adopted == new)
        #expect(changes.map(\.key) == ["the content of attributes.overrides_file"])
        #expect(changes.allSatisfy { $0.isAdopted })
        #expect(try new.adopting(new).changes.isEmpty)
        let other = try load("/b.yaml", "").configuration
        #expect(
            try new.adopting(other).changes.map(\.key) == [
                "attributes.overrides_file", "the content of attributes.overrides_file",
            ])
    }

    @Test func theSetIsWhatTheDatabaseHasOfWhatIsWanted() throws {
        let rules = AttributeRules.base.merging(
            file("promote: {logs: {int: [wanted, other]}}\ndrop: {logs: [log.level]}").rules)
        func entry(
            _ signal: PromotedSignal, _ key: String, _ type: AttributeType, isUsable: Bool = true
        ) -> RegisteredColumn {
            RegisteredColumn(
                signal: signal, column: PromotedColumn(key: key, type: type, name: key), since: "",
                isUsable: isUsable)
        }
        let set = PromotionSet(
            rules,
            registered: [
                entry(.logs, "wanted", .int), entry(.logs, "wanted", .string),
                entry(.logs, "other", .int, isUsable: false), entry(.spans, "wanted", .int),
                entry(.logs, "log.level", .string), entry(.spans, "http.route", .string),
            ])
        #expect(set.logs.columns.map { "\($0.key) \($0.type)" } == ["wanted int"])
        #expect(set.spans.columns.map(\.key) == ["http.route"])
        #expect(set.drops.resource == nil)
    }
}
