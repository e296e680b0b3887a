// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableExperimentalFeature("Lifetimes"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("ExistentialAny"),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
]

let package = Package(
  name: "sessiond",
  targets: [
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CCjose", pkgConfig: "cjose", providers: [.apt(["libcjose-dev", "libjansson-dev"])]),
    .systemLibrary(name: "CLinux"),
    .systemLibrary(name: "CXXHash", providers: [.apt(["libxxhash-dev"])]),
    .systemLibrary(name: "CMicrohttpd", pkgConfig: "libmicrohttpd", providers: [.apt(["libmicrohttpd-dev"])]),
    .systemLibrary(name: "CLMDB", pkgConfig: "lmdb", providers: [.apt(["liblmdb-dev"])]),
    .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(name: "Compression", dependencies: ["CZlib"], swiftSettings: settings),
    .target(name: "Systemd", dependencies: ["CSystemd"], swiftSettings: settings),
    .target(name: "Platform", dependencies: ["CCrypto", "CLinux", "CXXHash"], swiftSettings: settings),
    .target(name: "LMDB", dependencies: ["CLMDB", "Platform"], swiftSettings: settings),
    .target(name: "SessionModel", swiftSettings: settings),
    .target(
      name: "CSimdjson", linkerSettings: [.linkedLibrary("simdjson")]),
    .target(
      name: "SessionCodec", dependencies: ["CSimdjson", "Platform", "SessionModel"], swiftSettings: settings),
    .target(
      name: "EventLog", dependencies: ["LMDB", "Platform", "SessionCodec", "SessionModel"], swiftSettings: settings),
    .target(
      name: "Projections", dependencies: ["EventLog", "LMDB", "Platform", "SessionCodec", "SessionModel"],
      swiftSettings: settings),
    .target(
      name: "SessionStore",
      dependencies: ["EventLog", "LMDB", "Platform", "Projections", "SessionCodec", "SessionModel"],
      swiftSettings: settings),
    .target(
      name: "Archive", dependencies: ["Compression", "EventLog", "Platform", "SessionCodec", "SessionModel"],
      swiftSettings: settings),
    .target(name: "CEpoll"),
    .target(name: "HTTPServer", dependencies: ["CEpoll", "CMicrohttpd", "Platform"], swiftSettings: settings),
    .target(name: "Tokens", dependencies: ["CCjose", "Platform"], swiftSettings: settings),
    .target(
      name: "SessionAPI",
      dependencies: ["HTTPServer", "Platform", "SessionCodec", "SessionModel", "SessionStore", "Tokens"],
      resources: [.embedInCode("openapi.json")], swiftSettings: settings),
    .executableTarget(
      name: "sessionctl",
      dependencies: ["Archive", "EventLog", "Platform", "SessionCodec", "SessionModel", "SessionStore"],
      swiftSettings: settings),
    .executableTarget(
      name: "sessiond",
      dependencies: [
        "HTTPServer", "LMDB", "Platform", "SessionAPI", "SessionCodec", "SessionModel", "SessionStore", "Systemd",
        "Tokens",
      ],
      swiftSettings: settings),
    .target(
      name: "TestSupport", dependencies: ["EventLog", "LMDB", "Platform", "SessionCodec", "SessionModel"],
      path: "Tests/TestSupport",
      swiftSettings: settings),
    .executableTarget(
      name: "sessionbench",
      dependencies: [
        "EventLog", "LMDB", "Platform", "Projections", "SessionCodec", "SessionModel", "SessionStore", "TestSupport",
      ],
      path: "Tests/Benchmarks/sessionbench", swiftSettings: settings),
    .testTarget(name: "PlatformTests", dependencies: ["Platform", "TestSupport"], swiftSettings: settings),
    .testTarget(name: "LMDBTests", dependencies: ["LMDB", "Platform", "TestSupport"], swiftSettings: settings),
    .testTarget(name: "SessionModelTests", dependencies: ["SessionModel", "TestSupport"], swiftSettings: settings),
    .testTarget(
      name: "SessionCodecTests", dependencies: ["Platform", "SessionCodec", "SessionModel", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "EventLogTests",
      dependencies: ["EventLog", "LMDB", "Platform", "SessionCodec", "SessionModel", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "CompressionTests", dependencies: ["Compression", "Platform", "TestSupport"], swiftSettings: settings),
    .testTarget(
      name: "ArchiveTests",
      dependencies: ["Archive", "EventLog", "LMDB", "Platform", "SessionModel", "TestSupport"], swiftSettings: settings),
    .testTarget(
      name: "ProjectionsTests",
      dependencies: ["EventLog", "LMDB", "Platform", "Projections", "SessionCodec", "SessionModel", "TestSupport"],
      swiftSettings: settings),
    .testTarget(
      name: "SessionStoreTests",
      dependencies: [
        "EventLog", "LMDB", "Platform", "Projections", "SessionCodec", "SessionModel", "SessionStore", "TestSupport",
      ],
      swiftSettings: settings),
    .testTarget(
      name: "HTTPServerTests", dependencies: ["HTTPServer", "Platform", "TestSupport"], swiftSettings: settings),
    .testTarget(name: "TokensTests", dependencies: ["CCjose", "Platform", "Tokens"], swiftSettings: settings),
    .testTarget(
      name: "SessionAPITests",
      dependencies: [
        "HTTPServer", "LMDB", "Platform", "SessionAPI", "SessionCodec", "SessionModel", "SessionStore", "TestSupport",
        "Tokens",
      ],
      swiftSettings: settings),
    .testTarget(
      name: "sessiondTests",
      dependencies: [
        "HTTPServer", "LMDB", "Platform", "SessionAPI", "SessionCodec", "SessionModel", "SessionStore", "TestSupport",
        "Tokens", "sessiond",
      ],
      swiftSettings: settings),
    .testTarget(
      name: "sessionctlTests",
      dependencies: [
        "EventLog", "Platform", "SessionCodec", "SessionModel", "SessionStore", "TestSupport", "sessionctl",
      ],
      swiftSettings: settings),
  ]
)

// Tools of campaigns, which see what is internal: only part of the package for Tests/simulate and Tests/fuzz.
if Context.environment["TEST_SIMULATION"] != nil {
  package.targets.append(
    .executableTarget(
      name: "sessiond-simulate",
      dependencies: [
        "EventLog", "LMDB", "Platform", "Projections", "SessionCodec", "SessionModel", "SessionStore", "TestSupport",
      ],
      path: "Tests/Simulation", swiftSettings: settings))
}
if Context.environment["TEST_FUZZ"] != nil {
  // The daemon's reading of its configuration is built into the fuzzer, since no program can be linked with another one.
  package.targets.removeAll { $0.name.hasPrefix("sessiond") }
  package.targets += [
    .systemLibrary(name: "CFuzzer", path: "Tests/Fuzz/CFuzzer"),
    .executableTarget(
      name: "sessiond-fuzz",
      dependencies: [
        "CFuzzer", "EventLog", "HTTPServer", "LMDB", "Platform", "SessionAPI", "SessionCodec", "SessionModel",
        "SessionStore", "Systemd", "TestSupport", "Tokens",
      ],
      path: ".", exclude: ["Sources/sessiond/main.swift"], sources: ["Sources/sessiond", "Tests/Fuzz/sessiond-fuzz"],
      swiftSettings: settings),
  ]
}
