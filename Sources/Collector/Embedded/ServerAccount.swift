// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// Under which account PostgreSQL runs: it refuses root.
struct ServerAccount: Equatable {
    let name: String
    let userID: UInt32
    let groupID: UInt32
    /// Whether that is another account than ours, so that it has to be switched to.
    let isSwitched: Bool

    /// Ours; if that is root, the first of `postgres` and `nobody` that exists.
    static func choose() throws(EmbeddedError) -> ServerAccount {
        let own = geteuid()
        if own != 0 {
            return ServerAccount(
                name: named(own) ?? "\(own)", userID: own, groupID: getegid(), isSwitched: false)
        }
        for name in ["postgres", "nobody"] {
            if let (userID, groupID) = account(name), userID != 0 {
                return ServerAccount(
                    name: name, userID: userID, groupID: groupID, isSwitched: true)
            }
        }
        throw EmbeddedError(
            .setup, "PostgreSQL does not run as root, and there is no account postgres or nobody",
            remedy: "create one (useradd --system postgres), or run starling as another user")
    }

    /// `arguments` as they have to be spawned: under this account, and stopped when we are killed.
    ///
    /// The kernel sends SIGINT, PostgreSQL's fast shutdown, when the thread that spawned it ends.
    /// - Parameter hasSwitcher: Whether setpriv(1) is there. Our own account works without it.
    func command(_ arguments: [String], hasSwitcher: Bool) throws(EmbeddedError) -> [String] {
        guard hasSwitcher else {
            guard isSwitched else { return arguments }
            throw EmbeddedError(
                .setup,
                "setpriv, which PostgreSQL is started with when starling runs as root, is "
                    + "missing",
                remedy: "install util-linux, or run starling as another user")
        }
        let identity =
            isSwitched ? ["--reuid=\(userID)", "--regid=\(groupID)", "--init-groups"] : []
        return ["setpriv"] + identity + ["--pdeathsig=INT", "--"] + arguments
    }

    /// The first folder on the way to `path` that this account may not enter, or nil.
    func firstClosedFolder(onTheWayTo path: String) -> String? {
        guard isSwitched else { return nil }
        var folder = ""
        for part in path.split(separator: "/") {
            folder += "/" + part
            guard let entry = FileSystem.target(folder) else { return nil }
            let isOpen =
                if entry.userID == userID {
                    entry.mode & 0o100 != 0
                } else if entry.groupID == groupID {
                    entry.mode & 0o010 != 0
                } else {
                    entry.mode & 0o001 != 0
                }
            if !isOpen { return folder }
        }
        return nil
    }

    private static func account(_ name: String) -> (UInt32, UInt32)? {
        guard let found = unsafe getpwnam(name) else { return nil }
        return unsafe (found.pointee.pw_uid, found.pointee.pw_gid)
    }

    private static func named(_ userID: UInt32) -> String? {
        guard let found = unsafe getpwuid(userID) else { return nil }
        return unsafe String(cString: found.pointee.pw_name)
    }
}
