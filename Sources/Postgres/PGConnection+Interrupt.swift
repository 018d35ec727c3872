// SPDX-License-Identifier: Apache-2.0
internal import CLibPQ

extension PGConnection {
    /// Runs `body`, whose statements are cancelled at the server once `signal` is fired: each then
    /// fails as the server reports it (57014), and the session lives on. Thread: its own.
    package mutating func interruptible<Value: ~Copyable, Failure: Error>(
        by signal: StopSignal, _ body: (inout PGConnection) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        interruption = signal
        defer { interruption = nil }
        return try body(&self)
    }

    /// Asks the server to cancel what the session runs. Blocks for a connection of its own, which
    /// libpq makes without TLS and without a password (PostgreSQL documentation, 34.7).
    ///
    /// Asked once: the signal is not looked at again until the next statement.
    mutating func cancelStatement() {
        interruption = nil
        guard let handle = unsafe PQgetCancel(raw) else { return }
        defer { unsafe PQfreeCancel(handle) }
        var reason = [CChar](repeating: 0, count: 256)
        // Where it fails, the statement ends with its timeout: nothing else is to be done.
        _ = unsafe PQcancel(handle, &reason, Int32(reason.count))
    }
}
