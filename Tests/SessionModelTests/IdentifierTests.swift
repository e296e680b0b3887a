import SessionModel
import Testing
import TestSupport

@Suite("names") struct IdentifierTests {
  @Test(
    "a tenant's name has 3 to 16 lower-case letters and digits and begins with a letter",
    arguments: [
      ("abc", true), ("a1b2c3", true), ("abcdefghijklmnop", true), ("ab", false), ("", false),
      ("abcdefghijklmnopq", false), ("1ab", false), ("Abc", false), ("aBc", false), ("ab-c", false), ("ab c", false),
      ("äbc", false), ("abc\0", false), ("a.c", false),
    ])
  func tenants(_ name: String, _ isValid: Bool) {
    #expect((TenantID(name) != nil) == isValid)
    if isValid { #expect(TenantID(name)?.description == name) }
  }

  @Test("tenants sort by the bytes of their names")
  func order() {
    let names = ["abc", "abc1", "abcd", "abd", "b12"]
    #expect(names.map { TenantID(valid: $0) }.shuffled().sorted().map(\.description) == names)
  }

  @Test(
    "a session's name has 1 to 200 bytes without control characters",
    arguments: [
      ("s", true), ("", false), (String(repeating: "x", count: 200), true), (String(repeating: "x", count: 201), false),
      (String(repeating: "ö", count: 100), true), (String(repeating: "ö", count: 101), false), ("a b/c", true),
      ("a\nb", false), ("\u{7f}", false), ("\u{1f}", false), ("a\0", false), ("\u{80}", true),
    ])
  func sessions(_ name: String, _ isValid: Bool) {
    #expect((SessionID(name) != nil) == isValid)
    #expect(SessionID(utf8: Array(name.utf8)[...]) == SessionID(name))
  }

  @Test(
    "a session's name is UTF-8", arguments: [[0xff], [0x61, 0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80]] as [[UInt8]])
  func sessionBytes(_ bytes: [UInt8]) {
    #expect(SessionID(utf8: bytes[...]) == nil)
  }

  @Test("every event type has a name of its own with a version")
  func kinds() {
    let names = Event.Kind.allCases.map(\.name)
    #expect(Set(names).count == names.count)
    #expect(names.allSatisfy { $0.hasPrefix("session.") && $0.hasSuffix(".v1") })
    #expect(Event.Kind.allCases.filter { !$0.movesVersion } == [.touched])
  }
}
