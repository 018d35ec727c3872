// SPDX-License-Identifier: Apache-2.0
import Base
import NIOCore
import NIOEmbedded
import Testing

@testable import Web

// Goal: a client that does not read its answers is not read from. Method: a channel whose output is
// said to be full.

@Suite struct PipelineLimitTests {
    @Test func nothingIsReadWhileAnswersWait() throws {
        let reads = ReadCounter()
        let channel = EmbeddedChannel(handlers: [
            reads, PipelineLimit(countMax: 1, counters: Counters()),
        ])
        channel.read()
        #expect(reads.count == 1)
        channel.isWritable = false
        channel.pipeline.fireChannelWritabilityChanged()
        channel.read()
        channel.read()
        #expect(reads.count == 1)
        channel.isWritable = true
        channel.pipeline.fireChannelWritabilityChanged()
        #expect(reads.count == 2)
        channel.pipeline.fireChannelWritabilityChanged()
        #expect(reads.count == 2)
        _ = try channel.finish(acceptAlreadyClosed: true)
    }
}
