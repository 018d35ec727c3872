// SPDX-License-Identifier: Apache-2.0
package import Base
internal import CLinux
package import TLS

/// What an event loop serves: makes handlers for connections and does per-turn work.
package protocol EventLoopClient: AnyObject {
    /// A connection was accepted; nil turns it away. `peer` is who is connected, be it a proxy.
    func accepted(by loop: EventLoop, from peer: PeerAddress) -> (any ConnectionHandler)?
    /// Nothing more can be accepted until the next tick: the process is out of descriptors or the
    /// machine out of memory.
    func acceptingFailed(_ error: SystemError)
    /// Once per turn, after all sockets were served and before output is sent.
    func turn(of loop: EventLoop)
    /// About ten times a second.
    func tick(nowNs: UInt64, of loop: EventLoop)
}

/// One thread's epoll loop with all state of its connections.
///
/// A turn is: wait, serve each ready socket within its work budget, the client's own work, send
/// output, and only then recycle what was closed. Thread: created anywhere, then confined to the
/// one that runs it; only `wakeup` and `stop` may be used from others.
package final class EventLoop {
    /// Makes the loop turn. Any thread.
    package let wakeup: Wakeup
    package weak var client: (any EventLoopClient)?

    private let epoll: FileDescriptor
    private var listener: Listener?
    private var acceptor: TLSAcceptor?
    private var connections: [Connection?] = []
    private var generations: [UInt32] = []
    private var freeSlots: [Int] = []
    private var dirty: [Connection] = []
    private var isStopping = false
    private var isListenerArmed = false
    private var expectsProxyHeader = false
    private var nextTickNs: UInt64 = 0
    private let readBuffer = ReadBuffer()
    /// Where TLS puts a record's plaintext; there from the first TLS connection on.
    private lazy var recordBuffer = ReadBuffer()

    private static let tickNs: UInt64 = 100_000_000
    private static let eventCountMax = 128
    private static let acceptsPerTurnMax = 64
    /// Reads of one socket per turn, so that a firehose does not starve its neighbours.
    private static let readsPerTurnMax = 4
    /// Handlers get input in pieces of this size: nghttp2's own limits act between pieces.
    private static let pieceSizeBytes = 16 << 10

    private static let wakeupToken: UInt64 = .max
    private static let listenerToken: UInt64 = .max - 1

    package init() throws(SystemError) {
        let raw = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard raw >= 0 else { throw SystemError("epoll_create1") }
        epoll = FileDescriptor(owning: raw)
        wakeup = try Wakeup()
        try control(EPOLL_CTL_ADD, wakeup.descriptor.raw, EPOLLIN.rawValue, EventLoop.wakeupToken)
    }

    /// Starts accepting, with TLS where there is an `acceptor`. Call before `run`, or on the loop's
    /// thread. With `expectsProxyHeader` nothing else than a header of the PROXY protocol may begin
    /// a connection, before TLS.
    package func listen(
        _ listener: consuming Listener, acceptor: TLSAcceptor? = nil,
        expectsProxyHeader: Bool = false
    ) throws(SystemError) {
        self.expectsProxyHeader = expectsProxyHeader
        try control(
            EPOLL_CTL_ADD, listener.descriptor.raw, EPOLLIN.rawValue | EPOLLEXCLUSIVE.rawValue,
            EventLoop.listenerToken)
        self.listener = consume listener
        self.acceptor = acceptor
        isListenerArmed = true
    }

    /// Stops accepting and closes the listening socket.
    package func stopListening() {
        disarmListener()
        listener = nil
    }

    package var connectionCount: Int { connections.count - freeSlots.count }

    /// Visits every connection; `body` may finish or abort it.
    package func forEachConnection(_ body: (Connection) -> Void) {
        for case let connection? in connections {
            body(connection)
            markDirty(connection)
        }
    }

    /// Asks for output of `connection` to be produced and sent at the end of this turn.
    package func markDirty(_ connection: Connection) {
        guard !connection.isDirty else { return }
        connection.isDirty = true
        dirty.append(connection)
    }

    /// Ends `run` after the current turn. Loop thread only.
    package func stop() { isStopping = true }

    /// Turns until stopped, then closes what is left.
    package func run() {
        nextTickNs = Clock.monotonicNs + EventLoop.tickNs
        while !isStopping { turn() }
        stopListening()
        for case let connection? in connections { close(connection) }
    }

    // MARK: One turn

    private func turn() {
        waitAndServe()
        tickIfDue()
        client?.turn(of: self)
        sendOutput()
    }

    private func waitAndServe() {
        unsafe withUnsafeTemporaryAllocation(
            of: epoll_event.self, capacity: EventLoop.eventCountMax
        ) { events in
            let count = unsafe epoll_wait(
                epoll.raw, events.baseAddress, Int32(EventLoop.eventCountMax), waitMs())
            precondition(count >= 0 || linux_errno() == EINTR, "epoll_wait failed")
            for index in 0..<max(0, Int(count)) {
                unsafe serve(events[index])
            }
        }
    }

    /// Idle loops turn only for their tick; the tick is needed only while something can expire.
    private func waitMs() -> Int32 {
        let now = Clock.monotonicNs
        return now >= nextTickNs ? 0 : Int32((nextTickNs - now) / 1_000_000) + 1
    }

    private func serve(_ event: epoll_event) {
        switch unsafe event.data.u64 {
        case EventLoop.wakeupToken: wakeup.drain()
        case EventLoop.listenerToken: acceptWaiting()
        default: unsafe serveConnection(token: event.data.u64, events: event.events)
        }
    }

    private func serveConnection(token: UInt64, events: UInt32) {
        let slot = Int(token & 0xffff_ffff)
        // The generation tells a late event for a reused slot from one that is meant.
        guard generations[slot] == UInt32(token >> 32), let connection = connections[slot] else {
            return
        }
        if events & (EPOLLIN.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 {
            readInput(of: connection)
        }
        markDirty(connection)
    }

    private func readInput(of connection: Connection) {
        for _ in 0..<EventLoop.readsPerTurnMax {
            switch unsafe connection.descriptor.read(into: readBuffer.bytes) {
            case .bytes(let count):
                feed(count, to: connection)
                if unsafe count < readBuffer.bytes.count { return }
            case .wouldBlock:
                return
            case .ended, .failed:
                connection.hungUp()
                return
            }
        }
    }

    private func feed(_ count: Int, to connection: Connection) {
        var offset = 0
        while offset < count {
            let size = min(EventLoop.pieceSizeBytes, count - offset)
            let piece = unsafe ByteSlice(base: readBuffer.bytes.baseAddress! + offset, count: size)
            connection.received(piece)
            offset += size
        }
    }

    private func tickIfDue() {
        let now = Clock.monotonicNs
        guard now >= nextTickNs else { return }
        nextTickNs = now + EventLoop.tickNs
        armListener()
        for case let connection? in connections {
            connection.tick(nowNs: now)
            markDirty(connection)
        }
        client?.tick(nowNs: now, of: self)
    }

    private func sendOutput() {
        while let connection = dirty.popLast() {
            connection.isDirty = false
            let wouldBlock = connection.flush()
            if connection.state == .closed {
                close(connection)
            } else {
                arm(connection, forWriting: wouldBlock)
            }
        }
    }

    // MARK: Accepting

    private func acceptWaiting() {
        for _ in 0..<EventLoop.acceptsPerTurnMax {
            do throws(SystemError) {
                guard let socket = try listener?.accept() else { return }
                add(socket)
            } catch {
                client?.acceptingFailed(error)
                // Out of descriptors or memory: a level-triggered listener would spin until some
                // are free, so look again at the next tick.
                disarmListener()
                return
            }
        }
    }

    private func add(_ socket: consuming AcceptedSocket) {
        let peer = socket.peer
        guard let handler = client?.accepted(by: self, from: peer) else { return }
        let slot = freeSlots.popLast() ?? appendSlot()
        let transport = acceptor.map {
            SecureTransport($0, scratch: recordBuffer, nowNs: Clock.monotonicNs)
        }
        let connection = Connection(
            socket.takeDescriptor(), from: peer, slot: slot, expectsProxyHeader: expectsProxyHeader,
            transport: transport)
        connection.attach(handler)
        connections[slot] = connection
        let token = UInt64(generations[slot]) << 32 | UInt64(slot)
        do throws(SystemError) {
            try control(EPOLL_CTL_ADD, connection.descriptor.raw, EPOLLIN.rawValue, token)
            markDirty(connection)
        } catch {
            close(connection)
        }
    }

    private func appendSlot() -> Int {
        connections.append(nil)
        generations.append(0)
        return connections.count - 1
    }

    private func close(_ connection: Connection) {
        connection.closeNow()
        connections[connection.slot] = nil
        generations[connection.slot] &+= 1
        freeSlots.append(connection.slot)
    }

    // MARK: epoll

    private func arm(_ connection: Connection, forWriting: Bool) {
        guard connection.isArmedForWriting != forWriting else { return }
        connection.isArmedForWriting = forWriting
        let token = UInt64(generations[connection.slot]) << 32 | UInt64(connection.slot)
        // While output is stuck nothing more is read: input causes output.
        let events = forWriting ? EPOLLOUT.rawValue : EPOLLIN.rawValue
        try? control(EPOLL_CTL_MOD, connection.descriptor.raw, events, token)
    }

    private func disarmListener() {
        guard isListenerArmed, listener != nil else { return }
        isListenerArmed = false
        withListenerDescriptor { try? control(EPOLL_CTL_DEL, $0, 0, 0) }
    }

    private func armListener() {
        guard !isListenerArmed, listener != nil else { return }
        isListenerArmed = true
        withListenerDescriptor {
            try? control(
                EPOLL_CTL_ADD, $0, EPOLLIN.rawValue | EPOLLEXCLUSIVE.rawValue,
                EventLoop.listenerToken)
        }
    }

    private func withListenerDescriptor(_ body: (Int32) -> Void) {
        if let raw = listener?.descriptor.raw { body(raw) }
    }

    private func control(
        _ operation: Int32, _ descriptor: Int32, _ events: UInt32, _ token: UInt64
    ) throws(SystemError) {
        var event = unsafe epoll_event(events: events, data: epoll_data_t(u64: token))
        guard unsafe epoll_ctl(epoll.raw, operation, descriptor, &event) == 0 else {
            throw SystemError("epoll_ctl")
        }
    }
}
