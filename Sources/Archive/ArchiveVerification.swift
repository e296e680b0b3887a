public import EventLog
internal import Platform
public import SessionModel

/// A proof that an archive is as it was written, by its files alone.
public struct ArchiveVerification {
  /// Something that isn't as it must be.
  public struct Finding: Equatable, Sendable, CustomStringConvertible {
    /// Whose archive it is.
    public let tenant: TenantID
    /// The file, nil when it is about the tenant's archive as a whole.
    public let segment: String?
    /// The position in the tenant's log, nil when it is about the file.
    public let position: UInt64?
    /// What is wrong.
    public let problem: String

    /// One line: where and what.
    public var description: String {
      let place = [segment.map { "segment \($0)" }, position.map { "position \($0)" }].compactMap { $0 }
      return (["tenant \(tenant)"] + place).joined(separator: ", ") + ": \(problem)"
    }
  }

  /// What a verification came to.
  public struct Report: Sendable {
    /// What isn't as it must be, at most ``ArchiveVerification/maximumFindings``.
    public internal(set) var findings: [Finding] = []
    /// How many segments were looked at.
    public internal(set) var segments = 0
    /// How many events were proved.
    public internal(set) var events: UInt64 = 0
    /// How many of them have been erased, so that only what the chain covers is left.
    public internal(set) var erasedEvents: UInt64 = 0
    /// The last record of each tenant that was looked at, whose chain stands for all before it.
    public internal(set) var tails: [TenantID: LogTail] = [:]
  }

  /// How many findings are kept; an archive with more of them needs no longer list.
  public static let maximumFindings = 1000

  private let path: String
  private let tenants: [TenantID]

  /// A verification of the archive in the folder `path`: of all tenants, or of one. Throws when there is no archive.
  public init(_ path: String, tenant only: TenantID? = nil) throws(ArchiveError) {
    self.path = path
    do throws(SystemError) {
      var found: [TenantID] = []
      for tenant in try Files.names(in: path).compactMap({ TenantID($0) }) where only == nil || tenant == only {
        if try Files.isDirectory(path + "/\(tenant)") { found.append(tenant) }
      }
      tenants = found
    } catch {
      throw .system(error)
    }
    guard !tenants.isEmpty else {
      throw .refused("there is no archive\(only.map { " of tenant \($0)" } ?? "") in \(path)")
    }
  }

  /// About how many bytes there are to read.
  public var byteCount: UInt64 {
    tenants.reduce(0) { sum, tenant in
      let folder = path + "/\(tenant)"
      return ((try? Files.names(in: folder)) ?? []).reduce(sum) { $0 + Files.size(folder + "/" + $1) }
    }
  }

  /// Proves each tenant's segments: that each file is the one that was written, each record whole and behind the one before
  /// it, the readable event what the record says, and that each event without payload comes before the one that records its
  /// erasure. With `log`, that the log has the same chain at the end of each segment, and no payload that the archive
  /// lacks. `progress` is told how many bytes have been read since the last time.
  public func run(comparing log: EventLog? = nil, progress: (UInt64) -> Void = { _ in }) throws(ArchiveError) -> Report
  {
    var report = Report()
    for tenant in tenants {
      var proof = TenantArchiveProof(tenant, in: path + "/\(tenant)", log: log)
      do throws(SystemError) {
        try proof.run(&report, progress)
      } catch {
        throw .system(error)
      }
    }
    return report
  }
}
