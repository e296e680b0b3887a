internal import Archive
internal import EventLog
internal import Platform
internal import SessionModel
internal import SessionStore

/// The run of a writer over the logs of some tenants, with progress on a terminal.
struct Archiving {
  /// The store's name.
  let storeID: String
  /// What was done with each tenant's log; nil where it could not be done, which has been said.
  private(set) var outcomes: [(tenant: TenantID, outcome: ArchiveWriter.Outcome?)] = []
  /// How the command ends.
  private(set) var status = ExitStatus.fine

  /// Adds what is new of `tenant`, or of all tenants, to the archive `path`. Throws when there is no such tenant.
  init(_ path: String, of tenant: TenantID?, in log: EventLog) throws {
    storeID = log.storeID
    let tenants = try tenant.map { [$0] } ?? log.tenants()
    if let tenant, try log.lastPosition(of: tenant) == 0 {
      throw CommandFailure.finding("there is no tenant \(tenant)")
    }
    let writer = try ArchiveWriter(path)
    // A tenant whose archive can't be gone on with is told below.
    let total = tenants.reduce(0) { $0 + ((try? writer.lag($1, of: log)) ?? 0) }
    var bar = ProgressBar("archive", total: total, unit: .events)
    for tenant in tenants {
      do throws(ArchiveError) {
        outcomes.append((tenant, try writer.archive(tenant, of: log) { bar.advance($0) }))
      } catch {
        bar.finish()
        if case .system = error { throw error }
        complain("tenant \(tenant): \(printable(error.description))")
        outcomes.append((tenant, nil))
        if status != .failed { status = error.isDamage ? .finding : .failed }
      }
    }
    bar.finish()
  }
}
