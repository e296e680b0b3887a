internal import EventLog
internal import Projections
public import SessionModel

/// How large a tenant is.
public struct TenantSize: Sendable {
  /// Its name.
  public let id: TenantID
  /// How many events its log has.
  public let events: UInt64
  /// How many sessions have a snapshot, ended and expired ones too; nil without projections.
  public let sessions: Int?
  /// How many bytes its records have.
  public let bytes: UInt64
}

extension StoreReader {
  private static let recordsPerTransaction = 8192

  /// The sizes of all tenants, in order. Looks at each key of the log; `progress` is told how many since the last time.
  public func tenantSizes(progress: (UInt64) -> Void) throws(StoreError) -> [TenantSize] {
    do {
      return try log.tenants().map { tenant in
        var (events, bytes, reached) = (UInt64(0), UInt64(0), UInt64(0))
        while true {
          let next = try log.recordBytes(of: tenant, after: reached, limit: Self.recordsPerTransaction)
          if next.last == reached { break }
          progress(next.last - reached)
          events += next.last - reached
          bytes += next.bytes
          reached = next.last
        }
        return TenantSize(
          id: tenant, events: events, sessions: try projections.map { try Self.sessionCount($0, tenant) }, bytes: bytes)
      }
    } catch {
      throw StoreError(error)
    }
  }

  private static func sessionCount(_ projections: Projections, _ tenant: TenantID) throws(ProjectionsError) -> Int {
    var count = 0
    let view = try projections.view()
    try view.forEachSnapshot(of: tenant) { _, _ in count += 1 }
    return count
  }

  /// How many events there are.
  public func eventCount() throws(StoreError) -> UInt64 {
    do {
      return try log.tenants().reduce(0) { try $0 + log.lastPosition(of: $1) }
    } catch {
      throw StoreError(error)
    }
  }
}
