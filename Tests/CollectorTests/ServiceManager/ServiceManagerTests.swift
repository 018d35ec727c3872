// SPDX-License-Identifier: Apache-2.0
import CLinux
import Testing

@testable import Collector

// Goal: what systemd would read is what sd_notify(3) says. Method: a real datagram socket.

/// The service manager's end of NOTIFY_SOCKET.
private final class Receiver {
    let name: String
    private let descriptor: Int32
    private let path: String?

    /// - Parameter isAbstract: an abstract name, else a path.
    init(isAbstract: Bool) throws {
        let unique = "starling-notify-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        name = isAbstract ? "@\(unique)" : "/tmp/\(unique)"
        path = isAbstract ? nil : name
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let address = try #require(UnixAddress(name))
        let result = unsafe address.withPointer { unsafe bind(descriptor, $0, $1) }
        try #require(result == 0)
    }

    deinit {
        _ = close(descriptor)
        if let path { _ = unsafe unlink(path) }
    }

    /// The next message, or nil if none is there.
    func next() -> String? {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = unsafe recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
    }

    /// Fills the queue, so that nothing more is taken.
    func fill() throws {
        let address = try #require(UnixAddress(name))
        let sender = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { _ = close(sender) }
        while unsafe address.withPointer({
            unsafe sendto(sender, "x", 1, Int32(MSG_DONTWAIT), $0, $1)
        }) > 0 {}
    }
}

@Suite struct ServiceManagerTests {
    @Test(arguments: [false, true])
    func messagesArrive(isAbstract: Bool) throws {
        let receiver = try Receiver(isAbstract: isAbstract)
        let manager = ServiceManager(
            environment: ["NOTIFY_SOCKET": receiver.name, "WATCHDOG_USEC": "1000000"], processID: 1)
        #expect(manager.isPresent)
        manager.ready(status: "serving")
        #expect(receiver.next() == "READY=1\nSTATUS=serving")
        manager.status("two\nlines\r\nand more")
        #expect(receiver.next() == "STATUS=two lines and more")
        manager.watchdog()
        #expect(receiver.next() == "WATCHDOG=1")
        manager.extendTimeout(ms: 1_500)
        #expect(receiver.next() == "EXTEND_TIMEOUT_USEC=1500000")
        manager.stopping(status: "draining")
        #expect(receiver.next() == "STOPPING=1\nSTATUS=draining")
        manager.reloading()
        let reloading = try #require(receiver.next())
        #expect(reloading.hasPrefix("RELOADING=1\nMONOTONIC_USEC="))
        #expect(try #require(Int(reloading.split(separator: "=")[2])) > 0)
        #expect(receiver.next() == nil)
    }

    @Test func signsOfLifeDoNotWait() throws {
        let receiver = try Receiver(isAbstract: false)
        let manager = ServiceManager(
            environment: ["NOTIFY_SOCKET": receiver.name, "WATCHDOG_USEC": "1000000"], processID: 1)
        try receiver.fill()
        manager.watchdog()
        manager.status("busy")
        var last: String?
        while let next = receiver.next() { last = next }
        #expect(last == "x")
        manager.watchdog()
        #expect(receiver.next() == "WATCHDOG=1")
    }

    // A shutdown must not hang on somebody who does not read.
    @Test func nobodyIsWaitedForForEver() throws {
        let receiver = try Receiver(isAbstract: false)
        let manager = ServiceManager(environment: ["NOTIFY_SOCKET": receiver.name], processID: 1)
        try receiver.fill()
        manager.stopping(status: "draining")
        var last: String?
        while let next = receiver.next() { last = next }
        #expect(last == "x")
    }

    @Test func noSignOfLifeUnlessWanted() throws {
        let receiver = try Receiver(isAbstract: false)
        ServiceManager(environment: ["NOTIFY_SOCKET": receiver.name], processID: 1).watchdog()
        #expect(receiver.next() == nil)
    }

    @Test func receiverThatIsGoneIsNoFault() throws {
        let name = try Receiver(isAbstract: true).name
        let manager = ServiceManager(environment: ["NOTIFY_SOCKET": name], processID: 1)
        manager.ready(status: "")
    }

    @Test(arguments: [
        nil, "", "/", "@", "relative", "vsock:2:1", "/" + String(repeating: "a", count: 108),
    ])
    func otherAddressesAreNone(address: String?) {
        var environment: [String: String] = [:]
        environment["NOTIFY_SOCKET"] = address
        let manager = ServiceManager(environment: environment, processID: 1)
        #expect(!manager.isPresent)
        manager.ready(status: "nobody hears it")
    }

    @Test(
        arguments: [
            ([:], nil),
            (["WATCHDOG_USEC": "30000000"], 30_000),
            (["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"], 30_000),
            (["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"], nil),
            (["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "x"], nil),
            (["WATCHDOG_USEC": "1"], 1),
            (["WATCHDOG_USEC": "0"], nil),
            (["WATCHDOG_USEC": "-1"], nil),
            (["WATCHDOG_USEC": "soon"], nil),
            (["WATCHDOG_PID": "7"], nil),
        ] as [([String: String], Int?)])
    func watchdogPeriod(environment: [String: String], expectedMs: Int?) {
        #expect(
            ServiceManager(environment: environment, processID: 7).watchdogPeriodMs == expectedMs)
    }
}

@Suite struct ProcessEnvironmentTests {
    @Test func variablesOfThisProcess() async {
        // In a process of its own: the environment may only be changed where there is one thread.
        await #expect(processExitsWith: .success) {
            unsafe setenv("STARLING_TEST_A", "a=b", 1)
            unsafe setenv("WATCHDOG_USEC", "1", 1)
            precondition(ProcessEnvironment.all()["STARLING_TEST_A"] == "a=b")
            precondition(ServiceManager.ofThisProcess().watchdogPeriodMs == 1)
            precondition(ProcessEnvironment.all()["WATCHDOG_USEC"] == nil)
        }
    }
}
