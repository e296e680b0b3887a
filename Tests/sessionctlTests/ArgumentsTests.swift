import SessionCodec
import SessionModel
import SessionStore
import TestSupport
import Testing

@testable import sessionctl

private let zeros = String(repeating: "0", count: 64)

@Suite("the command line") struct ArgumentsTests {
  @Test("values stand behind their option or its equals sign, and words stay in order")
  func values() throws {
    var arguments = try Arguments(["show", "--version", "3", "acme", "--as-of=2026-03-01T00:00:00Z", "s1", "--json"])
    #expect(arguments.words == ["show", "acme", "s1"])
    let version = try arguments.takeNumber("--version", in: 1...UInt32.max)
    #expect(version == 3)
    let time = try arguments.takeInstant("--as-of")
    #expect(time == Instant(rfc3339: "2026-03-01T00:00:00Z"))
    let flags = (arguments.takeFlag("--json"), arguments.takeFlag("--json"))
    #expect(flags == (true, false))
  }

  @Test("--version in front of the command asks for the program's, behind it for a session's")
  func version() throws {
    var program = try Arguments(["--version"])
    let isProgram = program.takeFlag("--version")
    #expect(isProgram)
    var session = try Arguments(["show", "acme", "s1", "--version", "2"])
    let isSession = !session.takeFlag("--version")
    let version = session.take("--version")
    #expect(isSession && version == "2")
  }

  @Test("what follows two dashes are words, whatever they begin with")
  func dashes() throws {
    let arguments = try Arguments(["show", "--json", "--", "acme", "--odd", "--", "-h"])
    #expect(arguments.words == ["show", "acme", "--odd", "--", "-h"])
    #expect(try Arguments(["show", "acme", "-odd"]).words == ["show", "acme", "-odd"])
  }

  @Test(
    "command lines that can't be meant are refused in words",
    arguments: [
      (["show", "acme"], "the session is missing"),
      (["show"], "the tenant is missing"),
      (["show", "ACME", "s1"], "ACME is no tenant's name"),
      (["show", "acme", "a\u{1}b"], "a\\u{1}b can't be a session's id"),
      (["show", "acme", "s1", "s2"], "s2 is one word too many"),
      (["show", "acme", "s1", "--version", "0"], "--version must be a whole number from 1 to 4294967295"),
      (["show", "acme", "s1", "--version", "1x"], "--version must be a whole number from 1 to 4294967295"),
      (["show", "acme", "s1", "--version", "+1"], "--version must be a whole number from 1 to 4294967295"),
      (["show", "acme", "s1", "--version"], "--version needs a value"),
      (["show", "acme", "s1", "--version", "--json"], "--version needs a value"),
      (["show", "acme", "s1", "--version="], "--version needs a value"),
      (["show", "acme", "s1", "--json=1"], "--json takes no value"),
      (["show", "acme", "s1", "--json", "--json"], "--json is given twice"),
      (["show", "acme", "s1", "--limit", "1"], "there is no option --limit here"),
      (
        ["show", "acme", "s1", "--as-of", "yesterday"], "--as-of must be a time such as 2026-03-01T12:00:00Z (RFC 3339)"
      ),
      (["show", "acme", "s1", "--as-of", "9999-12-31T23:59:59Z"], "--as-of must not lie in the future"),
      (
        ["show", "acme", "s1", "--version", "1", "--as-of", "2026-03-01T12:00:00Z"],
        "name either a version or a time, not both"
      ),
      (["diff", "acme", "s1", "--from", "1"], "diff needs both versions: --from N --to M"),
      (["history", "acme", "s1", "--limit", "0"], "--limit must be a whole number from 1 to 1000000"),
      (["replay", "--from", "3", "--to", "2"], "--from must not be after --to"),
      (["replay", "--type", "nothing"], "there is no event type nothing"),
      (["replay", "--format", "xml"], "--format must be table, ndjson or csv"),
      (["replay", "--format", "csv", "--json"], "--json and --format csv can't both be meant"),
      (
        ["replay", "--since", "2026-03-02T00:00:00Z", "--until", "2026-03-01T00:00:00Z"],
        "--since must not be after --until"
      ),
      (["tail", "--to", "3"], "tail has no end, so no --to and --until; replay has"),
      (["backup"], "the folder for the backup is missing"),
      (["restore"], "the backup is missing"),
      (["archive"], "the folder for the archive is missing"),
      (["verify", "--archive", "a", "--resume", "b"], "--archive and --resume can't both be meant"),
      (["verify", "--head", "1:\(zeros)"], "--head is of one tenant's log: name it with --tenant"),
      (
        ["verify", "--tenant", "acme", "--head", "1:\(zeros)", "--archive", "a"],
        "--head can't be meant with --archive or --resume"
      ),
      (
        ["verify", "--tenant", "acme", "--head", "1:0"],
        "--head must be a position, a colon and the chain there, of 64 hexadecimal digits"
      ),
      (["tenant"], "what to do is missing: list, export or remove"),
      (["tenant", "rename"], "rename is nothing to do with a tenant; list, export and remove are"),
      (["tenant", "list", "acme"], "acme is one word too many"),
      (["tenant", "list", "--confirm", "acme"], "there is no option --confirm here"),
      (["tenant", "export", "acme"], "the folder for the export is missing"),
      (
        ["tenant", "remove", "acme"],
        "tenant acme would be removed with all its data; to do so, say --confirm acme"
      ),
      (
        ["tenant", "remove", "acme", "--confirm", "beta"],
        "tenant acme would be removed with all its data; to do so, say --confirm acme"
      ),
      (["erase"], "the tenant is missing"),
      (["erase", "acme"], "name what to erase: --session SESSION or --customer ID"),
      (
        ["erase", "acme", "--session", "s", "--customer", "c"], "name what to erase: --session SESSION or --customer ID"
      ),
      (["verify", "--tenant", "x"], "x is no tenant's name"),
    ])
  func refused(words: [String], expected: String) throws {
    let text: String?
    do {
      var arguments = try Arguments(words)
      let name = arguments.takeWord()
      let command = try #require(Catalog.command(name ?? ""))
      _ = try command.init(&arguments)
      try arguments.finish()
      text = nil
    } catch {
      text = (error as? Arguments.Problem)?.text
    }
    #expect(text == expected)
  }

  @Test("an event type is named in full or short, and --json is a format")
  func selection() throws {
    for name in ["attribute-set", "session.attribute-set.v1"] {
      var arguments = try Arguments(["--type", name, "--customer", "c 1", "--from", "2", "--json"])
      let selection = try EventSelection(&arguments)
      #expect(selection.kind == .attributeSet)
      #expect(selection.customer == "c 1")
      #expect(selection.positions == 2 ... .max)
      let format = try EventFormat(&arguments)
      #expect(format == .ndjson)
      try arguments.finish()
    }
  }

  @Test("each command is in the help, and explains itself with its usage and an example")
  func help() {
    for command in Catalog.commands {
      #expect(Catalog.help.contains("  \(command.name) "))
      #expect(command.help.hasPrefix("sessionctl \(command.name): "))
      #expect(command.help.contains("usage: sessionctl [--data-dir DIR] \(command.name)"))
      #expect(command.help.contains("\nexamples:\n  "))
      #expect(command.help.contains("\nexit status: "))
      for line in command.help.split(separator: "\n") { #expect(line.utf8.count <= 122, "\(line)") }
    }
  }
}
