// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import CLinux

/// What the kernel says about this process.
///
/// Thread: any. Cost: two small files and one folder of /proc.
enum ProcessFigures {
    static func observe() -> ProcessObservation {
        var process = ProcessObservation()
        if let text = try? TextFile.read("/proc/self/stat", sizeBytesMax: 4_096) {
            let fields = statFields(text)
            // Numbered from 1 in proc(5), where the state, the first one here, is number 3.
            process.threadCount = fields.count > 17 ? fields[17] : 0
            process.virtualBytes = fields.count > 20 ? fields[20] : 0
            process.residentBytes = fields.count > 21 ? fields[21] * Int(getpagesize()) : 0
        }
        if let text = try? TextFile.read("/proc/self/limits", sizeBytesMax: 16_384) {
            process.descriptorCountMax = openFilesLimit(text)
        }
        process.openDescriptorCount = countEntries("/proc/self/fd")
        process.cpuNs = cpuNs()
        return process
    }

    /// The numbers after the name of the program, which may contain anything; 0 for what is none.
    static func statFields(_ text: String) -> [Int] {
        guard let end = text.lastIndex(of: ")") else { return [] }
        return text[text.index(after: end)...].split(separator: " ").map { Int($0) ?? 0 }
    }

    /// The soft limit of the line "Max open files"; 0 where there is none, or no limit.
    static func openFilesLimit(_ text: String) -> Int {
        let title = "Max open files"
        let line = text.split(separator: "\n").first { $0.hasPrefix(title) }
        return line?.dropFirst(title.count).split(separator: " ").first.flatMap { Int($0) } ?? 0
    }

    /// Without the descriptor that counting takes, `.` and `..`.
    private static func countEntries(_ path: String) -> Int {
        guard let folder = unsafe opendir(path) else { return 0 }
        defer { unsafe closedir(folder) }
        var count = 0
        while unsafe readdir(folder) != nil { count += 1 }
        return max(0, count - 3)
    }

    private static func cpuNs() -> UInt64 {
        var time = timespec()
        guard unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return 0 }
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
