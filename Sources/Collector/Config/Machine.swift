// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// What this process may use of the machine, as far as Linux tells.
package enum Machine {
    /// Processors that this process may run on, at least 1: the online ones, cut by its affinity
    /// mask and by the quota of its control group (a container with 2 of 64 processors has 2).
    package static var processorCount: Int {
        let online = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        let status = try? TextFile.read("/proc/self/status", sizeBytesMax: 1 << 16)
        let quota = try? TextFile.read("/sys/fs/cgroup/cpu.max", sizeBytesMax: 1 << 10)
        return processorCount(
            onlineCount: online, allowedList: status.flatMap(allowedList), quota: quota)
    }

    /// Bytes of memory this process may use: the machine's, cut by the limit of its control group.
    package static var memorySizeBytes: Int {
        let physical = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
        let limit = try? TextFile.read("/sys/fs/cgroup/memory.max", sizeBytesMax: 1 << 10)
        guard let limit, let limitBytes = Int(limit.prefix { $0.isNumber }) else { return physical }
        return min(physical, limitBytes)
    }

    /// - Parameters:
    ///   - allowedList: `0-3,8` as in /proc; nil if unknown.
    ///   - quota: `200000 100000` (microseconds per period) or `max 100000`; nil if unknown.
    static func processorCount(onlineCount: Int, allowedList: String?, quota: String?) -> Int {
        var count = max(1, onlineCount)
        if let allowed = allowedList.flatMap(listCount) { count = min(count, max(1, allowed)) }
        let words = quota?.split(whereSeparator: \.isWhitespace).map { Int($0) } ?? []
        if words.count == 2, let quotaUs = words[0], let periodUs = words[1], periodUs > 0 {
            count = min(count, max(1, (quotaUs + periodUs - 1) / periodUs))
        }
        return count
    }

    private static func allowedList(status: String) -> String? {
        let prefix = "Cpus_allowed_list:"
        let line = status.split(separator: "\n").first { $0.hasPrefix(prefix) }
        return line.map { String($0.dropFirst(prefix.count).drop(while: \.isWhitespace)) }
    }

    private static func listCount(_ list: String) -> Int? {
        var count = 0
        for range in list.split(separator: ",") {
            let ends = range.split(separator: "-").map { Int($0) }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, last >= first else {
                return nil
            }
            count += last - first + 1
        }
        return count
    }
}
