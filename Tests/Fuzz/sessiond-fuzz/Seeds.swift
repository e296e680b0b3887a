import EventLog
import Platform
import SessionCodec
import SessionModel
import TestSupport

/// Writes records as the software writes them into the folder `path`, one below it for each target: bytes that nobody can
/// write down by hand.
func writeSeeds(_ path: String) throws {
  var random = SeededRandomness(seed: 1)
  let tenant = TenantID(valid: "acme")
  let salt = random.bytes(Frame.saltByteCount)
  for name in ["frame", "payload", "snapshot"] { try Files.createDirectory(path + "/" + name) }
  for number in 0..<20 {
    let event = random.event(SessionID(valid: "s1"))
    let frame = Frame.encode(event, tenant: tenant, salt: salt.span, previousChain: .zero).bytes
    TemporaryFolder.write(number < 15 ? frame : erased(frame, tenant, 1), to: path + "/frame/\(number)")
    TemporaryFolder.write(StoredPayload(event).bytes, to: path + "/payload/\(number)")
    // Without the checksum, which the target adds.
    let snapshot = SnapshotRecord.encode(random.session(), key: Array("acme\0s1".utf8).span)
    TemporaryFolder.write(Array(snapshot.dropLast(8)), to: path + "/snapshot/\(number)")
  }
}
