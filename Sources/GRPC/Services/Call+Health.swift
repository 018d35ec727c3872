// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import HTTP2

// Calls of grpc.health.v1.Health.
extension Call {
    /// Answers, or begins to.
    func answerHealth(_ method: HealthService.Method, _ request: ByteSlice, on stream: Stream) {
        guard let service = HealthService.service(request: request) else {
            return answer(.error(.internal, "the message is not a HealthCheckRequest"), on: stream)
        }
        let status = connection.health
        switch method {
        case .check:
            guard HealthService.services.contains(service) else {
                return answer(.error(.notFound, "there is no such service"), on: stream)
            }
            answer(.of(HealthService.response(HealthService.serving(status))), on: stream)
        case .list:
            answer(.of(HealthService.list(HealthService.serving(status))), on: stream)
        case .watch:
            watch = HealthWatch(service: service)
            beginLasting(.streaming)
            Answer.begin(on: stream, of: connection.session)
            tellHealth(on: stream)
            if status.isDraining { endLasting(on: stream) }
        }
    }

    /// Tells a watching client what has changed. One message waits at most: while the client does
    /// not read, later changes take its place.
    func tellHealth(on stream: Stream) {
        guard watch != nil, !stream.hasUnsentBody else { return }
        guard let news = watch?.news(connection.health) else { return }
        connection.session.append(
            Answer.framed(HealthService.response(news).bytes), on: stream)
    }

    /// Ends a Watch or a reflection, which would keep its connection open for ever. The last status
    /// goes first.
    func endLasting(on stream: Stream) {
        guard state == .streaming || state == .conversing else { return }
        tellHealth(on: stream)
        watch = nil
        finishStreaming(.unavailable, "the daemon is stopping", on: stream)
    }
}
