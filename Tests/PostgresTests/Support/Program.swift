// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A child process, started directly so that its process id is known and signals reach it.
struct Program {
    let processID: pid_t

    struct Failure: Error { let message: String }

    /// Starts `arguments` with output and errors going to `logPath`.
    init(_ arguments: [String], logPath: String) throws {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        let flags = O_WRONLY | O_CREAT | O_APPEND
        unsafe posix_spawn_file_actions_addopen(&actions, 1, logPath, flags, 0o644)
        unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        var argv = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { for index in arguments.indices { unsafe free(argv[index]) } }
        var started: pid_t = 0
        let result = unsafe posix_spawnp(&started, arguments[0], &actions, nil, &argv, environ)
        guard result == 0 else { throw Failure(message: "cannot start \(arguments[0])") }
        processID = started
    }

    /// Waits for the end and returns the exit status; -1 when a signal ended it.
    @discardableResult
    func wait() -> Int32 {
        var status: Int32 = 0
        while unsafe waitpid(processID, &status, 0) == -1, errno == EINTR {}
        return status & 0x7f == 0 ? (status >> 8) & 0xff : -1
    }

    func signal(_ number: Int32) { kill(processID, number) }

    static func run(_ arguments: [String], logPath: String) throws {
        let status = try Program(arguments, logPath: logPath).wait()
        guard status == 0 else {
            let log = (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? ""
            throw Failure(message: "\(arguments[0]) exited with \(status): \(log.suffix(2_000))")
        }
    }
}
