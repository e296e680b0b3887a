/// How `sessionctl` ends.
enum ExitStatus: Int32 {
  /// All is fine.
  case fine = 0
  /// Something was found, such as damage.
  case finding = 1
  /// The command line can't be meant.
  case wrongUse = 2
  /// It could not be done.
  case failed = 3
}
