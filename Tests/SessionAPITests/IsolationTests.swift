import Platform
import Testing
import TestSupport

@Suite("the rule of the authoriser") struct IsolationTests {
  @Test("only Authorizer.swift can make the proof that opens a tenant's data")
  func spi() throws {
    let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    let sources = parts.dropLast(3).joined(separator: "/") + "/Sources"
    let files = TemporaryFolder.files(below: sources).filter { $0.hasSuffix(".swift") }
    #expect(files.count > 100)
    var importers: [String] = []
    var makers: [String] = []
    for file in files {
      let text = String(decoding: try Files.read(file), as: UTF8.self)
      let name = String(file.dropFirst(sources.count + 1))
      if text.contains("@_spi(Authorizer)") && text.contains("import SessionModel") { importers.append(name) }
      if text.contains("AuthorizedTenant(") || text.contains("(granting:") { makers.append(name) }
    }
    #expect(importers == ["SessionAPI/Authorizer.swift"])
    #expect(makers == ["SessionAPI/Authorizer.swift"])
  }
}
