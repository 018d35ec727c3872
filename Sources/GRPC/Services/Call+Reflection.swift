// SPDX-License-Identifier: Apache-2.0
internal import Base
internal import HTTP2

// Calls of grpc.reflection, which ask any number of questions.
extension Call {
    func beginReflection(on stream: Stream) {
        guard connection.conversationCount < connection.settings.conversationCountMax else {
            return answer(
                .error(
                    .resourceExhausted,
                    "the connection has \(connection.conversationCount) calls of reflection "
                        + "already"), on: stream)
        }
        connection.conversationCount += 1
        isConversation = true
        beginLasting(.conversing)
        Answer.begin(on: stream, of: connection.session)
        if connection.health.isDraining {
            finishStreaming(.unavailable, "the daemon is stopping", on: stream)
        }
    }

    /// Takes the messages out of the bytes one after the other, and answers each.
    func converse(_ bytes: ByteSlice, on stream: Stream) {
        connection.session.consume(bytes.count, on: stream)
        var rest = bytes
        while !rest.isEmpty, state == .conversing {
            let count = min(rest.count, max(1, deframer?.missingSizeBytes ?? 0))
            let part = rest.slice(offset: 0, count: count)
            rest = rest.slice(offset: count, count: rest.count - count)
            do throws(MessageDeframer.Fault) {
                try deframer?.append(part, limitBytes: ReflectionService.requestSizeBytesMax)
                if deframer?.isComplete ?? false { try answerQuestion(on: stream) }
            } catch .overBudget {
                finishForWantOfMemory(on: stream)
            } catch {
                finishStreaming(.internal, "a message is broken or too large", on: stream)
            }
        }
    }

    /// The client has asked all; a message that was begun must be whole.
    func endReflection(on stream: Stream) {
        let isWhole = deframer?.isEmpty ?? true
        deframer = nil
        finishStreaming(
            isWhole ? .ok : .internal, isWhole ? "" : "the call ended inside its message",
            on: stream)
    }

    private func answerQuestion(on stream: Stream) throws(MessageDeframer.Fault) {
        guard let whole = deframer.take() else { return }
        deframer = MessageDeframer(budget: connection.budget)
        let isCompressed = whole.isCompressed
        guard !isCompressed || isGzipAnnounced else {
            return finishStreaming(.internal, Call.notAnnounced, on: stream)
        }
        let payload = try whole.finish()
        let answer: WireMessage?
        do throws(Inflater.Fault) {
            answer = try ReflectionService.response(payload, isCompressed, connection.budget)
        } catch .overBudget {
            return finishForWantOfMemory(on: stream)
        } catch {
            answer = nil
        }
        guard let answer else {
            return finishStreaming(
                .invalidArgument, "the message is not a ServerReflectionRequest", on: stream)
        }
        guard stream.unsentBodySizeBytes <= ReflectionService.unreadSizeBytesMax else {
            return finishStreaming(
                .resourceExhausted, "the answers to earlier questions were not read", on: stream)
        }
        connection.session.append(Answer.framed(answer.bytes), on: stream)
    }

    private func finishForWantOfMemory(on stream: Stream) {
        finishStreaming(.unavailable, "no memory is free for this question now", on: stream)
    }
}

extension ReflectionService {
    fileprivate static func response(
        _ payload: borrowing OwnedBytes, _ isCompressed: Bool, _ budget: MemoryBudget
    ) throws(Inflater.Fault) -> WireMessage? {
        guard isCompressed else { return response(to: payload.slice) }
        let inflated = try Inflater.inflate(
            payload.slice, limitBytes: requestSizeBytesMax, budget: budget)
        return response(to: inflated.slice)
    }
}
