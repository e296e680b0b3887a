import EventLog
import Platform
import SessionCodec
import SessionModel
import TestSupport

private let tenant = TenantID(valid: "acme")
private let salt = [UInt8](repeating: 7, count: Frame.saltByteCount)

/// Records of the log, also such that somebody made who knows the checksum: read, written and read to the same event.
func fuzzFrame(_ bytes: [UInt8]) {
  let key = LogSchema.key(tenant, 1)
  let sealed = resealed(bytes, tenant, 1)
  if sealed != bytes {
    do throws(DamagedRecord) {
      _ = try FrameView(bytes.span, key: key.span)
      require(false, "a record with a wrong checksum is read")
    } catch {}
  }
  do throws(DamagedRecord) {
    let frame = try FrameView(sealed.span, key: key.span)
    _ = (frame.isPayloadIntact, frame.follows(.zero), frame.tenant.count, frame.sessionID.count)
    let event = try frame.event()
    guard !frame.isErased else { return }
    let written = Frame.encode(event, tenant: tenant, salt: salt.span, previousChain: .zero)
    let writtenKey = LogSchema.key(tenant, event.position)
    let again = try FrameView(written.bytes.span, key: writtenKey.span)
    let event2 = try again.event()
    require(event2 == event, "\(event) is written, and \(event2) is read")
    require(again.isPayloadIntact && again.follows(.zero) && again.chain == written.chain, "the chain is another one")
  } catch {
    require(!error.reason.isEmpty, "damage without a reason")
  }
}

/// Payloads of events.
func fuzzPayload(_ bytes: [UInt8]) {
  do throws(DamagedRecord) {
    let payload = try StoredPayload(format1: bytes.span)
    let again = try StoredPayload(format1: payload.bytes.span)
    require(again == payload, "\(payload) is written, and \(again) is read")
  } catch {
    require(!error.reason.isEmpty, "damage without a reason")
  }
}

/// Snapshots of sessions, with a checksum that fits.
func fuzzSnapshot(_ bytes: [UInt8]) {
  let key = Array("acme\0s1".utf8)
  var sealed = bytes
  sealed.appendLittleEndian(checksum(bytes.span, seed: checksum(key.span)))
  do throws(DamagedRecord) {
    _ = try SnapshotView(sealed.span, key: Array("acme\0s2".utf8).span)
    require(false, "a snapshot is read under another session's key")
  } catch {}
  do throws(DamagedRecord) {
    let view = try SnapshotView(sealed.span, key: key.span)
    _ = view.isLive(at: .start, timeToLive: TimeToLive())
    let session = try view.session()
    var json: [UInt8] = []
    try view.appendDocument(of: SessionID(valid: "s1"), to: &json)
    let written = SnapshotRecord.encode(session, key: key.span)
    let again = try SnapshotView(written.span, key: key.span).session()
    require(again == session, "\(session) is written, and \(again) is read")
    // One whose checksum fits is what was written; with a field twice, say, nothing was.
    let isOurs = written == sealed && areValuesJSON(session)
    require(!isOurs || JSONOracle.members(json) != nil, "the document is no JSON")
  } catch {
    require(!error.reason.isEmpty, "damage without a reason")
  }
}

/// Whether the values of the attributes are what a request could have brought; a record's bytes may be anything.
private func areValuesJSON(_ session: Session) -> Bool {
  let names = session.context.attributes.map { Array($0.name.utf8) }
  return Set(names).count == names.count
    && session.context.attributes.allSatisfy {
      JSONOracle.members(Array("{\"a\":".utf8) + $0.value + Array("}".utf8), maximumDepth: 31) != nil
    }
}
