// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Collector
@testable import Postgres

// Goal: notes are bounded, and each is handed over once.
struct SightingNotesTests {
    @Test func notesAreBounded() {
        var notes = SightingNotes.Notes()
        for id in 1...Int64(SightingNotes.idCountMax + 5) { notes.insert(id, .metrics) }
        notes.insert(7, .resources)
        notes.insert(7, .resources)
        #expect(notes[.metrics].count == SightingNotes.idCountMax)
        #expect(notes[.resources] == [7])
        #expect(notes[.scopes].isEmpty)
    }
}
