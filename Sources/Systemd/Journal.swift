internal import CSystemd
internal import Glibc

/// The journal's own protocol, which keeps fields apart from the message.
public enum Journal {
  /// A field of an entry: a name in capitals (systemd.journal-fields(7)) and its value.
  public typealias Field = (name: String, value: String)

  /// Whether standard error is a stream to the journal: `JOURNAL_STREAM` names this very file (systemd.exec(5)).
  public static let readsStandardError: Bool = {
    guard let variable = unsafe getenv("JOURNAL_STREAM") else { return false }
    var status = stat()
    guard unsafe fstat(2, &status) == 0 else { return false }
    return unsafe String(cString: variable) == "\(status.st_dev):\(status.st_ino)"
  }()

  /// Whether standard error is a terminal.
  public static var isTerminal: Bool { isatty(2) == 1 }

  /// Writes an entry. False when the journal doesn't take it.
  public static func send(_ fields: [Field]) -> Bool {
    let texts = fields.map { Array("\($0.name)=\($0.value)".utf8) }
    var bytes = texts.flatMap { $0 }
    return unsafe bytes.withUnsafeMutableBytes { buffer in
      var offset = 0
      let vectors = unsafe texts.map { text in
        defer { offset += text.count }
        return unsafe iovec(iov_base: buffer.baseAddress.map { unsafe $0 + offset }, iov_len: text.count)
      }
      // sd_journal_sendv(3): each vector is one field `NAME=value`, of any bytes; it reads them only during the call.
      return unsafe sd_journal_sendv(vectors, Int32(vectors.count)) == 0
    }
  }
}
