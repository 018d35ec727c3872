// SPDX-License-Identifier: Apache-2.0
internal import CLinux
package import Socket

/// The listening sockets that systemd opened for this daemon: sd_listen_fds(3), without libsystemd.
///
/// They are there before the daemon and stay when it ends, so that a restart refuses nobody, and a
/// port below 1024 needs no privilege. Each is used once, by name; the descriptors belong to who
/// takes them.
package struct ActivatedSockets: Sendable, Equatable {
    /// By what a socket is for: `FileDescriptorName=` of its unit.
    private var descriptors: [ListenerName: Int32] = [:]

    /// The variables that `init` looks at.
    package static let variableNames = ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"]
    /// Those that can be handed over. Others are not taken, because nobody would serve them, and
    /// who can reach the daemon would be judged by them.
    private static let names: [ListenerName] = [.grpc, .http]
    /// SD_LISTEN_FDS_START.
    private static let firstDescriptor: Int32 = 3
    private static let countMax: Int32 = 16

    package init() {}

    /// What `environment` says to the process `processID`; nothing where it is said to another.
    package init(environment: [String: String], processID: Int32) throws(DaemonError) {
        guard let pid = environment["LISTEN_PID"], Int32(pid) == processID,
            let text = environment["LISTEN_FDS"]
        else { return }
        guard let count = Int32(text), (0...ActivatedSockets.countMax).contains(count) else {
            throw ActivatedSockets.fault(
                "LISTEN_FDS is \(text)", "no more than \(ActivatedSockets.names.count) sockets")
        }
        let names = (environment["LISTEN_FDNAMES"] ?? "").split(
            separator: ":", omittingEmptySubsequences: false)
        for index in 0..<count {
            let written = Int(index) < names.count ? String(names[Int(index)]) : ""
            try add(written, ActivatedSockets.firstDescriptor + index)
        }
    }

    private mutating func add(_ written: String, _ descriptor: Int32) throws(DaemonError) {
        let known = ActivatedSockets.names.map(\.rawValue).joined(separator: " or ")
        guard let name = ListenerName(rawValue: written), ActivatedSockets.names.contains(name)
        else {
            let others = ListenerName.allCases.filter { !ActivatedSockets.names.contains($0) }
            throw ActivatedSockets.fault(
                "systemd hands over a socket named \"\(written)\"",
                "FileDescriptorName= of its unit to \(known); the daemon itself opens those of "
                    + others.map { "listen.\($0.rawValue)" }.joined(separator: " and "))
        }
        guard descriptors[name] == nil else {
            throw ActivatedSockets.fault(
                "systemd hands over two sockets named \"\(written)\"",
                "one ListenStream= in each socket unit")
        }
        descriptors[name] = descriptor
    }

    private static func fault(_ problem: String, _ remedy: String) -> DaemonError {
        DaemonError(.cannotListen, "\(problem); set \(remedy)")
    }

    /// Those of this process, closed on exec. Removes the variables, so that children do not take
    /// them for theirs.
    ///
    /// Thread: call while there is one thread.
    package static func ofThisProcess() throws(DaemonError) -> ActivatedSockets {
        let environment = ProcessEnvironment.all()
        ProcessEnvironment.remove(variableNames)
        let sockets = try ActivatedSockets(environment: environment, processID: getpid())
        for (name, descriptor) in sockets.descriptors {
            guard linux_adopt(descriptor) == 0, Listener.isListening(descriptor),
                Endpoint(boundTo: descriptor) != nil
            else {
                throw fault(
                    "the socket for \(name.rawValue) that systemd hands over does not listen to "
                        + "streams of IP or of UNIX",
                    "ListenStream= in its unit to a port, an address with one, or a path")
            }
        }
        return sockets
    }

    /// The descriptor for `name`, which the caller owns from now on; nil where there is none.
    package mutating func take(_ name: ListenerName) -> Int32? {
        descriptors.removeValue(forKey: name)
    }

    /// Where they are; whoever hands them over decides that, not `listen.*`.
    package var endpoints: [ListenerName: Endpoint] {
        descriptors.compactMapValues { Endpoint(boundTo: $0) }
    }
}
