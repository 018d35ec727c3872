// SPDX-License-Identifier: Apache-2.0
internal import Postgres

/// One thread's session, opened when it is needed and anew when it was lost.
struct Reader: ~Copyable {
    private let settings: ReaderSettings
    private let stop: StopSignal
    private var session: ReadSession?

    init(_ settings: ReaderSettings, stop: StopSignal) {
        self.settings = settings
        self.stop = stop
    }

    /// Lends the session to `body`, whose statements are cancelled once `interruption` is fired.
    mutating func answer<Value>(
        until interruption: StopSignal,
        _ body: (inout ReadSession) throws(QueryFailure) -> Value
    ) -> Result<Value, QueryFailure> {
        guard !interruption.isFired else {
            return .failure(QueryFailure(.cancelled, "the client left"))
        }
        do throws(QueryFailure) {
            var current = try liveSession()
            let result = current.lend(until: interruption, body)
            session = consume current
            return result
        } catch {
            return .failure(error)
        }
    }

    private mutating func liveSession() throws(QueryFailure) -> ReadSession {
        if var idle = session.take(), idle.isAlive() { return idle }
        return try ReadSession(settings, stop: stop)
    }
}
