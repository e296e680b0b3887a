public import EventLog
public import LMDB
internal import Platform
internal import Projections
internal import SessionCodec
public import SessionModel

/// Reads a data directory, beside the daemon that serves it or without one. Changes none of the data; where
/// LMDB's lock file is missing, it is made.
///
/// Projections lag behind the log, may be missing, as in a backup, or damaged. So they only serve to find things faster:
/// what the log has beyond them is always folded in, and without them the whole log is.
public final class StoreReader: Sendable {
  /// The directory that is read.
  public let directory: DataDirectory
  /// Its log, for reading alone.
  public let log: EventLog
  /// The file that the log was opened as.
  private let logFile: Files.Identity?
  /// The projections, nil when there are none that can be used.
  let projections: Projections?
  /// Why projections that are there can't be used.
  public let projectionsProblem: String?

  /// How large a file may be for all of its pages to be checked before it is read, which should take a moment only. Of a
  /// larger one those that lead to the leaves are.
  private static let checkedLeafBytes = 16 << 20

  /// A reader of the store in `directory`. Throws when its log can't be opened, or a page of it is damaged.
  public convenience init(
    directory: DataDirectory, options: Environment.Options = Environment.Options()
  ) throws(StoreError) {
    try self.init(directory: directory, options: options, opensProjections: true)
  }

  /// - Parameter checksPages: whether damaged pages are looked for first, which can bring down whoever reads them.
  init(
    directory: DataDirectory, options: Environment.Options = Environment.Options(), opensProjections: Bool,
    checksPages: Bool = true
  ) throws(StoreError) {
    self.directory = directory
    guard try DataDirectory.holds(directory.logFile) else {
      throw .directory("there is no store in \(directory.path); name the daemon's data directory with --data-dir")
    }
    var options = options
    options.isReadOnly = true
    if checksPages { options.checkedLeafBytes = Self.checkedLeafBytes }
    do throws(EventLogError) {
      log = try EventLog(path: directory.log, options: options)
    } catch {
      throw .log(error)
    }
    logFile = (try? Files.identity(directory.logFile)) ?? nil
    (projections, projectionsProblem) =
      opensProjections ? try Self.openProjections(directory, log, options) : (nil, nil)
  }

  /// The projections of `log`'s store, for reading alone; nil when there are none, or with why they can't be read. Throws
  /// where that isn't because of them.
  static func openProjections(
    _ directory: DataDirectory, _ log: EventLog, _ options: Environment.Options
  ) throws(StoreError) -> (Projections?, String?) {
    guard try DataDirectory.holds(directory.projectionsFile) else { return (nil, nil) }
    do throws(ProjectionsError) {
      let projections = try Projections(readOnly: directory.projections, options: options)
      guard try projections.storeID() == log.storeID else { return (nil, "the projections belong to another log") }
      return (projections, nil)
    } catch .unknownFormat(let format) {
      return (nil, "the projections have format \(format), which this version doesn't know")
    } catch .storage(let error) where error.isWantOfMeans {
      throw .projections(.storage(error))
    } catch {
      return (nil, "the projections can't be read: \(error)")
    }
  }

  /// Whether the log's file was removed or replaced since it was opened, so that nothing more can come of it.
  public var isLost: Bool { directory.hasLostLog(logFile) }

  /// The number of the log's last commit; another one means that there is something new. Costs next to nothing.
  public var lastCommit: UInt64 { log.lastCommit }

  /// The tenants that have a log, in order.
  public func tenants() throws(StoreError) -> [TenantID] {
    do throws(EventLogError) {
      return try log.tenants()
    } catch {
      throw .log(error)
    }
  }

  /// Is told of records that can't be read and may be events of the session that is asked for, newer ones than the
  /// answer knows of.
  public typealias Unread = (ClosedRange<UInt64>) -> Void

  /// A session as it was at `moment`, or as it is now; nil when it had not begun. Ended and expired ones count, too.
  /// What a daemon is committing at that very moment isn't seen.
  public func session(
    _ id: SessionID, of tenant: TenantID, at moment: Moment? = nil, unread: Unread = { _ in }
  ) throws(StoreError) -> PastSession? {
    do {
      let last = try lastPosition(id, of: tenant, unread)
      return try History(log: log, tenant: tenant).session(last: last, at: moment ?? .position(.max))?.past
    } catch {
      throw StoreError(error)
    }
  }

  /// What two versions of a session hold, both of the last life that had both.
  public func compare(
    _ id: SessionID, of tenant: TenantID, from: UInt32, to: UInt32, unread: Unread = { _ in }
  ) throws(StoreError) -> Comparison {
    do {
      let last = try lastPosition(id, of: tenant, unread)
      return try History(log: log, tenant: tenant).compare(last: last, from: from, to: to)
    } catch {
      throw StoreError(error)
    }
  }

  /// Up to `limit` of a session's events, newest first, those of earlier lives too, and whether there are older ones.
  public func history(
    _ id: SessionID, of tenant: TenantID, limit: Int, unread: Unread = { _ in }
  ) throws(StoreError) -> (events: [RecordedEvent], hasOlder: Bool) {
    do {
      let last = try lastPosition(id, of: tenant, unread)
      var events: [RecordedEvent] = []
      let next = try History(log: log, tenant: tenant).read(from: last, limit: limit) { event in
        events.append(event)
        return true
      }
      return (events, next > 0)
    } catch {
      throw StoreError(error)
    }
  }

  /// The position of a session's newest event that can be read, 0 when it never had one: what the projections know, and
  /// then what the log has beyond them.
  private func lastPosition(_ id: SessionID, of tenant: TenantID, _ unread: Unread) throws -> UInt64 {
    var (last, reached) = projectedPosition(id, of: tenant)
    var unreadable: [ClosedRange<UInt64>] = []
    while true {
      var previous = reached
      let next = try log.scan(tenant, after: reached, limit: 8192) { position, frame, _ in
        if position > previous + 1 { unreadable.append(previous + 1...position - 1) }
        previous = position
        guard let frame else { return unreadable.append(position...position) }
        guard frame.isOf(id) else { return }
        last = position
        // What it lacks before that is met on the way back through its events.
        unreadable = []
      }
      if next == reached { break }
      reached = next
    }
    unreadable.forEach(unread)
    return last
  }

  /// The position of a session's newest event up to the checkpoint, and the checkpoint's; zeros when that can't be told.
  private func projectedPosition(_ id: SessionID, of tenant: TenantID) -> (last: UInt64, checkpoint: UInt64) {
    guard let projections else { return (0, 0) }
    do {
      let key = SessionKey(tenant, id)
      let view = try projections.view()
      let checkpoint = try view.checkpoint(of: tenant).tail
      guard checkpoint.position > 0, try view.isOf(log, tenant) else { return (0, 0) }
      guard let snapshot = try view.snapshot(key) else { return (0, checkpoint.position) }
      return (try SnapshotView(snapshot, key: key.bytes.span).lastPosition, checkpoint.position)
    } catch {
      // Damaged projections are a matter for verify; the log alone has the answer, too.
      return (0, 0)
    }
  }
}
