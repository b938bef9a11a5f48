// docs/openapi.json against a running server: every operation in it answers as it says, and none that is there is missing.
import Bots
import FoundationEssentials
import TestSupport
import Testing
import WholeServers

@testable import Server

@Suite("docs/openapi.json", .serialized)
struct OpenAPITests {
    /// The part of a description that is compared.
    private struct Description: Decodable {
        var paths: [String: [String: Operation]]

        struct Operation: Decodable {
            var statuses: Set<Int>
            /// What 200 or 201 must have, by the names of fields; nil where it is no JSON.
            var schema: String?

            private enum Key: String, CodingKey { case responses }
            private struct Response: Decodable {
                var content: [String: Content]?
                struct Content: Decodable { var schema: Schema? }
                struct Schema: Decodable {
                    var reference: String?
                    private enum Key: String, CodingKey { case reference = "$ref" }
                    init(from decoder: any Decoder) throws {
                        reference = try decoder.container(keyedBy: Key.self).decodeIfPresent(
                            String.self, forKey: .reference)
                    }
                }
            }

            init(from decoder: any Decoder) throws {
                // `parameters` of a path stands among its operations, as a list.
                guard let fields = try? decoder.container(keyedBy: Key.self) else {
                    statuses = []
                    return
                }
                let responses = try fields.decode([String: Response].self, forKey: .responses)
                statuses = Set(responses.keys.compactMap { Int($0) })
                schema = (responses["200"] ?? responses["201"])?.content?["application/json"]?.schema?.reference
            }
        }
    }
    private struct Schemas: Decodable {
        var components: Components
        struct Components: Decodable { var schemas: [String: Schema] }
        struct Schema: Decodable { var required: [String]? }
    }

    private static func data() throws -> Data {
        Data(try #require(FileBytes.read(ExternalCaptures.packageRoot + "/docs/openapi.json")))
    }

    private static func operations() throws -> [(path: String, method: String, operation: Description.Operation)] {
        let description = try JSONDecoder().decode(Description.self, from: data())
        return description.paths.flatMap { path, operations in
            operations.filter { !$0.value.statuses.isEmpty }.map { (path, $0.key.uppercased(), $0.value) }
        }
    }

    @Test("no operation is missing, and none is too many")
    func complete() throws {
        let described = Set(try Self.operations().map { "\($0.method) \($0.path)" })
        var there = Set(AdminRoute.operations)
        for page in ControlPlane.pages { there.insert("GET \(page)") }
        there.insert("GET /v1/ws")
        #expect(described == there)
    }

    @Test("every operation answers as described, and other methods are refused")
    func answers() throws {
        let scene = try AdminScene()
        defer { scene.stop() }
        try scene.person("amina")
        let schemas = try JSONDecoder().decode(Schemas.self, from: Self.data()).components.schemas
        // A recording is begun before it is ended.
        let operations = try Self.operations().sorted { ($0.path, $1.method) < ($1.path, $0.method) }
        #expect(operations.count == 15)
        for (path, method, operation) in operations {
            let target = path.replacing("{room}", with: "test").replacing("{user}", with: "amina")
            let body = path.hasSuffix("/moderate") ? "{\"action\":\"lock\",\"on\":false}" : nil
            let answer = try scene.ask(method, target, body: body)
            #expect(operation.statuses.contains(answer.status), "\(method) \(path): \(answer.status)")
            #expect((200..<300).contains(answer.status) || path == "/v1/ws", "\(method) \(path): \(answer.status)")
            if let name = operation.schema?.split(separator: "/").last, let required = schemas[String(name)]?.required {
                for field in required { #expect(answer.text.contains("\"\(field)\":"), "\(method) \(path): \(field)") }
            }
            for other in ["GET", "POST", "PUT", "PATCH", "DELETE"]
            where !operations.contains(where: { $0.path == path && $0.method == other }) {
                let status = try scene.ask(other, target).status
                #expect(status == 405, "\(other) \(path): \(status)")
            }
            // Without a token, where one is needed.
            let bare = try #require(HTTPConversation.ask(port: scene.server.port, method, target))
            let needsToken = path.hasPrefix("/v1/rooms") || path.hasPrefix("/v1/users") || path == "/v1/events"
            #expect((bare.status == 401) == needsToken, "\(method) \(path): \(bare.status)")
        }
    }
}
