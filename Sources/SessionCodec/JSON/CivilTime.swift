internal import SessionModel

/// A point in time as calendar and clock show it, in UTC of the proleptic Gregorian calendar.
struct CivilTime: Equatable {
  var year: Int
  var month: Int
  var day: Int
  var hour: Int
  var minute: Int
  var second: Int
  var microsecond: Int
}

extension CivilTime {
  /// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z: what four digits of a year can show.
  private static let earliest: Int64 = -62_135_596_800_000_000
  private static let latest: Int64 = 253_402_300_799_999_999

  /// The time of `instant`; one outside the years 1 to 9999 becomes the nearest within them.
  init(_ instant: Instant) {
    let microseconds = Int(min(max(instant.microseconds, Self.earliest), Self.latest))
    let (seconds, microsecond) = floorDivision(microseconds, 1_000_000)
    let (days, secondOfDay) = floorDivision(seconds, 86400)
    self.init(date: days)
    hour = secondOfDay / 3600
    minute = secondOfDay / 60 % 60
    second = secondOfDay % 60
    self.microsecond = microsecond
  }

  // Days are counted in eras of 400 years, after which the calendar repeats, and in years that begin with March, so that
  // a leap day is the last of its year.
  private init(date daysSinceEpoch: Int) {
    let (era, dayOfEra) = floorDivision(daysSinceEpoch + Self.daysToEpoch, Self.daysInEra)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
    hour = 0
    minute = 0
    second = 0
    microsecond = 0
  }

  /// Days from 1970-01-01 to the date.
  private var daysSinceEpoch: Int {
    let (era, yearOfEra) = floorDivision(month <= 2 ? year - 1 : year, 400)
    let monthFromMarch = month > 2 ? month - 3 : month + 9
    let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * Self.daysInEra + dayOfEra - Self.daysToEpoch
  }

  /// The point in time.
  var instant: Instant {
    let seconds = daysSinceEpoch * 86400 + hour * 3600 + minute * 60 + second
    return Instant(microseconds: Int64(seconds * 1_000_000 + microsecond))
  }

  /// How many days the month has.
  var daysInMonth: Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  private static let daysInEra = 146_097
  // From 0000-03-01, the beginning of an era.
  private static let daysToEpoch = 719_468
}

private func floorDivision(_ dividend: Int, _ divisor: Int) -> (quotient: Int, remainder: Int) {
  let (quotient, remainder) = dividend.quotientAndRemainder(dividingBy: divisor)
  return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
}
