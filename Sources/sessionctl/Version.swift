/// The version of this release (semver.org).
let version = "0.1.0"
