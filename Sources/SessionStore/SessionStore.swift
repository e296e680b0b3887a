internal import EventLog
public import LMDB
public import Platform
internal import Projections
public import SessionModel
internal import Synchronization

/// The event-sourced store: takes commands, makes their events durable, and answers from the snapshots they fold into.
public final class SessionStore: Sendable {
  /// How a store is set up.
  public struct Configuration: Sendable {
    /// What the decider goes by.
    public var rules: DecisionRules
    /// How LMDB environments are opened.
    public var environment: Environment.Options
    /// How many commands may wait for the writer.
    public var queueCapacity: Int
    /// How much memory unflushed snapshots may take, in bytes, before writers have to wait.
    public var overlayBytes: Int
    /// How long a change may wait before it is flushed to the projections, in milliseconds.
    public var flushIntervalMilliseconds: Int
    /// The room on the disk, in bytes, below which changes are refused; 0: none is kept.
    public var diskReserveBytes: Int
    /// How often sessions are looked for whose time has come, in milliseconds; 0: never, so that nothing happens to a
    /// session but by command.
    public var sweepIntervalMilliseconds: Int
    /// How long a session has to have been closed before what it held is erased, in seconds; 0: it is kept. While its
    /// tombstone stands it is kept, too.
    public var retentionSeconds: Int64

    /// A configuration with the daemon's defaults.
    public init(
      rules: DecisionRules = DecisionRules(), environment: Environment.Options = Environment.Options(),
      queueCapacity: Int = 4096, overlayBytes: Int = 64 << 20, flushIntervalMilliseconds: Int = 5000,
      diskReserveBytes: Int = 64 << 20, sweepIntervalMilliseconds: Int = 1000, retentionSeconds: Int64 = 0
    ) {
      self.rules = rules
      self.environment = environment
      self.queueCapacity = queueCapacity
      self.overlayBytes = overlayBytes
      self.flushIntervalMilliseconds = flushIntervalMilliseconds
      self.diskReserveBytes = diskReserveBytes
      self.sweepIntervalMilliseconds = sweepIntervalMilliseconds
      self.retentionSeconds = retentionSeconds
    }
  }

  /// What the store tells whoever runs it.
  public struct Observer: Sendable {
    /// Something that an operator should read, such as that the projections are rebuilt.
    public var notice: @Sendable (String) -> Void
    /// How many events have been replayed at start so far.
    public var replayed: @Sendable (Int) -> Void
    /// The store has failed: it answers no more, and the process must end so that it can recover.
    public var failed: @Sendable (StoreError) -> Void
    /// The writer works: called on its thread after each commit, and once a second while it waits. It must not block.
    public var writerAlive: @Sendable () -> Void

    /// An observer with those ears.
    public init(
      notice: @escaping @Sendable (String) -> Void = { _ in }, replayed: @escaping @Sendable (Int) -> Void = { _ in },
      failed: @escaping @Sendable (StoreError) -> Void = { _ in },
      writerAlive: @escaping @Sendable () -> Void = {}
    ) {
      self.notice = notice
      self.replayed = replayed
      self.failed = failed
      self.writerAlive = writerAlive
    }
  }

  let configuration: Configuration
  let log: EventLog
  let projections: Projections
  let overlay: Overlay
  let snapshots: SnapshotReader
  let now: @Sendable () -> Instant
  let recordingClock = RecordingClock()
  let observer: Observer
  let queue: CommandQueue
  private let salts = Monitor(RandomBytes())
  private let threads = Monitor<[Thread]>([])
  private let isFailed = Atomic<Bool>(false)
  /// Whether the maintenance thread has to end.
  let maintenance = Monitor(false)
  let disk: DiskReserve
  let directory: DataDirectory
  /// The file that the log was opened as.
  let logFile: Files.Identity?
  private let maximumSessions: Atomic<UInt64>
  private let lock: FolderLock
  /// Counts of what the store has done, for metrics.
  public let statistics = StoreStatistics()
  /// Tells feeds that the logs have grown.
  public let commits = CommitSignal()

  /// Opens the store in `directory`, creating it when it is missing, and folds in what the projections lack.
  ///
  /// Returns when everything in the log can be read. Throws when the directory is in use, a network file system,
  /// damaged or not writable.
  public convenience init(
    directory: DataDirectory, configuration: Configuration = Configuration(), observer: Observer = Observer(),
    now: @escaping @Sendable () -> Instant = { Instant(microseconds: currentMicroseconds()) }
  ) throws(StoreError) {
    try self.init(directory: directory, configuration: configuration, observer: observer, now: now) {
      store, checkpoints in
      store.startThreads(from: checkpoints)
    }
  }

  /// The same, with `start` instead of the threads: who drives the store is given how far each log goes.
  init(
    directory: DataDirectory, configuration: Configuration, observer: Observer,
    now: @escaping @Sendable () -> Instant, start: (SessionStore, [TenantID: Checkpoint]) -> Void
  ) throws(StoreError) {
    self.directory = directory
    self.configuration = configuration
    self.observer = observer
    self.now = now
    lock = try directory.claim()
    try directory.refuseLostLog()
    try directory.removeLeftovers()
    disk = DiskReserve(path: directory.path, reserveBytes: configuration.diskReserveBytes)
    maximumSessions = Atomic(configuration.rules.maximumSessions)
    queue = CommandQueue(capacity: configuration.queueCapacity)
    let recovered: Recovered
    var options = configuration.environment
    options.checkedLeafBytes = Self.checkedLeafBytes
    do {
      log = try EventLog(path: directory.log, options: options)
      logFile = try Files.identity(directory.logFile)
      recovered = try Self.recover(directory, log, options, overlayBytes: configuration.overlayBytes, observer)
    } catch {
      throw StoreError(error)
    }
    (projections, overlay) = (recovered.projections, recovered.overlay)
    overlay.show(recovered.checkpoints)
    snapshots = SnapshotReader(overlay: overlay, projections: projections)
    lookAtDisk()
    warnOfClock(recovered.checkpoints)
    start(self, recovered.checkpoints)
  }

  /// Hands a command to the writer. `completion` is called exactly once, on the writer's thread or on this one; it must
  /// not block.
  public func submit(
    _ command: Command, for tenant: AuthorizedTenant,
    completion: @escaping @Sendable (CommandOutcome) -> Void
  ) {
    submit(.change(command), of: tenant.id, completion: completion)
  }

  /// The same for all that the writer does.
  func submit(
    _ task: WriterTask, of tenant: TenantID, completion: @escaping @Sendable (CommandOutcome) -> Void
  ) {
    guard !isFailed.load(ordering: .acquiring) else { return completion(.failed(.closed)) }
    guard !disk.isUsedUp else { return completion(.failed(.diskNearlyFull)) }
    let salt = salts.withLock { $0.next(Frame.saltByteCount) }
    let pending = PendingCommand(tenant: tenant, task: task, salt: salt, completion: completion)
    if !queue.offer(pending) { completion(.overloaded) }
  }

  /// Refuses the commands that wait for the writer, and all further ones; the batch under way is finished.
  public func refuseWaiting() {
    for pending in queue.closeAndTakeAll() { pending.completion(.failed(.closed)) }
  }

  /// Stops: finishes the commands that wait, flushes the projections, ends the threads. Commands after it are refused.
  public func close() {
    queue.close()
    maintenance.signal { $0 = true }
    let running = threads.withLock { threads in
      defer { threads = [] }
      return threads
    }
    for thread in running { thread.join() }
  }

  /// How many commands wait for the writer.
  public var queueDepth: Int { queue.depth }

  private func startThreads(from checkpoints: [TenantID: Checkpoint]) {
    threads.withLock { threads in
      threads = [
        Thread(name: "writer") { self.write(from: checkpoints) },
        Thread(name: "projector") { self.project() },
        Thread(name: "maintenance") { self.maintain() },
      ]
    }
  }

  // MARK: The threads

  private func write(from checkpoints: [TenantID: Checkpoint]) {
    var cycle = makeCycle(over: log, from: checkpoints)
    // Before the first wait, so that no figure falls to zero by a restart.
    statistics.setCensus(cycle.census)
    var nextCensus = monotonicNanoseconds() + 1_000_000_000
    while let batch = queue.takeAll(waitingMilliseconds: 1000) {
      if monotonicNanoseconds() >= nextCensus {
        statistics.setCensus(cycle.census)
        nextCensus = monotonicNanoseconds() + 1_000_000_000
      }
      if batch.isEmpty {
        observer.writerAlive()
        continue
      }
      write(batch, &cycle)
    }
    // No more will be published: the projector flushes what there is and ends.
    overlay.close()
  }

  /// The writer's cycle over this store, whose commits go to `log`.
  func makeCycle(over log: any CommitLog, from checkpoints: [TenantID: Checkpoint]) -> WriterCycle {
    let recovery = Recovery(log: self.log, overlay: overlay, projections: projections)
    let (events, clock, now) = (self.log, recordingClock, now)
    return WriterCycle(
      log: TimedLog(base: log, statistics: statistics), overlay: overlay, snapshots: snapshots,
      checkpoints: checkpoints, now: { clock.beginBatch(now()) },
      erasablePositions: { session, tenant, last throws(EventLogError) in
        try events.erasablePositions(session, of: tenant, from: last)
      },
      catchUp: { tenant, checkpoint throws(StoreError) in try recovery.fold(tenant, after: checkpoint) })
  }

  /// Carries out a batch of commands, and tells each one what came of it when all of it is durable and can be read.
  func write(_ batch: [PendingCommand], _ cycle: inout WriterCycle) {
    guard !isFailed.load(ordering: .acquiring), waitForRoom() else {
      let error: StoreError = isFailed.load(ordering: .acquiring) ? .closed : .diskNearlyFull
      for pending in batch { pending.completion(.failed(error)) }
      return
    }
    let started = monotonicNanoseconds()
    var rules = configuration.rules
    rules.maximumSessions = maximumSessions.load(ordering: .relaxed)
    do throws(StoreError) {
      let outcomes = try recordingClock.endBatch { () throws(StoreError) in try cycle.run(batch, rules: rules) }
      commits.advance()
      observer.writerAlive()
      statistics.countBatch(batch.count, nanoseconds: monotonicNanoseconds() - started)
      for (pending, outcome) in zip(batch, outcomes) { pending.completion(outcome) }
    } catch {
      // When the map is full, it is known that nothing of the batch was written.
      if error.isMapFull { refuseForFullMap(error) }
      for pending in batch { pending.completion(.failed(error)) }
      if !error.isMapFull { fail(error) }
    }
  }

  /// Waits for room in the overlay, however long a flush takes; false when none will be made, or not before there is room
  /// on the disk.
  private func waitForRoom() -> Bool {
    while true {
      if let hasRoom = overlay.waitForRoom(milliseconds: 1000) { return hasRoom }
      if disk.isUsedUp || !disk.hasRoom(forBytes: overlay.usage.bytes) { return false }
      observer.writerAlive()
    }
  }

  private func project() {
    do throws(ProjectionsError) {
      try Projector(overlay: overlay, projections: projections)
        .run(intervalMilliseconds: configuration.flushIntervalMilliseconds, hasRoom: disk.hasRoom) {
          statistics.countFlush()
        }
    } catch {
      let error = StoreError(error)
      // What couldn't be flushed stays visible in the overlay, and the log has it.
      if error.isMapFull { return refuseForFullMap(error) }
      fail(error)
      // The writer must not wait for room that nobody makes.
      overlay.close()
    }
  }

  private func refuseForFullMap(_ error: StoreError) {
    if disk.refuseForFullMap() { observer.notice("changes are refused, and reads go on: \(error)") }
  }

  /// Changes what can be changed while the store is open: how many sessions a tenant may have open, and how much room
  /// is kept free on the disk.
  public func adjust(maximumSessions: UInt64, diskReserveBytes: Int) {
    self.maximumSessions.store(maximumSessions, ordering: .relaxed)
    disk.change(to: diskReserveBytes)
  }

  /// After a failed commit nothing in memory can be trusted: refuse everything and let the process end.
  func fail(_ error: StoreError) {
    guard !isFailed.exchange(true, ordering: .acquiringAndReleasing) else { return }
    observer.failed(error)
  }
}
