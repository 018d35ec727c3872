// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// What a start reads of the binary stays resident: relocations in short form (3 MB less; glibc
/// 2.36 or later), code that is the same once, and data apart from code. Only LLVM's linker can.
let smallInMemory: [LinkerSetting] = [
    .unsafeFlags(
        [
            "-use-ld=lld", "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs", "-Xlinker",
            "--icf=safe",
        ], .when(configuration: .release))
]

/// A station of the data path: what it may import is what is listed here, and nothing downstream
/// of it.
func station(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

/// The targets of the fuzzers and their corpora are tests; with STARLING_FUZZ in the environment
/// (see Tests/Fuzz/run), the same sources are a program around libFuzzer instead.
func fuzzers(_ dependencies: [Target.Dependency]) -> Target {
    let others = ["CLibFuzzer", "corpus", "failures", "run", "make-seeds", "differential.py"]
    guard Context.environment["STARLING_FUZZ"] != nil else {
        return .testTarget(
            name: "Fuzz", dependencies: dependencies, path: "Tests/Fuzz",
            exclude: others + ["Program"], swiftSettings: settings)
    }
    return .executableTarget(
        name: "Fuzz", dependencies: dependencies, path: "Tests/Fuzz",
        exclude: others + ["Replay"], swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

let package = Package(
    name: "starling",
    products: [.executable(name: "starling", targets: ["starling"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        // Without its defaults: they bring in swift-configuration and all of Foundation.
        .package(
            url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
    ],
    targets: [
        // Fences: one per C library, declarations only.
        .systemLibrary(name: "CLinux"),
        .systemLibrary(
            name: "CNghttp2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(
            name: "CProtobufC", pkgConfig: "libprotobuf-c", providers: [.apt(["libprotobuf-c-dev"])]
        ),
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "COTLP", dependencies: ["CProtobufC"]),

        // Ground.
        station("Base", ["CLinux"]),

        // Stations, in the order in which a byte meets them.
        station("TLS", ["Base", "COpenSSL", "CLinux"]),
        station("Socket", ["Base", "TLS", "CLinux"]),
        station("HTTP2", ["Base", "CNghttp2"]),
        station("GRPC", ["Base", "HTTP2", "COTLP", "CProtobufC", "CZlib"]),
        station("Decode", ["Base", "COTLP", "CProtobufC"]),
        station("Ring", ["Base", "Decode"]),
        station("Spool", ["Base", "CLinux"]),
        station("Rows", ["Base", "Decode", "COpenSSL"]),
        station("Copy", ["Base", "Decode", "Rows"]),
        station("Postgres", ["Base", "Decode", "Copy", "Rows", "CLibPQ", "CLinux"]),

        // Beside the path: answers questions about what is stored.
        station("Query", ["Base", "Decode", "Rows", "Postgres", "CZlib"]),

        // Beside the path: what is served over HTTP: OTLP, the query API, and what the daemon says
        // about itself. Knows no station.
        station(
            "Web",
            [
                "Base", "TLS", "Query",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOExtras", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "Logging", package: "swift-log"),
            ]),

        // The composition root, and the command on top of it.
        station(
            "Collector",
            [
                "Base", "TLS", "Socket", "HTTP2", "GRPC", "Decode", "Ring", "Spool", "Rows", "Copy",
                "Postgres", "CLinux",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Yams", package: "Yams"),
            ]),
        .executableTarget(
            name: "starling",
            dependencies: [
                "Base", "TLS", "Socket", "Postgres", "Collector", "Query", "Web", "CLinux",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings, linkerSettings: smallInMemory),

        // The stations of the path alone, for profilers; see Tests/Benchmarks.
        .executableTarget(
            name: "Stations",
            dependencies: [
                "Base", "HTTP2", "GRPC", "Decode", "Rows", "Copy", "Collector", "OTLPFixtures",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/Stations", swiftSettings: settings),

        tests("BaseTests", ["Base"]),
        tests("TLSTests", ["Base", "TLS", "Socket", "COpenSSL", "CLinux"]),
        tests("SocketTests", ["Base", "Socket", "TLS", "CLinux"]),
        tests("HTTP2Tests", ["Base", "HTTP2"]),
        tests("GRPCTests", ["Base", "HTTP2", "GRPC"]),
        tests("DecodeTests", ["Base", "Decode", "COTLP", "CProtobufC", "OTLPFixtures"]),
        tests(
            "WebTests",
            [
                "Base", "Web", "Query", "Postgres",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        tests("RingTests", ["Base", "Decode", "Ring"]),
        tests("SpoolTests", ["Base", "Spool", "CLinux"]),
        .target(
            name: "OTLPFixtures", dependencies: ["Base", "Decode", "Rows"],
            path: "Tests/OTLPFixtures", swiftSettings: settings),
        tests("RowsTests", ["Base", "Decode", "Rows", "OTLPFixtures"]),
        tests("CopyTests", ["Base", "Decode", "Rows", "Copy", "OTLPFixtures"]),
        tests("QueryTests", ["Base", "GRPC", "Postgres", "Query", "Rows"]),
        tests("PostgresTests", ["Base", "Decode", "Rows", "Copy", "Postgres"]),
        tests(
            "CollectorTests",
            [
                "Base", "TLS", "Socket", "GRPC", "Decode", "Ring", "Rows", "Copy", "Postgres",
                "Spool", "Collector", "CLinux", "OTLPFixtures",
                .product(name: "Logging", package: "swift-log"),
            ]),
        .systemLibrary(name: "CLibFuzzer", path: "Tests/Fuzz/CLibFuzzer"),
        fuzzers([
            "Base", "Socket", "Query", "Postgres", "HTTP2", "GRPC", "Decode", "Rows", "Copy",
            "Spool", "Collector", "CLinux",
            "CLibFuzzer", "OTLPFixtures",
        ]),
    ]
)

// A sanitizer has to be in everything that is linked, and what is not ours is not tested here: see
// scripts/test-sanitized.
if Context.environment["STARLING_SANITIZE"] != nil {
    package.products = []
    package.targets.removeAll { ["Web", "WebTests", "Stations", "starling"].contains($0.name) }
    package.dependencies.removeAll { dependency in
        guard case .sourceControl(_, let location, _) = dependency.kind else { return false }
        return !["Yams", "swift-log"].contains { location.hasSuffix($0) }
    }
}
