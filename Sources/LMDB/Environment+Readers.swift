internal import CLMDB

extension Environment {
  /// A read transaction that is open, in this process or another one.
  public struct OpenReader: Equatable, Sendable {
    /// The process that holds it.
    public let process: Int32
    /// The number of the commit that it sees; pages that later ones freed can't be used again while it is open.
    public let transaction: UInt64
  }

  /// The read transactions that are open now.
  public func openReaders() throws(LMDBError) -> [OpenReader] {
    final class Lines {
      var text = ""
    }
    let lines = Lines()
    let code = withExtendedLifetime(lines) {
      // lmdb.h, mdb_reader_list: calls back with texts before it returns, each time with this context.
      unsafe mdb_reader_list(
        handle,
        { message, context in
          guard let message = unsafe message, let context = unsafe context else { return 0 }
          unsafe Unmanaged<Lines>.fromOpaque(context).takeUnretainedValue().text += String(cString: message)
          return 0
        }, Unmanaged.passUnretained(lines).toOpaque())
    }
    guard code >= 0 else { throw LMDBError(code: code, operation: "list the readers") }
    return Self.parseReaders(lines.text)
  }

  /// Reads LMDB's list: after a line with headings the process, the thread and the transaction of each slot, "-" for a
  /// slot without one.
  static func parseReaders(_ text: String) -> [OpenReader] {
    text.split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ")
      guard words.count == 3, let process = Int32(words[0]), let transaction = UInt64(words[2]) else { return nil }
      return OpenReader(process: process, transaction: transaction)
    }
  }
}
