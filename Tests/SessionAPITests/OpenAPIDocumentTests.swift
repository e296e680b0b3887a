import FoundationEssentials
import HTTPServer
import Testing

@testable import SessionAPI

@Suite("The OpenAPI document") struct OpenAPIDocumentTests {
  /// The methods that the router can tell apart, by their names in the document.
  private static let methods: [(name: String, method: HTTPMethod)] = [
    ("get", .get), ("head", .head), ("put", .put), ("patch", .patch), ("post", .post), ("delete", .delete),
  ]
  /// What an object of a path may hold besides methods.
  private static let otherMembers: Set = ["parameters", "summary", "description", "servers", "$ref"]
  private static let ownPath = "/openapi.json"

  private let document: JSONTree

  init() throws {
    document = try JSONDecoder().decode(JSONTree.self, from: Data(OpenAPIDocument.json))
  }

  private var paths: [String: JSONTree] { document["paths"]?.members ?? [:] }

  /// The paths that name a tenant.
  private var templates: [String] { paths.keys.filter { $0 != Self.ownPath }.sorted() }

  /// The names of the methods that a path has in the document.
  private func documentedMethods(_ path: String) -> Set<String> {
    Set((paths[path]?.members ?? [:]).keys).subtracting(Self.otherMembers)
  }

  /// The route of a path that is made from a template.
  private func route(_ template: String) throws -> Route {
    let path = template.replacing("{tenant}", with: "acme").replacing("{sessionId}", with: "b0a6a6a4-7a4c")
      .replacing("{attributeName}", with: "a%2Fb")
    try #require(!path.contains("{"), "\(template) has a parameter that this test doesn't know")
    return try RequestTarget(Array(path.utf8)).route
  }

  @Test("names every operation once, and no other")
  func operations() {
    let documented = paths.values.flatMap { path in path.members?.values.compactMap { $0["operationId"]?.text } ?? [] }
    let all = Operation.allCases.filter { $0 != .getPastContext }.map(\.name)
    #expect(documented.sorted() == all.sorted())
  }

  @Test("says which parameters make of a read a look into the past")
  func past() throws {
    let path = "/session-context/{tenant}/context/{sessionId}"
    let context = try route(path)
    for parameter in try #require(paths[path]?["get"]?["parameters"]?.elements) {
      let parameter = resolve(parameter)
      let name = try #require(parameter?["name"]?.text)
      let operation = context.operation(.get, try RequestQuery(Array("\(name)=1".utf8)[...]))
      #expect(parameter?["x-sessiond-operation"]?.text ?? "getContext" == operation?.name, "\(name)")
    }
    #expect(paths[path]?["get"]?["operationId"]?.text == "getContext")
  }

  @Test("has a path for every route, and no other")
  func routes() throws {
    // A new route doesn't compile here until it is named.
    func name(_ route: Route) -> String {
      switch route {
      case .context: "context"
      case .attributes: "attributes"
      case .attribute: "attribute"
      case .contextEvents: "contextEvents"
      case .contextDiff: "contextDiff"
      case .contexts: "contexts"
      case .events: "events"
      case .erasures: "erasures"
      case .ownContext: "ownContext"
      case .ownAttributes: "ownAttributes"
      case .ownAttribute: "ownAttribute"
      }
    }
    let routed = try templates.map { name(try route($0)) }
    let all = [
      "attribute", "attributes", "context", "contextDiff", "contextEvents", "contexts", "erasures", "events",
      "ownAttribute", "ownAttributes", "ownContext",
    ]
    #expect(routed.sorted() == all)
    #expect(paths[Self.ownPath] != nil)
  }

  @Test("lists for each path the methods that the router knows there, with the operations that they stand for")
  func methods() throws {
    for template in templates {
      let route = try route(template)
      let known = Self.methods.filter { route.operation($0.method) != nil }.map(\.name)
      #expect(documentedMethods(template) == Set(known + ["options"]), "\(template)")
      for (name, method) in Self.methods where name != "head" {
        let documented = paths[template]?[name]?["operationId"]?.text
        #expect(documented == route.operation(method)?.name, "\(name) \(template)")
      }
    }
  }

  @Test("declares the parameters of each path")
  func parameters() throws {
    for template in templates {
      let inPath = try #require(paths[template]?["parameters"]?.elements).compactMap { parameter -> String? in
        let parameter = resolve(parameter)
        return parameter?["in"]?.text == "path" ? parameter?["name"]?.text : nil
      }
      let inTemplate = template.split(separator: "/").filter { $0.hasPrefix("{") }.map {
        String($0.dropFirst().dropLast())
      }
      #expect(inPath == inTemplate, "\(template)")
    }
  }

  @Test("declares parameters of queries that are known")
  func queryParameters() {
    var names: Set<String> = []
    document.visit { if $0["in"]?.text == "query", let name = $0["name"]?.text { names.insert(name) } }
    #expect(!names.isEmpty)
    #expect(names.filter { RequestQuery.Parameter(rawValue: $0) == nil } == [])
  }

  @Test("has what its references name, and no component that none names")
  func references() {
    var named: Set<String> = []
    document.visit { if let reference = $0["$ref"]?.text { named.insert(reference) } }
    var defined: Set<String> = []
    for (kind, components) in document["components"]?.members ?? [:] where kind != "securitySchemes" {
      for name in (components.members ?? [:]).keys { defined.insert("#/components/\(kind)/\(name)") }
    }
    #expect(named.subtracting(defined) == [])
    #expect(defined.subtracting(named) == [])
  }

  private func resolve(_ object: JSONTree) -> JSONTree? {
    guard let reference = object["$ref"]?.text else { return object }
    return reference.split(separator: "/").dropFirst().reduce(document) { $0?[String($1)] }
  }

  @Test("is named by its path alone, with or without a query")
  func path() {
    for target in ["/openapi.json", "/openapi.json?", "/openapi.json?pretty"] {
      #expect(OpenAPIDocument.isNamed(by: Array(target.utf8)), "\(target)")
    }
    for target in ["/", "/openapi.jso", "/openapi.json/", "/openapi.jsonp", "/session-context/acme/me/context"] {
      #expect(!OpenAPIDocument.isNamed(by: Array(target.utf8)), "\(target)")
    }
  }

  @Test("is answered to the methods that it lists for itself; others are told which")
  func serving() throws {
    #expect(documentedMethods(Self.ownPath) == ["get", "head", "options"])
    for method in [HTTPMethod.get, .head] {
      let answer = answer(to: method)
      #expect(answer.status == 200)
      #expect(answer.body == OpenAPIDocument.json)
    }
    for method in [HTTPMethod.put, .patch, .post, .delete] {
      let answer = answer(to: method)
      #expect(answer.status == 405)
      #expect(answer.fields.first { "\($0.name)" == "Allow" }?.value == "GET, HEAD, OPTIONS")
    }
  }

  private func answer(to method: HTTPMethod) -> HTTPResponse {
    OpenAPIDocument.answer(HTTPExchange(method: method, target: Self.ownPath) { _ in })
  }
}

/// Any JSON value, as far as these tests look at it.
private indirect enum JSONTree: Decodable {
  case object([String: JSONTree])
  case array([JSONTree])
  case string(String)
  case other

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let members = try? container.decode([String: JSONTree].self) {
      self = .object(members)
    } else if let elements = try? container.decode([JSONTree].self) {
      self = .array(elements)
    } else if let text = try? container.decode(String.self) {
      self = .string(text)
    } else {
      self = .other
    }
  }

  var members: [String: JSONTree]? { if case .object(let members) = self { members } else { nil } }
  var elements: [JSONTree]? { if case .array(let elements) = self { elements } else { nil } }
  var text: String? { if case .string(let text) = self { text } else { nil } }

  subscript(name: String) -> JSONTree? { members?[name] }

  /// Calls `body` with this value and each one inside it.
  func visit(_ body: (JSONTree) -> Void) {
    body(self)
    for value in members?.values.map(\.self) ?? elements ?? [] { value.visit(body) }
  }
}
