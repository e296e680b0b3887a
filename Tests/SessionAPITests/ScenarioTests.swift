import Testing

@Suite("the API, in process and over a socket") struct ScenarioTests {
  private func check(_ answer: Answer, _ step: Step, _ number: Int, isSocket: Bool) {
    let place = "step \(number): \(step.request.method) \(step.request.target) \(step.request.body)"
    #expect(answer.status == step.status, "\(place): \(answer.body)")
    if let body = step.body { #expect(answer.body == body, "\(place)") }
    if isSocket && step.request.method == "HEAD" { #expect(answer.body.isEmpty, "\(place)") }
    for (name, value) in step.fields { #expect(answer[name] == value, "\(place): \(name)") }
  }

  @Test("in process", arguments: Scenario.all)
  func inProcess(_ scenario: Scenario) throws {
    let test = try TestAPI()
    for (number, step) in scenario.steps.enumerated() {
      check(test.send(step.request), step, number, isSocket: false)
    }
    #expect(test.logged == [])
  }

  @Test("over a socket", arguments: Scenario.all)
  func overSocket(_ scenario: Scenario) throws {
    let test = try TestAPI()
    let server = try TestAPIServer(test)
    for (number, step) in scenario.steps.enumerated() {
      check(try server.send(step.request), step, number, isSocket: true)
    }
  }

  @Test("a body that is too large is refused by the server with 413")
  func tooLarge() throws {
    let server = try TestAPIServer(try TestAPI())
    let body = #"{"siteCode":""# + String(repeating: "x", count: 64 * 1024) + #""}"#
    let answer = try server.send(Request("PUT", TestAPI.base + "/context/s1?upsert=true", body))
    #expect(answer.status == 413)
    #expect(answer.body.hasPrefix(#"{"code":413,"message":""#))
  }

  @Test("a method that nobody knows is refused with 405")
  func unknownMethod() throws {
    let server = try TestAPIServer(try TestAPI())
    let answer = try server.send(Request("BREW", TestAPI.base + "/context/s1"))
    #expect(answer.status == 405)
    #expect(answer["Allow"] == "GET, HEAD, PUT, PATCH, DELETE, OPTIONS")
  }
}
