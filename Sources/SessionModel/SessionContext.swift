/// The fields of a context that hold one text each. The raw value is the field's number in stored records: never reuse one.
public enum Field: UInt8, CaseIterable, Sendable {
  case customerID = 1
  case siteCode = 2
  case currency = 3
  case cartID = 4
  case targetLocation = 5
  case language = 6

  /// The field's name in JSON.
  public var name: String {
    switch self {
    case .customerID: "customerId"
    case .siteCode: "siteCode"
    case .currency: "currency"
    case .cartID: "cartId"
    case .targetLocation: "targetLocation"
    case .language: "language"
    }
  }
}

/// A custom attribute: a name and any JSON value, kept byte for byte as it was sent.
public struct Attribute: Equatable, Sendable {
  /// The name, unescaped, 1 to 200 bytes.
  public var name: String
  /// The value as JSON text, valid and at most 16 KiB by default.
  public var value: [UInt8]

  /// An attribute of that name and JSON text.
  public init(name: String, value: [UInt8]) {
    self.name = name
    self.value = value
  }

  /// Whether both are the same bytes.
  public static func == (left: Attribute, right: Attribute) -> Bool {
    left.name.isIdentical(to: right.name) && left.value == right.value
  }
}

/// What a shop keeps for one browser session.
public struct SessionContext: Equatable, Sendable {
  /// The customer, for logged-in customers only.
  public var customerID: String?
  /// The site, such as `main`.
  public var siteCode: String?
  /// The currency, ISO 4217.
  public var currency: String?
  /// The cart.
  public var cartID: String?
  /// The country that is delivered to, ISO 3166 alpha-2.
  public var targetLocation: String?
  /// The language, such as `de` or `de-DE`.
  public var language: String?
  /// The custom attributes in the order in which they were first set, each name once.
  public var attributes: [Attribute]

  /// An empty context.
  public init() {
    attributes = []
  }

  /// The text of a field, nil when it isn't set.
  public subscript(field: Field) -> String? {
    get {
      switch field {
      case .customerID: customerID
      case .siteCode: siteCode
      case .currency: currency
      case .cartID: cartID
      case .targetLocation: targetLocation
      case .language: language
      }
    }
    set {
      switch field {
      case .customerID: customerID = newValue
      case .siteCode: siteCode = newValue
      case .currency: currency = newValue
      case .cartID: cartID = newValue
      case .targetLocation: targetLocation = newValue
      case .language: language = newValue
      }
    }
  }

  /// The place of the attribute of that name, nil when there is none.
  public func attributeIndex(_ name: String) -> Int? {
    let attributes = attributes.span
    return attributes.indices.first { attributes[$0].name.isIdentical(to: name) }
  }

  /// Whether both hold the same bytes.
  public static func == (left: SessionContext, right: SessionContext) -> Bool {
    Field.allCases.allSatisfy { left[$0].isIdentical(to: right[$0]) } && left.attributes == right.attributes
  }
}
