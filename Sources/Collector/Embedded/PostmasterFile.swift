// SPDX-License-Identifier: Apache-2.0

/// What a running server says about itself in `postmaster.pid`: the lines that pg_ctl(1) reads too.
struct PostmasterFile: Equatable {
    let processID: Int32
    /// Seconds since 1970.
    let startedAtUnixSeconds: Int
    /// `starting`, `ready`, `stopping` or `standby`; empty before the first.
    let status: String

    /// Nil if `text` is not complete yet.
    init?(_ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count >= 3, let processID = Int32(lines[0]), processID > 1,
            let startedAtUnixSeconds = Int(lines[2])
        else { return nil }
        self.processID = processID
        self.startedAtUnixSeconds = startedAtUnixSeconds
        status = lines.count >= 8 ? String(lines[7].prefix { !$0.isWhitespace }) : ""
    }

    /// Of the cluster in `dataFolder`; nil if there is none, or none that can be read.
    static func read(dataFolder: String) -> PostmasterFile? {
        let path = dataFolder + "/postmaster.pid"
        return (try? TextFile.read(path, sizeBytesMax: 1 << 12)).flatMap(PostmasterFile.init)
    }
}
