// SPDX-License-Identifier: Apache-2.0

/// One installation of PostgreSQL's server programs.
struct PostgresPrograms: Equatable {
    /// Absolute; `initdb` and `postgres` are in it.
    let folder: String
    /// For example 15.
    let majorVersion: Int

    var initdb: String { folder + "/initdb" }
    var postgres: String { folder + "/postgres" }

    /// The oldest version that the schema is tested with.
    static let majorVersionMin = 15

    private static let debianFolder = "/usr/lib/postgresql"

    /// The installation to use: in `chosenFolder`, or the first that fits of those on `path` and,
    /// newest first, Debian's versioned ones.
    ///
    /// - Parameter dataVersion: The major version that an existing cluster needs; nil for a new
    ///   one.
    static func find(
        chosenFolder: String?, path: String, dataVersion: Int?,
        version: (String) throws(EmbeddedError) -> Int = installedVersion
    ) throws(EmbeddedError) -> PostgresPrograms {
        var found: [PostgresPrograms] = []
        for folder in candidates(chosenFolder: chosenFolder, path: path) where isComplete(folder) {
            found.append(
                PostgresPrograms(folder: folder, majorVersion: try version(folder + "/postgres")))
        }
        guard let first = found.first else { throw missing(chosenFolder) }
        if let dataVersion {
            guard let fitting = found.first(where: { $0.majorVersion == dataVersion }) else {
                throw mismatch(first, dataVersion: dataVersion)
            }
            return fitting
        }
        guard let fitting = found.first(where: { $0.majorVersion >= majorVersionMin }) else {
            throw EmbeddedError(
                .setup,
                "\(first.folder) has PostgreSQL \(first.majorVersion), which is older than "
                    + "\(majorVersionMin)",
                remedy: "install a newer one, or name its folder with --pg-bin")
        }
        return fitting
    }

    /// `17` of `postgres (PostgreSQL) 17.2 (Debian 17.2-1)` or `… 18beta1`; nil of other text.
    static func majorVersion(_ text: String) -> Int? {
        guard let mark = text.firstRange(of: "(PostgreSQL) ") else { return nil }
        return Int(text[mark.upperBound...].prefix { $0.isASCII && $0.isNumber })
    }

    static func candidates(chosenFolder: String?, path: String) -> [String] {
        if let chosenFolder { return [FileSystem.absolute(chosenFolder)] }
        let onPath = path.split(separator: ":").map(String.init).filter { $0.hasPrefix("/") }
        let versions = FileSystem.names(in: debianFolder).compactMap { Int($0) }.sorted(by: >)
        return onPath + versions.map { "\(debianFolder)/\($0)/bin" }
    }

    private static func isComplete(_ folder: String) -> Bool {
        ["initdb", "postgres"].allSatisfy { FileSystem.isExecutable(folder + "/" + $0) }
    }

    private static func installedVersion(_ program: String) throws(EmbeddedError) -> Int {
        let (ending, output) = try ChildProcess.run([program, "--version"], environment: [:])
        guard ending == .exited(0), let version = majorVersion(output) else {
            throw EmbeddedError(
                .setup, "\(program) --version ended with \(ending) and said \"\(output)\"",
                remedy: "name another installation with --pg-bin")
        }
        return version
    }

    private static func missing(_ chosenFolder: String?) -> EmbeddedError {
        if let chosenFolder {
            return EmbeddedError(
                .setup, "\(chosenFolder) does not contain initdb and postgres",
                remedy: "name the folder with PostgreSQL's server programs after --pg-bin")
        }
        return EmbeddedError(
            .setup, "PostgreSQL's server programs are neither on PATH nor in \(debianFolder)",
            remedy: "install them (apt-get install postgresql), name their folder with --pg-bin, "
                + "or use `starling serve` with a database elsewhere")
    }

    private static func mismatch(
        _ first: PostgresPrograms, dataVersion: Int
    ) -> EmbeddedError {
        EmbeddedError(
            .setup,
            "the database was made by PostgreSQL \(dataVersion), but \(first.folder) has "
                + "\(first.majorVersion)",
            remedy: "install PostgreSQL \(dataVersion), or name its folder with --pg-bin; to move "
                + "on "
                + "to \(first.majorVersion), convert it with pg_upgrade, or begin a new one with "
                + "another --state-dir")
    }
}
