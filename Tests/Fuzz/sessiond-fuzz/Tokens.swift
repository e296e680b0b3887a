import Glibc
import Platform
import TestSupport

@testable import Tokens

/// A shared secret, so that what follows the signature is reached, too.
private let secret = [UInt8](repeating: 0x42, count: 32)
private let seconds: Int64 = 1_700_000_000

private let verifier: TokenVerifier = {
  // {"k": base64url of the secret}
  let jwks = #"{"keys":[{"kty":"oct","kid":"k","k":"\#(base64URL(secret))"}]}"#
  do {
    let folder = try TemporaryFolder()
    folder.write(Array(jwks.utf8), to: "keys.json")
    return try TokenVerifier(
      issuers: [
        IssuerConfiguration(
          issuer: "https://id.example", keyFile: folder("keys.json"), audiences: .anyOf(["sessiond"]), tenants: .any)
      ], cacheLimit: 16)
  } catch {
    fatalError("\(error)")
  }
}()

/// Tokens: the input as it is, which nobody has signed; and its lines as header and payload of one that is.
func fuzzToken(_ bytes: [UInt8]) {
  if case .verified(let token) = verifier.verify(bytes.span, nowSeconds: seconds) {
    require(false, "a token that nobody signed is good for \(token)")
  }
  let parts = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
  guard parts.count == 2 else { return }
  let signed = Array("\(base64URL(Array(parts[0]))).\(base64URL(Array(parts[1])))".utf8)
  let signature = hmac(signed)
  let token = signed + Array(".\(base64URL(signature))".utf8)
  let outcome = verifier.verify(token.span, nowSeconds: seconds)
  require(verifier.verify(token.span, nowSeconds: seconds) == outcome, "a token is judged otherwise the second time")
  guard case .verified(let verified) = outcome else {
    if case .rejected(let rejection) = outcome {
      require(rejection.reason.utf8.allSatisfy { (0x20...0x7e).contains($0) }, "the reason is no plain text")
    }
    return
  }
  require(verified.goodUntilSeconds > seconds, "\(verified) is good")
  for id in [verified.sessionID, verified.customerID].compactMap({ $0 }) {
    require((1...200).contains(id.utf8.count) && id.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }, "\(id) is no id")
  }
  var other = signature
  other[bytes.count % other.count] ^= 1 << UInt8(bytes.count / other.count % 8)
  let forged = signed + Array(".\(base64URL(other))".utf8)
  require(verifier.verify(forged.span, nowSeconds: seconds) == .rejected(.badSignature), "a forged signature is good")
}

/// HMAC with SHA-256 (RFC 2104).
private func hmac(_ message: [UInt8]) -> [UInt8] {
  let block = secret + [UInt8](repeating: 0, count: 64 - secret.count)
  var inner: [UInt8] = []
  sha256((block.map { $0 ^ 0x36 } + message).span).append(to: &inner)
  var outer: [UInt8] = []
  sha256((block.map { $0 ^ 0x5c } + inner).span).append(to: &outer)
  return outer
}

private func base64URL(_ bytes: [UInt8]) -> String {
  let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
  var text: [UInt8] = []
  for start in stride(from: 0, to: bytes.count, by: 3) {
    let group = bytes[start..<min(start + 3, bytes.count)]
    let bits = group.enumerated().reduce(0) { $0 | Int($1.element) << (16 - 8 * $1.offset) }
    for place in 0...group.count { text.append(alphabet[bits >> (18 - 6 * place) & 63]) }
  }
  return String(decoding: text, as: UTF8.self)
}
