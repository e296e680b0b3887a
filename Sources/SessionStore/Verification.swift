public import EventLog
public import LMDB
internal import Platform
internal import Projections
public import SessionModel

/// A read-only proof that log, chain and projections agree. Runs beside the daemon.
///
/// Of each tenant it holds the states of all sessions in memory while the tenant's log is folded: about a kilobyte for a
/// session. Its read transactions are short, whatever the log's size, but the one in which all pages of a file are checked.
public struct Verification {
  /// Something that isn't as it must be.
  public struct Finding: Equatable, Sendable, CustomStringConvertible {
    /// Whose data it is about, nil when that can't be told.
    public let tenant: TenantID?
    /// The position in the tenant's log, nil when it is about the projections.
    public let position: UInt64?
    /// What is wrong.
    public let problem: String

    /// A finding of those parts.
    public init(tenant: TenantID?, position: UInt64?, problem: String) {
      self.tenant = tenant
      self.position = position
      self.problem = problem
    }

    /// One line: where and what.
    public var description: String {
      guard let tenant else { return problem }
      return position.map { "tenant \(tenant), position \($0): \(problem)" } ?? "tenant \(tenant): \(problem)"
    }
  }

  /// A file that is read.
  public enum File: String, Sendable {
    case log
    case projections
  }

  /// What a verification tells while it runs.
  public enum Step: Equatable, Sendable {
    /// The store, and about how many events there are to prove.
    case began(storeID: String, events: UInt64)
    /// From here on, this file is read.
    case reading(File, of: TenantID)
    /// A tenant's log is proved up to that position; so many events since the last step of this kind.
    case reached(TenantID, position: UInt64, events: UInt64)
    /// Something isn't as it must be.
    case found(Finding)
    /// All of a tenant has been looked at: the end of its log, and how many snapshots were compared with the fold of
    /// their events, nil when none were because there are no projections or the run went on from a mark; and how many
    /// events were found erased.
    case proved(TenantID, LogTail, snapshots: Int?, erasedEvents: UInt64)
  }

  /// What a verification came to.
  public struct Report: Sendable {
    /// What isn't as it must be, at most ``Verification/maximumFindings``.
    public private(set) var findings: [Finding] = []
    /// How many tenants were looked at.
    public private(set) var tenants = 0
    /// How many events were proved.
    public private(set) var events: UInt64 = 0
    /// How many snapshots were compared with the fold of their events.
    public private(set) var snapshots = 0
    /// How many of the events have lost their payload to an erasure: what they said is gone, and that they were there is
    /// proved all the same.
    public private(set) var erasedEvents: UInt64 = 0
    /// Whether the projections of each tenant were compared.
    public private(set) var areProjectionsCompared = true
    /// The store's name.
    public private(set) var storeID = ""
    /// The end of each tenant's log, whose chain stands for all before it.
    public private(set) var tails: [TenantID: LogTail] = [:]

    /// A report on nothing.
    public init() {}

    /// Takes in the next step.
    public mutating func take(_ step: Step) {
      switch step {
      case .began(let storeID, _):
        self.storeID = storeID
      case .reading:
        break
      case .reached(_, _, let events):
        self.events += events
      case .found(let finding):
        if findings.count < Verification.maximumFindings { findings.append(finding) }
      case .proved(let tenant, let tail, let snapshots, let erasedEvents):
        tenants += 1
        self.erasedEvents += erasedEvents
        self.snapshots += snapshots ?? 0
        if snapshots == nil { areProjectionsCompared = false }
        if tail.position > 0 { tails[tenant] = tail }
      }
    }

    /// How far the logs have been proved.
    public var marks: ChainMarks { ChainMarks(storeID: storeID, tails: tails) }
  }

  /// How many findings are kept; a store with more of them needs no longer list.
  public static let maximumFindings = 1000

  private let log: EventLog
  private let projections: Projections?
  /// Why the projections can't be compared although they are there.
  private let projectionsProblem: String?

  /// A verification of the store in `directory`. Throws when its log can't be opened; projections may be missing.
  ///
  /// - Parameter withProjections: whether projections are looked at.
  public init(
    directory: DataDirectory, options: Environment.Options = Environment.Options(), withProjections: Bool = true
  ) throws(StoreError) {
    let reader = try StoreReader(
      directory: directory, options: options, opensProjections: withProjections, checksPages: false)
    log = reader.log
    projections = reader.projections
    projectionsProblem = reader.projectionsProblem
  }

  /// Verifies all tenants, or those given, that come after `earlier` in the order of their names.
  ///
  /// From `marks` on, when there are some: then what is before the marks is not read again, and only the chain is proved:
  /// that the records now at the marks have the same chain as then, and that all after them follow from it.
  ///
  /// - Parameter head: a chain that each of the tenants must have come to, nil for none; behind the marks, if there are
  ///   some.
  public func run(
    tenants only: [TenantID]?, after earlier: TenantID?, from marks: ChainMarks?, expecting head: ChainHead? = nil,
    _ step: @escaping (Step) -> Void
  ) throws(StoreError) {
    do {
      let range = TenantRange(only: only.map { Set($0) }, after: earlier)
      step(.began(storeID: log.storeID, events: try eventCount(range, from: marks)))
      if let marks, marks.storeID != log.storeID {
        let problem = "the marks are of the store \(marks.storeID), and this is \(log.storeID)"
        return step(.found(Finding(tenant: nil, position: nil, problem: problem)))
      }
      for tenant in try log.removals() where range.contains(tenant) {
        step(.found(Finding(tenant: tenant, position: nil, problem: TenantRemoval.interruption(tenant))))
      }
      if let projectionsProblem, marks == nil {
        step(.found(Finding(tenant: nil, position: nil, problem: projectionsProblem)))
      }
      if only == nil, earlier == nil, marks == nil {
        for problem in [try log.pageProblem(), try projections?.pageProblem() ?? nil].compactMap(\.self) {
          step(.found(Finding(tenant: nil, position: nil, problem: problem)))
        }
      }
      let sweep = VerificationSweep(
        range: range, from: marks, expecting: head, log: log, projections: projections, step: step)
      try sweep.run()
    } catch {
      throw StoreError(error)
    }
  }

  private func eventCount(_ range: TenantRange, from marks: ChainMarks?) throws(EventLogError) -> UInt64 {
    var count: UInt64 = 0
    // A damaged key must not end the verification before it began; without the number there is just no progress.
    for tenant in (try? log.tenants()) ?? [] where range.contains(tenant) {
      let last = try log.lastPosition(of: tenant)
      count += last - min(last, marks?.tails[tenant]?.position ?? 0)
    }
    return count
  }
}

/// The tenants that are to be looked at.
struct TenantRange {
  let only: Set<TenantID>?
  let after: TenantID?

  func contains(_ tenant: TenantID) -> Bool {
    if let after, tenant <= after { return false }
    return only?.contains(tenant) ?? true
  }
}
