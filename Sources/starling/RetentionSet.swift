// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Base
internal import Collector

extension Retention {
    /// `starling retention set`.
    struct Set: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change the policy of a signal, or of one tenant in it.",
            discussion: """
                What is not given stays as it was; none takes a limit away. While a signal takes \
                more bytes than allowed, indexes included, its oldest partition is dropped, but \
                never the present one. Data older than --days is rejected on arrival.

                --tenant is for rows whose resource has that value in the attribute \
                retention.tenant_attribute; they are deleted in small batches when they are older \
                than --days, and no later than those of everybody.

                Prints the new policy, and what expires by it at once: try --dry-run first.

                Examples:
                  starling retention set traces --days 14 --bytes 50GiB
                  starling retention set logs --bytes none --dry-run
                  starling retention set logs --days 3 --tenant acme
                  starling retention set logs --days none --tenant acme
                """)

        @OptionGroup var options: ConfigurationOptions

        @Argument(help: "Whose policy.")
        var signal: SignalName

        @Option(help: ArgumentHelp("1 to 36500, or none.", valueName: "n"))
        var days: String?

        @Option(help: ArgumentHelp("For example 50GiB, or none.", valueName: "size"))
        var bytes: String?

        @Option(help: ArgumentHelp("Only the rows of one tenant.", valueName: "name"))
        var tenant: String?

        @Flag(help: "Only print what would change.")
        var dryRun = false

        @Flag(help: "Print one JSON object.")
        var json = false

        private static let daysMax = 36_500

        func validate() throws {
            _ = try parsedDays()
            _ = try parsedBytes()
            guard let tenant else {
                guard days != nil || bytes != nil else {
                    throw ValidationError("give --days, --bytes or both")
                }
                return
            }
            guard (1...200).contains(tenant.utf8.count) else {
                throw ValidationError("--tenant takes a name of 1 to 200 bytes")
            }
            guard bytes == nil, days != nil else {
                throw ValidationError(
                    "a tenant's rows are among those of others: --tenant goes with --days alone")
            }
        }

        func run() throws {
            let loaded = try options.sources(isDatabaseRequired: true).load()
            let maintenance = DatabaseMaintenance(loaded.configuration)
            let policies = try maintenance.policies().filter { $0.signal == signal.signal }
            let whole =
                policies.first { $0.tenant.isEmpty }
                ?? .init(signal: signal.signal, tenant: "")
            let policy = try changed(whole)
            if tenant != nil, let own = policy.days, let all = whole.days, own >= all {
                StandardError.write(
                    "note: \(signal.rawValue) of everybody go after \(all) days, so this has no "
                        + "effect\n")
            }
            let expired = try maintenance.set(policy, isDryRun: dryRun)
            print(policy, expired)
        }

        /// The rule to store.
        private func changed(
            _ whole: DatabaseMaintenance.Policy
        ) throws -> DatabaseMaintenance.Policy {
            if let tenant {
                return .init(signal: signal.signal, tenant: tenant, days: try parsedDays())
            }
            var policy = whole
            if days != nil { policy.days = try parsedDays() }
            if bytes != nil { policy.sizeBytesMax = try parsedBytes() }
            return policy
        }

        private func parsedDays() throws -> Int? {
            guard let days, days != "none" else { return nil }
            guard let number = Int(days), (1...Self.daysMax).contains(number) else {
                throw ValidationError("--days is \(days); write 1 to \(Self.daysMax), or none")
            }
            return number
        }

        private func parsedBytes() throws -> Int64? {
            guard let bytes, bytes != "none" else { return nil }
            do {
                let number = try Quantity.bytes(bytes)
                if number > 0 { return Int64(number) }
            } catch {
                throw ValidationError("--bytes is \(bytes): \(error.problem); \(error.remedy)")
            }
            throw ValidationError("--bytes is \(bytes); write more than 0, or none")
        }

        private func print(
            _ policy: DatabaseMaintenance.Policy, _ expired: [DatabaseMaintenance.Drop]
        ) {
            let expiredBytes = expired.reduce(0) { $0 + $1.partition.sizeBytes }
            guard !json else {
                let names = expired.map { JSONText.text($0.partition.name) }
                return Swift.print(
                    JSONText.object([
                        ("signal", .text(signal.rawValue)), ("tenant", .text(policy.tenant)),
                        ("days", .number(policy.days)), ("bytes", .number(policy.sizeBytesMax)),
                        ("dry_run", .truth(dryRun)), ("expired_bytes", .number(expiredBytes)),
                        ("expired", .list(names)),
                    ]))
            }
            Swift.print(summary(policy))
            for drop in expired {
                let size = SizeText.text(bytes: drop.partition.sizeBytes)
                Swift.print("\(drop.partition.name) \(size), \(drop.reason)")
            }
            guard policy.tenant.isEmpty else {
                return StandardError.write("a running daemon deletes what is older bit by bit\n")
            }
            let verb = dryRun ? "would expire" : "expire"
            StandardError.write(
                "\(expired.count) partitions \(verb) at once, "
                    + "\(SizeText.text(bytes: expiredBytes)); a running daemon drops them within "
                    + "a minute\n")
        }

        private func summary(_ policy: DatabaseMaintenance.Policy) -> String {
            let days = policy.days.map { $0 == 1 ? "1 day" : "\($0) days" }
            if !policy.tenant.isEmpty {
                return "\(signal.rawValue) of tenant \(policy.tenant): "
                    + (days ?? "as those of everybody")
            }
            return "\(signal.rawValue): \(days ?? "any age"), "
                + (policy.sizeBytesMax == nil ? "any size" : "at most \(policy.sizeText)")
        }
    }
}
