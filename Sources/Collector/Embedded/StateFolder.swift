// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// The folder of one embedded cluster, locked against a second `starling up`.
///
/// It belongs to us, and only `data` and the socket's folder to the account of the server: as root
/// we never write where another account could have put a link.
///
/// Ownership: holds the lock for as long as it lives.
final class StateFolder: Sendable {
    let path: String
    /// Where the socket is: below `path`, or under /tmp where that would be too long for a socket.
    let socketFolder: String
    private let lockDescriptor: Int32

    var dataFolder: String { path + "/data" }
    /// Becomes `data` when it is complete.
    var draftFolder: String { path + "/data.initializing" }
    var settingsFile: String { path + "/postgresql.conf" }
    var localSettingsFile: String { path + "/postgresql.local.conf" }

    /// Everything that may be in it; anything else means that it is somebody else's folder.
    private static let names: Set<String> = [
        "data", "data.initializing", "run", "lock", "postgresql.conf", "postgresql.conf.new",
        "postgresql.local.conf", "postgresql.local.conf.new", "lost+found",
    ]

    /// The folder that is used unless one is named.
    static func defaultPath(
        isRoot: Bool, environment: [String: String]
    ) throws(EmbeddedError) -> String {
        if isRoot { return "/var/lib/starling" }
        // The XDG specification wants relative paths ignored.
        if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") {
            return FileSystem.absolute(state + "/starling")
        }
        if let home = environment["HOME"], home.hasPrefix("/") {
            return FileSystem.absolute(home + "/.local/state/starling")
        }
        throw EmbeddedError(
            .setup, "neither XDG_STATE_HOME nor HOME is set",
            remedy: "name a folder for the database with --state-dir")
    }

    /// Where the socket of a cluster in `path` is.
    static func socketFolder(path: String) -> String {
        let near = path + "/run"
        let name = near + "/.s.PGSQL.5432"
        if name.utf8.count <= UnixAddress.sizeBytesMax { return near }
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325  // FNV-1a
        for byte in path.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return "/tmp/starling-" + String(hash, radix: 16)
    }

    /// Makes the folder if need be, checks that it is ours, and locks it.
    init(path: String, account: ServerAccount) throws(EmbeddedError) {
        self.path = path
        socketFolder = StateFolder.socketFolder(path: path)
        try StateFolder.make(path, account: account)
        lockDescriptor = try StateFolder.lock(path)
    }

    deinit { _ = close(lockDescriptor) }

    /// Makes an empty folder that belongs to `account` alone.
    func makeServerFolder(_ folder: String, account: ServerAccount) throws(EmbeddedError) {
        try FileSystem.makeFolder(folder, mode: 0o700)
        if account.isSwitched {
            try FileSystem.changeOwner(folder, userID: account.userID, groupID: account.groupID)
        }
    }

    /// Makes the folder of the socket. Under /tmp it may be there already, and somebody else's.
    func makeSocketFolder(account: ServerAccount) throws(EmbeddedError) {
        if let entry = FileSystem.entry(socketFolder) {
            let isFit = entry.isFolder && entry.userID == account.userID && entry.mode == 0o700
            if isFit { return }
            guard entry.isFolder, entry.userID == geteuid() else {
                throw EmbeddedError(
                    .setup, "\(socketFolder) is not a folder of the account \(account.name)",
                    remedy: "remove it, or choose another --state-dir")
            }
        }
        try makeServerFolder(socketFolder, account: account)
    }

    private static func make(_ path: String, account: ServerAccount) throws(EmbeddedError) {
        if let entry = FileSystem.target(path) {
            guard entry.isFolder else {
                throw EmbeddedError(
                    .setup, "\(path) is not a folder", remedy: "choose another --state-dir")
            }
            guard entry.userID == geteuid() else {
                throw EmbeddedError(
                    .setup, "\(path) belongs to another account",
                    remedy: "run starling as its owner, or choose another --state-dir")
            }
            if let foreign = FileSystem.names(in: path).first(where: { !names.contains($0) }) {
                throw EmbeddedError(
                    .setup, "\(path) contains \(foreign), so it is used for something else",
                    remedy: "name an empty or a new folder with --state-dir")
            }
        }
        // Another account has to pass through, but not to look around.
        try FileSystem.makeFolder(path, mode: account.isSwitched ? 0o711 : 0o700)
        if let closed = account.firstClosedFolder(onTheWayTo: path) {
            throw EmbeddedError(
                .setup,
                "PostgreSQL runs as \(account.name), since it refuses root, and that account may "
                    + "not "
                    + "enter \(closed)",
                remedy: "choose a --state-dir elsewhere, for example /var/lib/starling")
        }
    }

    private static func lock(_ path: String) throws(EmbeddedError) -> Int32 {
        let descriptor = unsafe linux_open(path + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw EmbeddedError(
                .setup, "\(path)/lock: \(TextFile.errorText(linux_errno()))",
                remedy: "check the permissions there, or choose another --state-dir")
        }
        guard lockf(descriptor, Int32(F_TLOCK), 0) == 0 else {
            _ = close(descriptor)
            throw EmbeddedError(
                .setup, "another `starling up` uses \(path)",
                remedy: "stop that one, or choose another --state-dir")
        }
        return descriptor
    }
}
