// SPDX-License-Identifier: Apache-2.0
internal import CLibPQ

/// One host to try, as libpq keywords and values.
struct ConnectionTarget: Equatable {
    var options: [Option]
    /// Milliseconds that the attempt may take.
    var timeoutMs: Int

    struct Option: Equatable {
        let keyword: String
        var value: String
    }

    subscript(keyword: String) -> String? {
        get { options.first { $0.keyword == keyword }?.value }
        set {
            options.removeAll { $0.keyword == keyword }
            if let newValue { options.append(Option(keyword: keyword, value: newValue)) }
        }
    }

    mutating func setDefault(_ keyword: String, _ value: String) {
        if self[keyword] == nil { self[keyword] = value }
    }
}

extension ConnectionTarget {
    /// What `settings.url` asks for, host by host.
    ///
    /// libpq could walk a list of hosts by itself, but its non-blocking interface has no timeout
    /// per host: one that swallows packets would be waited for until the whole attempt is over, and
    /// the next never tried. A list that comes from PGHOST or a service file is left to libpq.
    static func targets(_ settings: DatabaseSettings) throws(DatabaseError) -> [ConnectionTarget] {
        var base = ConnectionTarget(
            options: try parse(settings.url), timeoutMs: settings.connectTimeoutMs)
        if let text = base["connect_timeout"], let seconds = Int(text), (1...600).contains(seconds)
        {
            base.timeoutMs = seconds * 1_000
        }
        base["client_encoding"] = "UTF8"
        base.setDefault("fallback_application_name", settings.applicationName)
        base.setDefault("gssencmode", "disable")  // spares a Kerberos attempt per connection
        // A host that vanishes is noticed within 20 s with data under way, within a minute without.
        base.setDefault("tcp_user_timeout", "20000")
        base.setDefault("keepalives_idle", "30")
        base.setDefault("keepalives_interval", "10")
        base.setDefault("keepalives_count", "3")
        let perHost = try base.splitHosts()
        guard base["target_session_attrs"] == "prefer-standby" else { return perHost }
        // As libpq: all hosts as standby first, then all as they are.
        return ["standby", "any"].flatMap { wanted in
            perHost.map { target in
                var copy = target
                copy["target_session_attrs"] = wanted
                return copy
            }
        }
    }

    /// Host, address and port lists, element by element; one port may serve for all.
    private func splitHosts() throws(DatabaseError) -> [ConnectionTarget] {
        let hosts = list("host")
        let addresses = list("hostaddr")
        let ports = list("port")
        let count = max(hosts.count, addresses.count)
        guard count > 1 else { return [self] }
        let areListsEqual =
            (hosts.isEmpty || hosts.count == count)
            && (addresses.isEmpty || addresses.count == count)
            && (ports.count <= 1 || ports.count == count)
        guard areListsEqual else {
            let counts = "\(hosts.count) hosts, \(addresses.count) addresses, \(ports.count) ports"
            throw DatabaseError(.badSettings, .fatal, message: "database.url lists \(counts)")
        }
        return (0..<count).map { index in
            var target = self
            target["host"] = hosts.isEmpty ? nil : hosts[index]
            target["hostaddr"] = addresses.isEmpty ? nil : addresses[index]
            target["port"] = ports.isEmpty ? nil : ports[ports.count == 1 ? 0 : index]
            return target
        }
    }

    private func list(_ keyword: String) -> [String] {
        guard let value = self[keyword], !value.isEmpty else { return [] }
        return value.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }

    /// The keywords that `conninfo`, a URI or a keyword string, sets.
    private static func parse(_ conninfo: String) throws(DatabaseError) -> [Option] {
        var problem: UnsafeMutablePointer<CChar>?
        let parsed = unsafe PQconninfoParse(conninfo, &problem)
        defer { unsafe PQfreemem(problem) }
        guard let parsed = unsafe parsed else {
            let said = unsafe problem.map { unsafe String(cString: $0) } ?? "out of memory"
            let text = withoutQuotedParts(said)
            throw DatabaseError(
                .badSettings, .fatal, message: "database.url: " + ServerReport.cut(text[...]))
        }
        defer { unsafe PQconninfoFree(parsed) }
        var options: [Option] = []
        var option = unsafe parsed
        while let keyword = unsafe option.pointee.keyword {
            if let value = unsafe option.pointee.val {
                unsafe options.append(
                    Option(keyword: String(cString: keyword), value: String(cString: value)))
            }
            unsafe option += 1
        }
        return options
    }

    /// libpq repeats the part of the text that it does not understand, which may be of a password.
    private static func withoutQuotedParts(_ text: String) -> String {
        let parts = text.split(separator: "\"", omittingEmptySubsequences: false)
        return parts.enumerated().map { $0.offset % 2 == 0 ? String($0.element) : "..." }
            .joined(separator: "\"")
    }
}
