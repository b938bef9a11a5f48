// The bodies of the operators' HTTP interface (RFC 8259), and its errors: a status, a code for programs and a sentence for
// people, as in the client protocol.
import FoundationEssentials
import Gateway
import Signalling

/// Why a request of an operator was refused.
struct AdminError: Error {
    var status: Int
    var code: String
    var message: String
    var headers: [(name: String, value: String)] = []

    init(_ status: Int, _ code: String, _ message: String, headers: [(name: String, value: String)] = []) {
        (self.status, self.code, self.message, self.headers) = (status, code, message, headers)
    }

    static let noRoom = AdminError(404, "noRoom", "There is no such room now.")
    static let notRecording = AdminError(404, "notRecording", "The room is not being recorded.")

    var response: HTTPResponse {
        AdminBody.response(status, AdminBody.Refusal(code: code, message: message), headers: headers)
    }
}

/// The bodies.
enum AdminBody {
    struct Refusal: Encodable {
        var code: String
        var message: String
    }
    struct Rooms: Encodable { var rooms: [Room] }
    /// A recording that runs, or is about to.
    struct Recording: Encodable {
        /// `starting` or `on`.
        var state: String
        var payload: String
        var path: String?
        /// How long it will be; nil where the server's settings record every room.
        var seconds: Int?
        var elapsedSeconds: Int
    }
    /// A recording that is over.
    struct Ended: Encodable {
        var path: String
        var reason: String
        var bytes: Int
        /// How often events were left out because the disk was slow.
        var refusals: Int
        var failure: String?

        init(_ ended: CaptureEnded) {
            path = ended.path
            reason = ended.reason.rawValue
            bytes = ended.bytes
            refusals = ended.refusals
            failure = ended.failure
        }
    }
    struct Room: Encodable {
        var name: String
        var people: Int
        var version: UInt64
        var worker: Int
        var recording: Recording?

        enum Key: String, CodingKey {
            case name, people, version, worker, recording, lastRecording, settings, waiting, participants
        }

        func encode(to encoder: any Encoder) throws {
            var fields = encoder.container(keyedBy: Key.self)
            try fields.encode(name, forKey: .name)
            try fields.encode(people, forKey: .people)
            try fields.encode(version, forKey: .version)
            try fields.encode(worker, forKey: .worker)
            // Null rather than absent: an operator sees that there is none.
            try fields.encode(recording, forKey: .recording)
        }
    }
    struct RoomDetails: Encodable {
        var room: Room
        var lastRecording: Ended?
        var settings: RoomSettings
        var waiting: [WaitingDescription]
        var participants: [Participant]

        func encode(to encoder: any Encoder) throws {
            try room.encode(to: encoder)
            var fields = encoder.container(keyedBy: Room.Key.self)
            try fields.encode(lastRecording, forKey: .lastRecording)
            try fields.encode(settings, forKey: .settings)
            try fields.encode(waiting, forKey: .waiting)
            try fields.encode(participants, forKey: .participants)
        }
    }
    struct Participant: Encodable {
        var id: String
        var number: UInt32
        var user: String
        var name: String?
        var device: String?
        var hidden: Bool
        var transport: String
        var socketLost: Bool
        var role: String
        var hand: UInt64?
        var tracks: [TrackDescription]
    }
    struct Started: Encodable {
        var path: String
        var payload: String
        var seconds: Int
    }
    struct Kept: Encodable { var path: String }
    struct Moderated: Encodable { var version: UInt64 }
    struct Event: Encodable {
        var number: UInt64
        var milliseconds: Int64
        var room: String
        var version: UInt64
        var type: String
        var subject: String?
        var user: String?
        var by: String?
        var detail: String?

        init(_ entry: EventFeed.Entry) {
            number = entry.number
            milliseconds = entry.milliseconds
            room = entry.room
            version = entry.event.version
            type = entry.event.kind.rawValue
            subject = entry.event.subject
            user = entry.event.user
            by = entry.event.by
            detail = entry.event.detail
        }
    }
    struct Events: Encodable {
        /// Another name means that the server began anew, and its numbers with it.
        var feed: String
        var events: [Event]
        var last: UInt64
        var forgotten: UInt64
    }
    struct Explanations: Encodable {
        struct Entry: Encodable {
            var number: UInt64
            var seconds: Double
            var name: String
            var peer: String?
            var sentence: String
        }
        struct Drop: Encodable {
            var reason: String
            var count: UInt64
        }
        var entries: [Entry]
        var next: UInt64
        var forgotten: UInt64
        var drops: [Drop]
    }

    /// A response with a body.
    static func response(
        _ status: Int, _ body: some Encodable, headers: [(name: String, value: String)] = []
    ) -> HTTPResponse {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(body) else {
            return HTTPResponse(
                status: 500, contentType: "application/json",
                text: "{\"code\":\"internal\",\"message\":\"The answer cannot be written.\"}\n")
        }
        return HTTPResponse(
            status: status, contentType: "application/json", body: Array(data) + [UInt8(ascii: "\n")],
            headers: headers)
    }
}

extension AdminBody {
    /// The bytes of a body that is one JSON object, in UTF-8 (a zero byte makes the decoder guess others), and nests no deeper
    /// than the decoder can.
    static func object(of request: GatewayRequest) throws(AdminError) -> [UInt8] {
        let type = request.contentType?.split(separator: ";").first?.lowercased() ?? ""
        guard type.filter({ $0 != " " && $0 != "\t" }) == "application/json" else {
            throw AdminError(415, "unsupportedMediaType", "The body must be application/json.")
        }
        let bytes = request.body
        guard bytes.first(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0A && $0 != 0x0D }) == UInt8(ascii: "{"),
            !bytes.contains(0), bytes.count(where: { $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: "[") }) <= 16,
            String(validating: bytes, as: UTF8.self) != nil
        else { throw AdminError(400, "malformed", "The body is not one JSON object.") }
        return bytes
    }
}

/// What an operator does as a host would: the fields of the client protocol's `moderate`.
struct ModerationOrder {
    let moderation: Moderation

    /// Reads a body. Its bounds are the protocol's.
    init(_ request: GatewayRequest) throws(AdminError) {
        let bytes = try AdminBody.object(of: request)
        let moderate: ClientCommand.Moderate
        do {
            moderate = try JSONDecoder().decode(ClientCommand.Moderate.self, from: Data(bytes))
        } catch {
            throw AdminError(400, "malformed", "The body is not what moderate of the client protocol is.")
        }
        if let fault = ClientMessage.command(.moderate(moderate)).boundsFault {
            throw AdminError(400, fault.code.rawValue, fault.message)
        }
        do throws(ProtocolError) {
            moderation = try moderate.moderation()
        } catch {
            throw AdminError(400, error.code.rawValue, error.message)
        }
    }
}

/// What an operator asks to be recorded.
struct CaptureOrder: Equatable {
    var seconds = 60
    var payload = CapturePayload.headers

    /// How long a recording may be asked for, in seconds.
    static let secondsRange = 1...86_400

    private struct AnyKey: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private struct Body: Decodable {
        var seconds: Int?
        var payload: String?
        var unknown: String?

        init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: AnyKey.self)
            seconds = try fields.decodeIfPresent(Int.self, forKey: AnyKey(stringValue: "seconds"))
            payload = try fields.decodeIfPresent(String.self, forKey: AnyKey(stringValue: "payload"))
            unknown = fields.allKeys.map(\.stringValue).filter { $0 != "seconds" && $0 != "payload" }.min()
        }
    }

    /// The defaults.
    init() {}

    /// Reads a body. An empty one asks for the defaults.
    init(_ request: GatewayRequest) throws(AdminError) {
        guard !request.body.isEmpty else { return }
        let bytes = try AdminBody.object(of: request)
        let body: Body
        do {
            body = try JSONDecoder().decode(Body.self, from: Data(bytes))
        } catch {
            throw AdminError(
                400, "malformed", "The body is not an object with the whole number seconds and the string payload.")
        }
        if let unknown = body.unknown {
            throw AdminError(
                400, "malformed", "There is no field \(unknown.prefix(64)); there are seconds and payload.")
        }
        if let seconds = body.seconds {
            guard Self.secondsRange.contains(seconds) else {
                throw AdminError(400, "outOfRange", "seconds is 1 to \(Self.secondsRange.upperBound).")
            }
            self.seconds = seconds
        }
        if let name = body.payload {
            guard let payload = CapturePayload(rawValue: name) else {
                throw AdminError(400, "outOfRange", "payload is headers or whole.")
            }
            self.payload = payload
        }
    }
}
