import HTTPServer
import Platform
import SessionAPI
import SessionModel
import SessionStore
import Testing
import TestSupport

@Suite("the receipt of an erasure") struct ErasureReceiptTests {
  private let test: TestAPI

  init() throws {
    test = try TestAPI()
  }

  @Test("names each session that held something, what of it is gone and where that is recorded, and the log's end")
  func receipt() throws {
    for session in ["b", "a \"1\""] {
      let id = session.replacing(" ", with: "%20").replacing("\"", with: "%22")
      #expect(test.send("PUT", "/context/\(id)?upsert=true", #"{"customerId":"c1"}"#).status == 204)
      #expect(test.send("PATCH", "/context/\(id)", #"{"currency":"EUR","metadata":{"version":1}}"#).status == 204)
    }
    let answer = test.send("POST", "/erasures", #"{"customerId":"c1"}"#, ["X-Request-Id": "r-1"])
    #expect(answer.status == 200)
    #expect(
      answer.body.hasPrefix(
        #"{"erasedAt":"2026-01-01T00:00:00.000000Z","sessions":["#
          + #"{"sessionId":"a \"1\"","erasedPositions":[3,4],"position":5},"#
          + #"{"sessionId":"b","erasedPositions":[1,2],"position":6}],"position":6,"chainHead":""#))
    let head = try #require(answer.body.firstMatch(of: /"chainHead":"([0-9a-f]{64})"}$/)).1
    let nothing = test.send("POST", "/erasures", #"{"customerId":"c1"}"#)
    #expect(
      nothing.body
        == #"{"erasedAt":"2026-01-01T00:00:00.000000Z","sessions":[],"position":6,"chainHead":"\#(head)"}"#)
    let event = test.send("GET", "/events?after=4&limit=1").body
    #expect(event.contains(#""type":"session.erased.v1","subject":"a \"1\"""#))
    #expect(event.contains(#""actor":"development","requestid":"r-1","data":{}"#))
    #expect(test.send("GET", "/events?after=0&limit=1").body.contains(#""erased":true,"data":{}"#))
  }

  @Test("the access log has the position of the last event that an erasure led to")
  func position() throws {
    let records = Monitor<[AccessRecord]>([])
    let api = SessionAPI(
      store: test.store, configuration: SessionAPI.Configuration(), authorizer: .open, logsAccess: true,
      accessLog: { record in records.withLock { $0.append(record) } }, log: { _ in })
    for session in ["s1", "s2"] {
      #expect(test.send("PUT", "/context/\(session)?upsert=true", #"{"customerId":"c1"}"#).status == 204)
    }
    let answer = Monitor<HTTPResponse?>(nil)
    let body = Array(#"{"customerId":"c1"}"#.utf8)
    api.handle(
      HTTPExchange(method: .post, target: TestAPI.base + "/erasures", body: body) { response in
        answer.signal { $0 = response }
      })
    #expect(answer.wait(milliseconds: 60_000) { $0 }?.status == 200)
    #expect(records.withLock { $0.map(\.position) } == [4])
  }

  @Test("a tenant's erasures count among its changes a second")
  func rate() throws {
    let test = try TestAPI(.open, { $0.writesPerSecondPerTenant = 1 })
    let statuses = (0..<4).map { _ in test.send("POST", "/erasures", #"{"customerId":"c1"}"#).status }
    #expect(statuses.first == 200)
    #expect(statuses.contains(429))
  }
}
