/// How large the parts of a request body may be. The size of the whole body is the HTTP server's limit.
public struct BodyLimits: Equatable, Sendable {
  /// How many custom attributes a context may have.
  public var maximumAttributes: Int
  /// The longest value of an attribute in bytes, as it was sent.
  public var maximumAttributeBytes: Int
  /// The longest other text in bytes: fields and the names of attributes, unescaped.
  public var maximumTextBytes: Int
  /// How deep objects and arrays may nest; the body itself is the first level. At most 255.
  public var maximumDepth: Int

  /// Limits with the defaults of the API contract.
  public init(
    maximumAttributes: Int = 100, maximumAttributeBytes: Int = 16 * 1024, maximumTextBytes: Int = 200,
    maximumDepth: Int = 32
  ) {
    self.maximumAttributes = maximumAttributes
    self.maximumAttributeBytes = maximumAttributeBytes
    self.maximumTextBytes = maximumTextBytes
    self.maximumDepth = maximumDepth
  }
}
