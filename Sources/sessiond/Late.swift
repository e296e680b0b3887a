internal import Platform

/// A part of the service that others refer to before it is there.
final class Late<Value: Sendable>: Sendable {
  private let stored = Monitor<Value?>(nil)

  var value: Value? { stored.withLock { $0 } }

  func set(_ value: Value) {
    stored.withLock { $0 = value }
  }
}
