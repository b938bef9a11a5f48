// The messages of Janus's WebSocket API and its videoroom plugin, as far as bots need them.
import FoundationEssentials

/// A message from Janus.
struct JanusMessage: Decodable {
    struct Identified: Decodable { var id: UInt64 }
    struct Description: Decodable {
        var type: String
        var sdp: String
    }
    struct Fault: Decodable { var reason: String }
    struct Trickled: Decodable {
        var candidate: String?
    }
    struct Room: Decodable {
        var videoroom: String?
        var publishers: [Identified]?
        var error: String?
        var errorCode: Int?

        private enum CodingKeys: String, CodingKey {
            case videoroom, publishers, error
            case errorCode = "error_code"
        }
    }
    struct Plugin: Decodable { var data: Room? }

    var janus: String
    var transaction: String?
    var sender: UInt64?
    var data: Identified?
    var plugindata: Plugin?
    var jsep: Description?
    var candidate: Trickled?
    var error: Fault?
    var reason: String?

    init?(_ bytes: [UInt8]) {
        guard let message = try? JSONDecoder().decode(JanusMessage.self, from: Data(bytes)) else { return nil }
        self = message
    }
}

/// Text as a JSON string.
func jsonString(_ text: String) -> String {
    guard let data = try? JSONEncoder().encode(text) else { return "\"\"" }
    return String(decoding: data, as: UTF8.self)
}
