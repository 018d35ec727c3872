// SPDX-License-Identifier: Apache-2.0
import CLinux
import Testing

@testable import Collector

@Suite struct ChildProcessTests {
    private func shell(_ script: String, input: String = "") throws -> (ChildProcess.Ending, String)
    {
        let (ending, output) = try ChildProcess.run(
            ["sh", "-c", script], environment: ["PATH": "/usr/bin:/bin", "GIVEN": "a b"],
            input: input)
        return (ending, output)
    }

    @Test func outputAndErrorAreRead() throws {
        let (ending, output) = try shell("echo out; echo err >&2; exit 3")
        #expect(ending == .exited(3))
        #expect(output == "out\nerr\n")
    }

    @Test func inputEnds() throws {
        #expect(try shell("cat", input: "text\n").1 == "text\n")
        #expect(try shell("cat").1 == "")
    }

    @Test func environmentIsExactlyWhatIsGiven() throws {
        #expect(try shell("echo \"$GIVEN|$HOME|\"").1 == "a b||\n")
    }

    @Test func signalIsAnEnding() throws {
        #expect(try shell("kill -9 $$").0 == .killed(signal: 9))
    }

    @Test func largeOutputDoesNotStop() throws {
        #expect(try shell("head -c 1000000 /dev/zero").1.utf8.count == 1_000_000)
    }

    // A Ctrl-C at the terminal is for us; what we block or ignore is not for the child.
    @Test func groupAndSignalsAreItsOwn() throws {
        let script =
            "ps -o pgid= -p $$ | tr -d ' '; echo $$; grep -E 'Sig(Blk|Ign)' "
            + "/proc/self/status"
        let (_, output) = try SignalMask.withAllBlocked { Result { try shell(script) } }.get()
        let lines = output.split(separator: "\n")
        try #require(lines.count == 4)
        #expect(lines[0] == lines[1])
        for line in lines.dropFirst(2) {
            let mask = try #require(UInt64(line.split(separator: "\t")[1], radix: 16))
            #expect(mask & 0x7fff_ffff == 0, "\(line)")  // 32 and 33 are the C library's own
        }
    }

    @Test func descriptorsAreNotInherited() throws {
        let descriptor = unsafe linux_open("/dev/null", O_RDONLY | O_CLOEXEC, 0)
        defer { _ = close(descriptor) }
        #expect(try shell("ls /proc/self/fd/\(descriptor)").0 != .exited(0))
    }

    @Test func missingProgramIsAnError() {
        let error = #expect(throws: EmbeddedError.self) {
            try ChildProcess.run(["/nonexistent/program"], environment: [:])
        }
        #expect(error?.problem.contains("/nonexistent/program") == true)
    }
}
