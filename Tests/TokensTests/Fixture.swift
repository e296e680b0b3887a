internal import Glibc
internal import Synchronization
import Testing

@testable import Tokens

/// A file with a JWK set, removed when the tests end.
struct KeyFile: Sendable {
  let path: String

  // Files outlive their values: a verifier reads the path after the last use of the value that names it.
  private static let made = Mutex<[String]>([])
  private static let removedAtExit: Void = {
    _ = atexit { KeyFile.made.withLock { $0.forEach { unsafe unlink($0) } } }
  }()

  init(_ jwks: String...) {
    _ = Self.removedAtExit
    let path = "/tmp/sessiond-tokens-\(getpid())-\(UInt64.random(in: 0...UInt64.max)).json"
    Self.made.withLock { $0.append(path) }
    self.path = path
    write(content: Self.set(jwks))
  }

  static func set(_ jwks: [String]) -> String { "{\"keys\":[\(jwks.joined(separator: ","))]}" }

  func write(content: String) {
    guard let file = unsafe fopen(path, "w") else { fatalError("cannot write \(path)") }
    _ = unsafe fwrite(content, 1, content.utf8.count, file)
    _ = unsafe fclose(file)
  }

  func remove() { _ = unsafe unlink(path) }
}

/// The time of every test, in seconds.
let now: Int64 = 1_700_000_000

/// The name of the issuer of every test.
let issuerName = "https://id.example"

/// An issuer with the usual settings.
func issuer(_ keys: KeyFile) -> IssuerConfiguration {
  IssuerConfiguration(issuer: issuerName, keyFile: keys.path, audiences: .anyOf(["sessiond"]), tenants: .any)
}

/// The JSON text of a payload: good claims, with `members` (JSON text, null to leave one out) laid over them.
func payload(_ changes: [String: String?] = [:]) -> String {
  var claims: [String: String] = [
    "iss": "\"\(issuerName)\"", "aud": "\"sessiond\"", "exp": "\(now + 600)", "tenant": "\"acme\"",
  ]
  for (name, value) in changes { claims[name] = value }
  return "{" + claims.sorted { $0.key < $1.key }.map { "\"\($0)\":\($1)" }.joined(separator: ",") + "}"
}

/// A verifier whose issuer has one key of each kind.
struct Verifying {
  let verifier: TokenVerifier

  init(_ configure: (inout IssuerConfiguration) -> Void = { _ in }) throws {
    let keys = KeyFile(
      SigningKey.ec.jwk(#""kid":"ec","use":"sig""#), SigningKey.rsa.jwk(#""kid":"rsa","alg":"RS256""#),
      SigningKey.rsa.jwk(#""kid":"pss","alg":"PS256""#), SigningKey.secret.jwk(#""kid":"secret""#))
    var configuration = issuer(keys)
    configure(&configuration)
    verifier = try TokenVerifier(issuers: [configuration])
  }

  /// What becomes of an ES256 token with the usual claims and these changes.
  func outcome(_ changes: [String: String?], at seconds: Int64 = now) -> TokenOutcome {
    outcome(payload: payload(changes), at: seconds)
  }

  func outcome(payload: String, at seconds: Int64 = now) -> TokenOutcome {
    verifier.verify(SigningKey.ec.sign(header: #"{"alg":"ES256","kid":"ec"}"#, payload: payload), nowSeconds: seconds)
  }

  /// The token that an ES256 token with these changes proves; a test failure when it's refused.
  func token(_ changes: [String: String?]) throws -> VerifiedToken {
    try #require(outcome(changes).token)
  }
}

extension TokenVerifier {
  func verify(_ token: [UInt8], nowSeconds: Int64) -> TokenOutcome { verify(token.span, nowSeconds: nowSeconds) }
}

extension TokenOutcome {
  var token: VerifiedToken? {
    if case .verified(let token) = self { token } else { nil }
  }

  var rejection: TokenRejection? {
    if case .rejected(let rejection) = self { rejection } else { nil }
  }
}

/// Base64url without padding.
func base64URL(_ bytes: [UInt8]) -> String {
  let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
  var text: [UInt8] = []
  var bits: UInt32 = 0
  var bitCount: UInt32 = 0
  for byte in bytes {
    bits = bits << 8 | UInt32(byte)
    bitCount += 8
    while bitCount >= 6 {
      bitCount -= 6
      text.append(alphabet[Int(bits >> bitCount & 63)])
    }
  }
  if bitCount > 0 { text.append(alphabet[Int(bits << (6 - bitCount) & 63)]) }
  return String(decoding: text, as: UTF8.self)
}

/// A token in compact form from any three parts.
func compact(_ header: String, _ payload: String, _ signature: [UInt8]) -> [UInt8] {
  Array("\(base64URL(Array(header.utf8))).\(base64URL(Array(payload.utf8))).\(base64URL(signature))".utf8)
}

/// The decoded signature of a token.
func signature(of token: [UInt8]) -> [UInt8] {
  Base64URL.decode(Array(token.split(separator: UInt8(ascii: "."))[2]).span) ?? []
}

/// The token with another signature.
func replacingSignature(of token: [UInt8], with signature: [UInt8]) -> [UInt8] {
  let parts = token.split(separator: UInt8(ascii: "."))
  return parts[0] + [UInt8(ascii: ".")] + parts[1] + [UInt8(ascii: ".")] + Array(base64URL(signature).utf8)
}

/// Reproducible randomness: a failing test prints the seed to run it again with (splitmix64).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }
}
