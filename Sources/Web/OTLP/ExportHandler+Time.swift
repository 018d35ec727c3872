// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import NIOCore

/// How long anything may take, and waiting for memory.
extension ExportHandler {
    // MARK: Timer

    /// The first byte of a next request may have come.
    func bytesArrived() {
        guard case .awaitingHead = state, !hasHeadBegun, let context else { return }
        hasHeadBegun = true
        setDue(context.eventLoop.now + service.limits.headTime, context)
    }

    /// Lets the time of a state run that has just begun.
    func restartTimer(_ context: ChannelHandlerContext) {
        let now = context.eventLoop.now
        let limits = service.limits
        hasHeadBegun = false
        switch state {
        case .awaitingHead: setDue(now + limits.idleTime, context)
        case .receivingBody: setDue(min(deadline, now + limits.bodyPauseTime), context)
        case .refusing: setDue(now + limits.bodyPauseTime, context)
        case .pending: setDue(deadline, context)
        case .lingering: setDue(now + limits.lingerTime, context)
        case .closed: due = nil
        }
    }

    /// A part of the body has been kept.
    func bodyArrived(_ context: ChannelHandlerContext) {
        setDue(min(deadline, context.eventLoop.now + service.limits.bodyPauseTime), context)
        guard pausedSince == nil, isMemoryShort else { return }
        // A stream that is not read from fills memory that nobody counts.
        guard transport == .http1 else { return finish(overBudget, context) }
        pausedSince = context.eventLoop.now
        lookAtMemoryLater(context)
    }

    /// A timer that is armed for an earlier time stays: it looks again when it fires.
    private func setDue(_ due: NIODeadline, _ context: ChannelHandlerContext) {
        self.due = due
        if let armedFor, armedFor <= due { return }
        timer?.cancel()
        arm(due, context)
    }

    private func arm(_ due: NIODeadline, _ context: ChannelHandlerContext) {
        armedFor = due
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        timer = context.eventLoop.scheduleTask(deadline: due) { handler.value.timerFired() }
    }

    func stopTimer() {
        timer?.cancel()
        timer = nil
        armedFor = nil
        due = nil
    }

    private func timerFired() {
        armedFor = nil
        guard let context, let due else { return }
        guard context.eventLoop.now >= due else { return arm(due, context) }
        self.due = nil
        timeIsUp(context)
    }

    private func timeIsUp(_ context: ChannelHandlerContext) {
        switch state {
        case .awaitingHead, .lingering, .closed:
            if hasHeadBegun { service.receiver.counters.add(.abortedForSlowHeaders) }
            context.close(promise: nil)
        case .receivingBody where context.eventLoop.now < deadline:
            // Not 408, which says that the same request need not come again.
            finish(
                .retry(
                    afterMs: Limits.retryAfterMsMin,
                    message: "the body did not come for "
                        + "\(service.limits.bodyPauseTime.nanoseconds / 1_000_000_000) s"),
                context)
        case .receivingBody:
            finish(.expired, context)
        case .pending:
            giveUp()
            finish(.expired, context)
        case .refusing(let answer, _):
            respond(answer, isEnded: false, context)
        }
    }

    // MARK: Memory

    private func lookAtMemoryLater(_ context: ChannelHandlerContext) {
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: service.limits.memoryLookTime) {
            handler.value.lookAtMemory()
        }
    }

    private func lookAtMemory() {
        guard let context, let pausedSince else { return }
        if !isMemoryShort { return stopPausing(context) }
        if context.eventLoop.now - pausedSince >= service.limits.memoryWaitTime {
            finish(overBudget, context)
        } else {
            lookAtMemoryLater(context)
        }
    }

    func stopPausing(_ context: ChannelHandlerContext) {
        guard pausedSince != nil else { return }
        pausedSince = nil
        if isReadHeld {
            isReadHeld = false
            context.read()
        }
    }
}
