// SPDX-License-Identifier: Apache-2.0
internal import CLinux

/// A program that was started: what it prints can be read, and it must be waited for once.
///
/// Thread: moved, never shared. Output and end may be had on different threads.
struct ChildProcess: Sendable {
    let processID: Int32
    /// What it and its children print to standard output and error; owned by whoever reads it.
    let outputDescriptor: Int32

    /// How a process ended.
    enum Ending: Equatable, CustomStringConvertible {
        case exited(Int32)
        case killed(signal: Int32)

        var description: String {
            switch self {
            case .exited(let code): "exit code \(code)"
            case .killed(let signal): "signal \(signal)"
            }
        }
    }

    /// Starts `arguments[0]`, which is looked for on PATH unless it is a path.
    ///
    /// It gets a process group of its own, so that a terminal's Ctrl-C reaches us only, no blocked
    /// or ignored signals, and `input` (at most a few hundred bytes) or nothing on standard input.
    static func spawn(
        _ arguments: [String], environment: [String: String], input: String = ""
    ) throws(EmbeddedError) -> ChildProcess {
        let output = try pair()
        let standardInput = try pair()
        defer {
            _ = close(output.theirs)
            _ = close(standardInput.theirs)
            _ = close(standardInput.ours)
        }
        let bytes = Array(input.utf8)
        let written = unsafe send(standardInput.ours, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        precondition(written == bytes.count, "the input does not fit into a socket's buffer")

        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, standardInput.theirs, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, output.theirs, 1)
        unsafe posix_spawn_file_actions_adddup2(&actions, output.theirs, 2)

        var processID: Int32 = 0
        let result = unsafe withAttributes { attributes in
            unsafe withCStrings(arguments) { argv in
                unsafe withCStrings(environment.map { "\($0)=\($1)" }) { envp in
                    unsafe posix_spawnp(&processID, argv[0]!, &actions, attributes, argv, envp)
                }
            }
        }
        guard result == 0 else {
            _ = close(output.ours)
            throw EmbeddedError(
                .unavailable, "\(arguments[0]) cannot be started: \(TextFile.errorText(result))",
                remedy: "check that it is installed and may be run")
        }
        return ChildProcess(processID: processID, outputDescriptor: output.ours)
    }

    /// Runs a program to its end. Blocks.
    static func run(
        _ arguments: [String], environment: [String: String], input: String = ""
    ) throws(EmbeddedError) -> (ending: Ending, output: String) {
        let child = try spawn(arguments, environment: environment, input: input)
        var output: [UInt8] = []
        child.readOutput { output += $0 }
        return (child.wait(), String(decoding: output, as: UTF8.self))
    }

    /// Hands out the output until the last process that holds it has ended, and closes it. Blocks.
    func readOutput(_ body: (ArraySlice<UInt8>) -> Void) {
        defer { _ = close(outputDescriptor) }
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = unsafe read(outputDescriptor, &buffer, buffer.count)
            if count < 0 && linux_errno() == EINTR { continue }
            guard count > 0 else { return }
            body(buffer[..<count])
        }
    }

    /// Waits for the end and lets the kernel forget the process. Call once. Blocks.
    func wait() -> Ending {
        var status: Int32 = 0
        while unsafe waitpid(processID, &status, 0) < 0 {
            precondition(linux_errno() == EINTR, "waited for a process twice")
        }
        let signal = status & 0x7f  // WIFEXITED and WTERMSIG are macros
        return signal == 0 ? .exited(status >> 8 & 0xff) : .killed(signal: signal)
    }

    /// Waits for the end, but leaves the process ID taken: it cannot become another process's.
    func waitWithoutReaping() {
        var info = unsafe siginfo_t()
        while unsafe waitid(P_PID, id_t(processID), &info, WEXITED | WNOWAIT) < 0 {
            precondition(linux_errno() == EINTR, "waited for a process that is gone")
        }
    }

    private static func pair() throws(EmbeddedError) -> (ours: Int32, theirs: Int32) {
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard unsafe socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
            throw EmbeddedError(
                .unavailable, "no pipe can be made: \(TextFile.errorText(linux_errno()))",
                remedy: "raise the limit of open files")
        }
        return (ends[0], ends[1])
    }

    private static func withAttributes<R>(
        _ body: (UnsafePointer<posix_spawnattr_t>) -> R
    ) -> R {
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        unsafe sigemptyset(&none)
        var all = sigset_t()
        unsafe sigfillset(&all)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        unsafe posix_spawnattr_setflags(
            &attributes,
            Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        return unsafe body(&attributes)
    }

    private static func withCStrings<R>(
        _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> R
    ) -> R {
        var pointers: [UnsafeMutablePointer<CChar>?] = unsafe strings.map { unsafe strdup($0) }
        unsafe pointers.append(nil)
        defer { for index in unsafe pointers.indices { unsafe free(pointers[index]) } }
        return unsafe pointers.withUnsafeMutableBufferPointer { unsafe body($0.baseAddress!) }
    }
}
