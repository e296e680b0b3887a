internal import EventLog
internal import Platform
public import SessionModel

/// A record with its checksum made to fit, as somebody does who knows the format.
public func resealed(_ frame: [UInt8], _ tenant: TenantID, _ position: UInt64) -> [UInt8] {
  var frame = frame
  guard frame.count >= 8 else { return frame }
  let key = LogSchema.key(tenant, position)
  frame.storeLittleEndian(checksum(frame.span.extracting(8..<frame.count), seed: checksum(key.span)), at: 0)
  return frame
}

/// A record whose salt and payload have been erased: what is left ends with the two digests behind the header.
public func erased(_ frame: [UInt8], _ tenant: TenantID, _ position: UInt64) -> [UInt8] {
  let headerEnd = 46 + Int(frame[44]) + Int(frame[45])
  return resealed(Array(frame[..<(headerEnd + 2 * Digest.byteCount)]), tenant, position)
}
