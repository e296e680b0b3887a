import Testing

@testable import HTTPServer

@Suite("addresses of clients") struct SocketAddressTests {
  private func origin(_ host: String) throws -> SocketAddress.Origin? {
    try #require(SocketAddress(host: host, port: 1)).origin
  }

  @Test("an IPv4 client is the same one through a socket for both families")
  func mapped() throws {
    #expect(try origin("::ffff:192.0.2.1") == origin("192.0.2.1"))
    #expect(try origin("::ffff:192.0.2.1") != origin("::ffff:192.0.2.2"))
  }

  @Test("IPv6 clients are told apart by their network of 64 bits")
  func networks() throws {
    #expect(try origin("2001:db8::1") == origin("2001:db8::2"))
    #expect(try origin("2001:db8::1") != origin("2001:db8:0:1::1"))
    #expect(try origin("::1") != origin("::ffff:0.0.0.1"))
  }
}
