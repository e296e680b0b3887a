internal import Platform
internal import SessionStore

/// The open feeds: how many there may be, what of the workers' time they may take, and the thread that wakes them.
final class FeedHub: Sendable {
  private struct Places {
    var open = 0
    var waker: Thread?
  }

  let budget: FeedBudget
  let waitingList: FeedWaitingList
  private let maximum: Int
  private let places = Monitor(Places())

  /// A hub for up to `maximum` feeds of `store`.
  init(store: SessionStore, maximum: Int) {
    self.maximum = maximum
    budget = FeedBudget()
    waitingList = FeedWaitingList(store: store, budget: budget)
  }

  deinit {
    // A feed keeps its hub, so none is open.
    waitingList.close()
    places.withLock { $0.waker }?.join()
  }

  /// How many feeds are open.
  var openCount: Int { places.withLock { $0.open } }

  /// Takes a place for a feed, which `close` gives back; false when all are taken.
  func open() -> Bool {
    places.withLock { places in
      guard places.open < maximum else { return false }
      places.open += 1
      // Without feeds there is no thread; it doesn't keep the hub.
      if places.waker == nil { places.waker = Thread(name: "feeds") { [waitingList] in waitingList.wakeFeeds() } }
      return true
    }
  }

  /// A feed has ended.
  func close() {
    places.withLock { $0.open -= 1 }
  }
}
