internal import Platform
internal import SessionModel
internal import SessionStore

/// What another process of this program does for this one, because it may end in a crash: a damaged page of a file that
/// is mapped into memory can bring down whoever reads it. Not for people, and so in no help.
enum ChildWork: String {
  /// `%verify [--tenant TENANT] [--after TENANT] [--marks FILE] [--head HEAD] [--projections no]`: tells the steps of a
  /// verification.
  case verify = "%verify"
  /// `%compare OLD NEW`: tells how old projections differ from new ones.
  case compare = "%compare"

  init?(_ name: String) {
    self.init(rawValue: name)
  }

  func run(_ arguments: inout Arguments, in directory: DataDirectory) throws -> ExitStatus {
    // One that went on would read for hours, or meet the folders of the same command when it is given again.
    ChildProcess.endWithParent()
    switch self {
    case .verify: try Self.verify(&arguments, in: directory)
    case .compare: try Self.compare(&arguments, in: directory)
    }
    return .fine
  }

  private static func verify(_ arguments: inout Arguments, in directory: DataDirectory) throws {
    let tenant = try arguments.takeTenant()
    let after = try arguments.takeTenant("--after")
    let marks = try arguments.take("--marks").map { try MarksFile($0).read() }
    let head = try arguments.takeHead()
    let withProjections = arguments.take("--projections") != "no"
    try arguments.finish()
    let lines = StepLines()
    do throws(StoreError) {
      try Verification(directory: directory, withProjections: withProjections).run(
        tenants: tenant.map { [$0] }, after: after, from: marks ?? nil, expecting: head
      ) { lines.tell($0) }
    } catch {
      guard error.isDamage else { throw error }
      lines.tell(.found(Verification.Finding(tenant: nil, position: nil, problem: "\(error)")))
    }
  }

  /// Writes steps to standard output, each at once: the next one may not be reached.
  private final class StepLines {
    private var output = Output.standard()

    func tell(_ step: Verification.Step) {
      output.append(step.line + "\n")
      do throws(SystemError) {
        try output.flush()
      } catch {
        // Whoever asked has gone; nobody wants the rest.
        Process.exit(ExitStatus.failed.rawValue)
      }
    }
  }

  private static func compare(_ arguments: inout Arguments, in directory: DataDirectory) throws {
    guard let old = arguments.takeWord(), let new = arguments.takeWord() else {
      throw Arguments.Problem(text: "two folders are needed")
    }
    try arguments.finish()
    let differences = Monitor<[String]>([])
    var isReadable = true
    var problem = ""
    do throws(StoreError) {
      try ProjectionsComparison.run(directory, old: old, new: new) { text in differences.withLock { $0.append(text) } }
    } catch {
      isReadable = false
      problem = "\(error)"
    }
    try printAll { output in
      for text in differences.withLock({ $0 }) { output.append(contentsOf: "differs \(text)\n".utf8) }
      if !isReadable { output.append(contentsOf: "unreadable \(problem)\n".utf8) }
    }
  }
}
