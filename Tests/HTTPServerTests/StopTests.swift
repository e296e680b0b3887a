import HTTPServer
import TestSupport
import Testing

@Suite struct StopTests {
  @Test(
    "a listener that is passed from server to server loses no request and no stream, whenever they stop",
    arguments: propertySeeds())
  func passesOn(seed: UInt64) throws {
    var randomness = SeededRandomness(seed: seed)
    let crowd = try Crowd()
    crowd.begin(clients: 3, streamClients: 2, pauseSeconds: randomness.pick([0, 0.001, 0.003]))
    for _ in 0..<40 {
      let server = try crowd.serve { $0.workerThreads = randomness.number(1...2) }
      sleep(seconds: Double(randomness.number(0...20)) / 1000)
      #expect(server.drainAndStop() == HTTPServer.DrainReport())
      #expect(server.statistics.openConnections == 0)
      #expect(server.statistics.suspendedRequests == 0)
      #expect(server.statistics.waitingStreams == 0)
    }
    let last = try crowd.serve { _ in }
    #expect(crowd.end())
    last.drainAndStop()
    #expect(crowd.failures == [])
    #expect(crowd.answerCount > 40)
  }

  @Test(
    "a server without the time to answer stops safely, whatever is suspended at that moment", arguments: propertySeeds()
  )
  func hurries(seed: UInt64) throws {
    var randomness = SeededRandomness(seed: seed)
    let crowd = try Crowd()
    crowd.begin(clients: 4, streamClients: 4, pauseSeconds: 0)
    for _ in 0..<40 {
      let server = try crowd.serve {
        $0.workerThreads = randomness.number(1...2)
        $0.drainTimeoutSeconds = 0.01
      }
      sleep(seconds: Double(randomness.number(0...20)) / 1000)
      server.drainAndStop()
      #expect(server.statistics.suspendedRequests == 0)
      #expect(server.statistics.waitingStreams == 0)
    }
    let last = try crowd.serve { _ in }
    #expect(crowd.end())
    last.drainAndStop()
    #expect(crowd.answerCount > 0)
  }
}
