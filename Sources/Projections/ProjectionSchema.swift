internal import Platform
public import SessionModel

// The tables of the environment projections/, all of which are folded from the log. Values are little-endian.
//
//   snapshots    tenant ‖ 0 ‖ session id                    →  SnapshotEntry: seal ‖ placed at ‖ SnapshotRecord
//   customers    tenant ‖ 0 ‖ customer id ‖ 0 ‖ session id  →  seal: a session that carries or carried the customer
//   carriers     tenant ‖ 0 ‖ session id ‖ 0 ‖ customer id  →  seal: the entries of `customers` by session
//   activity     class ‖ u64 time ‖ tenant ‖ 0 ‖ session id →  nothing: since when, at most, a session has waited
//   checkpoints  tenant                                     →  CheckpointRecord
//   meta         "format"                                   →  text: the format of the environment and its snapshots
//                "log"                                      →  text: the name of the store whose log was folded
//
// LMDB finds an entry by its key alone: one whose key was damaged seems to be missing, or to be another. So what clients
// look up has a seal, 64 bits of checksum of the key. That something is missing is proved by the seals on both sides of its
// place.

enum ProjectionSchema {
  static let snapshots: StaticString = "snapshots"
  static let customers: StaticString = "customers"
  static let carriers: StaticString = "carriers"
  static let activity: StaticString = "activity"
  static let checkpoints: StaticString = "checkpoints"
  static let meta: StaticString = "meta"
  static let format = "5"
  /// All tables, in the order in which they are opened.
  static let tables = [snapshots, customers, carriers, activity, checkpoints, meta]
  static var formatKey: [UInt8] { Array("format".utf8) }
  static var logKey: [UInt8] { Array("log".utf8) }
}

/// The name of a session over all tenants, which is its key in the projections: `tenant ‖ 0 ‖ session id`.
///
/// Two tenants can't share one: a tenant's name holds no zero byte.
public struct SessionKey: Hashable, Comparable, Sendable {
  /// The key's bytes, at most 217.
  public let bytes: [UInt8]
  /// Of the bytes, once for all look-ups. Seeded for each process, so that nobody can choose ids that collide.
  private let hash: UInt64

  private static let hashSeed = UInt64.random(in: .min ... .max)

  /// The key of `session` within `tenant`.
  public init(_ tenant: TenantID, _ session: SessionID) {
    let name = tenant.description
    let id = session.description
    self.init(
      bytes: [UInt8](byteCapacity: name.utf8.count + 1 + id.utf8.count) { output in
        name.withBytes { output.append(copying: $0) }
        output.append(0)
        id.withBytes { output.append(copying: $0) }
      })
  }

  /// What the keys of all of a tenant's sessions begin with.
  static func prefix(of tenant: TenantID) -> [UInt8] {
    Array(tenant.description.utf8) + [0]
  }

  init(bytes: [UInt8]) {
    self.bytes = bytes
    hash = checksum(bytes.span, seed: Self.hashSeed)
  }

  /// Whether both name the same session.
  public static func == (left: SessionKey, right: SessionKey) -> Bool {
    left.hash == right.hash && left.bytes.span.isEqual(to: right.bytes.span)
  }

  /// Feeds the hash that has been computed.
  public func hash(into hasher: inout Hasher) { hasher.combine(hash) }

  /// In the order of the bytes, which is the order on disk.
  public static func < (left: SessionKey, right: SessionKey) -> Bool {
    left.bytes.span.precedes(right.bytes.span)
  }
}

/// An entry of the index of customers: a session that carries or once carried a customer's id.
public struct CustomerKey: Hashable, Comparable, Sendable {
  /// The key's bytes, at most 418.
  public let bytes: [UInt8]

  /// The entry of `session`, which carries `customer`.
  public init(_ tenant: TenantID, customer: String, _ session: SessionID) {
    bytes = Self.prefix(tenant, customer: customer) + Array(session.description.utf8)
  }

  /// The entry that is stored as `bytes`.
  init(stored bytes: [UInt8]) {
    self.bytes = bytes
  }

  /// The entry of `session` whose counterpart in the index by session is `carrier`.
  init(carrier: Span<UInt8>, of session: SessionKey) {
    let customer = carrier.extracting(session.bytes.count + 1..<carrier.count)
    let end = session.bytes.firstIndex(of: 0) ?? 0
    var bytes = Array(session.bytes[...end])
    bytes.append(copying: customer)
    self.bytes = bytes + session.bytes[end...]
  }

  /// The session that carries the customer, and the key of the counterpart in the index by session. No part of a key
  /// but a customer's id may hold a zero byte, so that the first and the last one are where the parts meet.
  public var carrier: (session: SessionKey, bytes: [UInt8]) {
    let first = bytes.firstIndex(of: 0) ?? 0
    let last = bytes.lastIndex(of: 0) ?? first
    let session = Array(bytes[..<first]) + bytes[last...]
    return (SessionKey(bytes: session), session + bytes[first..<last])
  }

  /// What all entries of its customer begin with, and the session's id.
  var parts: (customer: [UInt8], session: [UInt8]) {
    let end = bytes.lastIndex(of: 0) ?? 0
    return (Array(bytes[...end]), Array(bytes[(end + 1)...]))
  }

  /// What all entries of a customer begin with.
  static func prefix(_ tenant: TenantID, customer: String) -> [UInt8] {
    SessionKey.prefix(of: tenant) + Array(customer.utf8) + [0]
  }

  /// In the order of the bytes, which is the order on disk.
  public static func < (left: CustomerKey, right: CustomerKey) -> Bool {
    left.bytes.span.precedes(right.bytes.span)
  }
}
