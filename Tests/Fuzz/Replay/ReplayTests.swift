// SPDX-License-Identifier: Apache-2.0
import Base
import CLinux
import Foundation
import Testing

// Goal: what a fuzzer has found once stays found, and what it knows of each target is tried with
// every change. Method: every file of corpus/ and failures/ goes through the same functions,
// without a fuzzer.

private let folder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent()

private func inputs(_ kind: String, _ target: FuzzTarget) -> [URL] {
    let place = folder.appendingPathComponent(kind).appendingPathComponent(target.name)
    let files = try? FileManager.default.contentsOfDirectory(
        at: place, includingPropertiesForKeys: nil)
    return (files ?? []).sorted { $0.path < $1.path }
}

@Suite(.serialized) struct ReplayTests {
    @Test(arguments: FuzzTarget.all.map(\.name))
    func everyInputHolds(name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        let corpus = inputs("corpus", target)
        #expect(!corpus.isEmpty, "\(name) has no corpus")
        for file in corpus + inputs("failures", target) {
            let bytes = Array(try Data(contentsOf: file))
            let name = "\(target.name)/\(file.lastPathComponent)"
            #expect(throws: Never.self, "\(name)") {
                try withSlice(bytes) { try target.check($0) }
            }
        }
    }

    @Test func everyFolderBelongsToATarget() throws {
        for kind in ["corpus", "failures"] {
            let place = folder.appendingPathComponent(kind)
            for name in try FileManager.default.contentsOfDirectory(atPath: place.path)
            where name != ".gitkeep" {
                #expect(FuzzTarget.named(name) != nil, "\(kind)/\(name)")
            }
        }
    }
}

// Goal: a target that nothing can break tests nothing. Method: a check that fails says so.
@Test func aBrokenPromiseIsSeen() {
    #expect(throws: Broken.self) { try hold(false, "no") }
    #expect(throws: Never.self) { try hold(true, "yes") }
}
