// SPDX-License-Identifier: Apache-2.0

/// One step of the schema: a file of migrations/, applied once and never changed afterwards.
package struct Migration: Sendable, Equatable {
    /// The number that the file begins with; without gaps from 1.
    package let version: Int32
    package let name: String
    /// One or more statements. Runs inside a transaction, so it holds none that refuse to.
    package let sql: String

    package init(version: Int32, name: String, sql: String) {
        self.version = version
        self.name = name
        self.sql = sql
    }

    /// The name of its file, for people: `0002_dimensions.sql`.
    package var fileName: String {
        let digits = String(version)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + "\(digits)_\(name).sql"
    }
}

/// Why a database is not, or cannot be brought, to the schema of this binary.
package enum MigrationError: Error, Equatable {
    /// The database did not do as asked, outside of the migrations themselves.
    case database(DatabaseError)
    /// A statement of a migration failed, at `line` of the file where the server said so.
    case failed(file: String, line: Int?, DatabaseError)
    /// An applied migration is not what this binary carries under that number.
    case changed(file: String)
    /// The database has no version `version`, but a later one.
    case gap(version: Int32)
    /// The database was migrated by a newer binary.
    case databaseIsNewer(databaseVersion: Int32, binaryVersion: Int32)
    /// The server cannot hold the schema.
    case unsuitableServer(String)
}

extension MigrationError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .database(let error):
            return error.description
        case .failed(let file, let line, let error):
            let place = line.map { " line \($0)" } ?? ""
            return "migration \(file)\(place): \(error)"
        case .changed(let file):
            return "migration \(file) was changed after it was applied to this database"
        case .gap(let version):
            return "the database lacks migration \(version), yet has later ones"
        case .databaseIsNewer(let databaseVersion, let binaryVersion):
            return "the database has schema version \(databaseVersion), this binary knows"
                + " \(binaryVersion): use a newer binary"
        case .unsuitableServer(let sentence):
            return sentence
        }
    }
}
