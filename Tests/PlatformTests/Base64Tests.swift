import Platform
import TestSupport
import Testing

@Suite("Base64") struct Base64Tests {
  @Test(
    "the test vectors of RFC 4648",
    arguments: [
      ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
      ("foobar", "Zm9vYmFy"),
    ])
  func vectors(text: String, encoded: String) {
    var bytes: [UInt8] = []
    bytes.appendBase64(Array(text.utf8).span)
    #expect(String(decoding: bytes, as: UTF8.self) == encoded)
    #expect([UInt8](base64: Array(encoded.utf8).span) == Array(text.utf8))
  }

  @Test("any bytes come out as they went in")
  func roundTrip() {
    for seed in propertySeeds() {
      var randomness = SeededRandomness(seed: seed)
      for count in 0..<200 {
        let bytes = randomness.bytes(count)
        var encoded: [UInt8] = []
        encoded.appendBase64(bytes.span)
        #expect([UInt8](base64: encoded.span) == bytes, "seed \(seed)")
      }
    }
  }

  @Test(
    "text that no bytes encode to is refused",
    arguments: ["Z", "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm 9", "Zm9-", "Zm9v\n", "Zé=="])
  func refused(text: String) {
    #expect([UInt8](base64: Array(text.utf8).span) == nil)
  }
}
