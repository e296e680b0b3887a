internal import Archive
internal import EventLog
internal import Platform
internal import SessionCodec
internal import SessionModel
internal import SessionStore

extension TenantCommand {
  /// Lists all tenants.
  static func list(_ directory: DataDirectory, isJSON: Bool) throws -> ExitStatus {
    let reader = try StoreReader(directory: directory)
    var bar = ProgressBar("list", total: try reader.eventCount(), unit: .events)
    let sizes = try reader.tenantSizes { bar.advance($0) }
    bar.finish()
    try printAll { output in
      if isJSON {
        output.appendObject { json in
          json.appendObject("tenants") { json in
            for size in sizes {
              json.appendObject(size.id.description) { json in
                json.appendMember("events", size.events)
                json.appendMember("sessions", size.sessions)
                json.appendMember("bytes", size.bytes)
              }
            }
          }
        }
        output.append(UInt8(ascii: "\n"))
      } else {
        var table = TextTable([("TENANT", .left), ("EVENTS", .right), ("SESSIONS", .right), ("BYTES", .right)])
        for size in sizes {
          table.add([size.id.description, "\(size.events)", size.sessions.map { "\($0)" } ?? "-", "\(size.bytes)"])
        }
        output.append(contentsOf: table.text.utf8)
      }
    }
    return .fine
  }

  /// Archives a tenant's whole log, and proves the archive against the log.
  static func export(
    _ tenant: TenantID, to folder: String, _ directory: DataDirectory, isJSON: Bool
  ) throws -> ExitStatus {
    let log = try StoreReader(directory: directory).log
    let archiving = try Archiving(folder, of: tenant, in: log)
    guard archiving.status == .fine else { return archiving.status }
    let report = try ArchiveProof.report(try ArchiveVerification(folder, tenant: tenant), comparing: log)
    for finding in report.findings { complain(printable(finding.description)) }
    guard report.findings.isEmpty, let tail = report.tails[tenant] else {
      throw CommandFailure.finding("the export isn't what it must be; choose another folder")
    }
    try printAll { output in
      if isJSON {
        output.appendObject { json in
          json.appendMember("archive", folder)
          json.appendMember("store", log.storeID)
          json.appendMember("tenant", tenant.description)
          json.appendMember("events", report.events)
          json.appendMember("segments", report.segments)
          json.appendMember("position", tail.position)
          json.appendMember("chain", tail.chain.hexadecimal)
        }
        output.append(UInt8(ascii: "\n"))
      } else {
        let text =
          "\(tenant): \(counted(report.events, "event")) in \(counted(report.segments, "segment")): proved, in "
        output.append(contentsOf: (text + "\(printable(folder))\n").utf8)
      }
    }
    return .fine
  }

  /// Removes a tenant.
  static func remove(_ tenant: TenantID, _ directory: DataDirectory, isJSON: Bool) throws -> ExitStatus {
    let removal = try TenantRemoval(directory)
    guard let count = try removal.eventCount(of: tenant) else {
      throw CommandFailure.finding("there is no tenant \(tenant)")
    }
    var bar = ProgressBar("remove", total: count, unit: .events)
    let removed = try removal.run(tenant, notice: { complain($0) }, progress: { bar.advance($0) })
    bar.finish()
    try printAll { output in
      if isJSON {
        output.appendObject { json in
          json.appendMember("tenant", tenant.description)
          json.appendMember("events", removed)
        }
        output.append(UInt8(ascii: "\n"))
      } else {
        output.append(contentsOf: "\(tenant): removed with \(counted(removed, "event"))\n".utf8)
      }
    }
    return .fine
  }
}
