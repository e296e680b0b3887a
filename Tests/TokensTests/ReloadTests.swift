internal import Platform
internal import Synchronization
import Testing

@testable import Tokens

@Suite("Remembered tokens and new keys")
struct ReloadTests {
  private func token(_ key: SigningKey, _ changes: [String: String?] = [:]) -> [UInt8] {
    key.sign(header: #"{"alg":"ES256","kid":"a"}"#, payload: payload(changes))
  }

  @Test("a remembered token is answered as at first, and ends when it expires")
  func remembered() throws {
    let keys = KeyFile(SigningKey.ec.jwk(#""kid":"a""#))
    let verifier = try TokenVerifier(issuers: [issuer(keys)])
    let token = token(.ec, ["nbf": "\(now)"])
    let first = verifier.verify(token, nowSeconds: now)
    #expect(first.token != nil && verifier.rememberedCount == 1)
    #expect(verifier.verify(token, nowSeconds: now) == first)
    #expect(verifier.verify(token, nowSeconds: now + 659) == first)
    #expect(verifier.verify(token, nowSeconds: now - 61).rejection == .notYetValid)
    #expect(verifier.rememberedCount == 1)
    #expect(verifier.verify(token, nowSeconds: now + 660).rejection == .expired)
    #expect(verifier.rememberedCount == 0)
    #expect(verifier.verify(token, nowSeconds: now + 660).rejection == .expired)
  }

  @Test("a refused token is not remembered")
  func refusals() throws {
    let keys = KeyFile(SigningKey.ec.jwk(#""kid":"a""#))
    let verifier = try TokenVerifier(issuers: [issuer(keys)])
    for token in [token(.otherEC), token(.ec, ["exp": "1"]), token(.ec, ["aud": "1"]), [1, 2, 3]] {
      #expect(verifier.verify(token, nowSeconds: now).rejection != nil)
    }
    #expect(verifier.rememberedCount == 0)
  }

  @Test("new keys replace the old ones, and what these verified is forgotten")
  func replaced() throws {
    let keys = KeyFile(SigningKey.ec.jwk(#""kid":"a""#))
    let verifier = try TokenVerifier(issuers: [issuer(keys)])
    #expect(verifier.keyFiles.map(\.change) == [.replaced] && verifier.keyFiles.map(\.keyCount) == [1])
    #expect(verifier.verify(token(.ec), nowSeconds: now).token != nil)
    keys.write(content: KeyFile.set([SigningKey.otherEC.jwk(#""kid":"a""#), SigningKey.rsa.jwk(#""use":"enc""#)]))
    let outcomes = verifier.reload()
    #expect(outcomes.map(\.change) == [.replaced] && outcomes.map(\.keyCount) == [1] && outcomes[0].skipped.count == 1)
    #expect(verifier.rememberedCount == 0)
    #expect(verifier.verify(token(.ec), nowSeconds: now).rejection == .badSignature)
    #expect(verifier.verify(token(.otherEC), nowSeconds: now).token != nil)
  }

  @Test("a token that was verified with keys replaced meanwhile is not remembered")
  func overtaken() throws {
    let keys = KeyFile(SigningKey.ec.jwk(#""kid":"a""#))
    let verifier = try TokenVerifier(issuers: [issuer(keys)])
    let token = token(.ec)
    let before = try verifier.check(token.span, nowSeconds: now)
    keys.write(content: KeyFile.set([SigningKey.otherEC.jwk(#""kid":"a""#)]))
    #expect(verifier.reload().map(\.change) == [.replaced])
    verifier.remember(before.entry, for: sha256(token.span), keyGeneration: before.keyGeneration)
    #expect(verifier.rememberedCount == 0)
    #expect(verifier.verify(token, nowSeconds: now).rejection == .badSignature)
  }

  @Test("the same keys again forget nothing")
  func unchanged() throws {
    let keys = KeyFile(SigningKey.ec.jwk(#""kid":"a""#))
    let verifier = try TokenVerifier(issuers: [issuer(keys)])
    _ = verifier.verify(token(.ec), nowSeconds: now)
    #expect(verifier.reload().map(\.change) == [.unchanged])
    #expect(verifier.rememberedCount == 1)
  }

  @Test("a bad file keeps the old keys and says so, while another issuer's are replaced")
  func kept() throws {
    let bad = KeyFile(SigningKey.ec.jwk(#""kid":"a""#), SigningKey.rsa.jwk(#""use":"enc""#))
    let good = KeyFile(SigningKey.ec.jwk(#""kid":"a""#))
    var other = issuer(good)
    other.issuer = "https://other.example"
    let verifier = try TokenVerifier(issuers: [issuer(bad), other])
    for content in ["{", "{\"keys\":[]}", KeyFile.set([SigningKey.ec.jwk(withPrivateMembers: true)])] {
      bad.write(content: content)
      good.write(content: KeyFile.set([SigningKey.otherEC.jwk("\"kid\":\"\(content.utf8.count)\"")]))
      let outcomes = verifier.reload()
      guard case .kept(.badKeyFile(_, let path, _)) = outcomes[0].change else {
        Issue.record("not kept: \(outcomes[0])")
        continue
      }
      #expect(path == bad.path && outcomes[0].keyCount == 1 && outcomes[0].skipped.isEmpty)
      #expect(outcomes[1].change == .replaced)
      #expect(verifier.verify(token(.ec), nowSeconds: now).token != nil)
    }
    bad.remove()
    #expect("\(verifier.reload()[0].change)".contains("No such file"))
    #expect(verifier.verify(token(.ec), nowSeconds: now).token != nil)
  }

  @Test("the cache stays below its bound and keeps what is used")
  func bound() throws {
    let keys = KeyFile(SigningKey.secret.jwk(#""kid":"a""#))
    let verifier = try TokenVerifier(issuers: [issuer(keys)], cacheLimit: 20)
    for number in 0..<100 {
      let token = SigningKey.secret.sign(
        header: #"{"alg":"HS256","kid":"a"}"#, payload: payload(["sub": "\"\(number)\""]))
      #expect(verifier.verify(token, nowSeconds: now).token?.customerID == "\(number)")
      #expect(verifier.rememberedCount <= 20)
    }
    #expect(verifier.rememberedCount >= 10)

    var cache = TokenCache(limit: 20)
    let entry = TokenCache.Entry(
      token: try #require(
        verifier.verify(
          SigningKey.secret.sign(header: #"{"alg":"HS256","kid":"a"}"#, payload: payload()), nowSeconds: now
        ).token), fromSeconds: 0)
    let used = sha256([0xff].span)
    _ = cache.insert(entry, for: used)
    for number in 0..<200 {
      _ = cache.insert(entry, for: sha256([UInt8(number)].span))
      let stays = cache.entry(for: used) != nil
      #expect(stays, "after \(number)")
      #expect(cache.count <= 20)
    }
  }

  @Test("threads verify at once while keys are replaced, and no token outlives its key")
  func threads() async throws {
    let first = KeyFile.set([SigningKey.ec.jwk(#""kid":"a""#), SigningKey.rsa.jwk(#""kid":"r""#)])
    let second = KeyFile.set([SigningKey.otherEC.jwk(#""kid":"a""#), SigningKey.rsa.jwk(#""kid":"r""#)])
    let keys = KeyFile()
    keys.write(content: first)
    let verifier = try TokenVerifier(issuers: [issuer(keys)], cacheLimit: 16)
    let stop = Flag()
    let tokens = (0..<12).map { token($0 < 6 ? .ec : .otherEC, ["sub": "\"\($0)\""]) }
    let rsaTokens = (0..<12).map {
      SigningKey.rsa.sign(header: #"{"alg":"RS256","kid":"r"}"#, payload: payload(["sub": "\"\($0)\""]))
    }
    await withTaskGroup(of: Void.self) { group in
      for worker in 0..<4 {
        group.addTask {
          var random = SeededGenerator(seed: UInt64(worker))
          repeat {
            let rsa = rsaTokens.randomElement(using: &random) ?? []
            #expect(verifier.verify(rsa, nowSeconds: now).token != nil)
            switch verifier.verify(tokens.randomElement(using: &random) ?? [], nowSeconds: now) {
            case .verified, .rejected(.badSignature): break
            case .rejected(let other): Issue.record("rejected: \(other)")
            }
            await Task.yield()
          } while !stop.isRaised.load(ordering: .relaxed)
        }
      }
      for round in 0..<60 {
        keys.write(content: round % 2 == 0 ? second : first)
        _ = verifier.reload()
        let (good, bad) = round % 2 == 0 ? (tokens[6...], tokens[..<6]) : (tokens[..<6], tokens[6...])
        for token in good { #expect(verifier.verify(token, nowSeconds: now).token != nil) }
        for token in bad { #expect(verifier.verify(token, nowSeconds: now).rejection == .badSignature) }
        await Task.yield()
      }
      stop.isRaised.store(true, ordering: .relaxed)
    }
  }
}

/// A flag that one task raises for the others.
private final class Flag: Sendable {
  let isRaised = Atomic(false)
}
