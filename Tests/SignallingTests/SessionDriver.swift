// A session machine with what it did, and the few words that the tests say often.
import Testing

@testable import Signalling

final class SessionDriver {
    static let token = "a-secret-for-resuming"
    static let start = SessionTime(nanoseconds: 5_000_000_000)
    static let participant = ParticipantDescription(
        id: "p1", number: 1, user: "ada", name: "Ada", device: nil, tracks: [])

    var machine: SessionMachine
    var now = start
    var actions: [SessionAction] = []
    let first = ConnectionID(1)

    init(_ change: (inout SessionConfiguration) -> Void = { _ in }) {
        var configuration = SessionConfiguration()
        change(&configuration)
        machine = SessionMachine(
            configuration: configuration, connection: first, session: "s1", resumeToken: Self.token, at: now)
    }

    /// A session that said hello, and where wished joined; what was done so far is forgotten.
    static func active(joined: Bool = false, _ change: (inout SessionConfiguration) -> Void = { _ in }) -> SessionDriver
    {
        let driver = SessionDriver(change)
        driver.say(#"{"id":"0","type":"hello","token":"t"}"#)
        driver.admit()
        if joined {
            driver.say(Self.join(1))
            driver.answer(1, Self.joined)
        }
        driver.actions = []
        return driver
    }

    static func join(_ id: Int, room: String = "blue") -> String {
        #"{"id":"\#(id)","type":"join","room":"\#(room)","offer":{"type":"offer","sdp":"v=0"},"tracks":[]}"#
    }

    static let joined = ServerMessage.joined(
        .init(
            room: "blue", version: 1, participant: participant, participants: [],
            answer: .init(type: .answer, sdp: "v=0"), refused: [], slots: [], resumeWindowSeconds: 30))

    static func event(_ version: UInt64) -> ServerMessage {
        .trackUnpublished(.init(version: version, track: "p2/0", participant: "p2"))
    }

    func say(_ text: String, on connection: ConnectionID? = nil, _ location: SourceLocation = #_sourceLocation) {
        var asked: [SessionAction] = []
        machine.receive(Array(text.utf8), on: connection ?? machine.connection ?? first, at: now, into: &asked)
        for action in asked.dropLast() {
            switch action {
            case .send, .close: break
            default: Issue.record("\(action) is not the last", sourceLocation: location)
            }
        }
        actions += asked
    }

    func admit(room: String? = nil) {
        machine.authenticated(
            as: Claims(user: "ada", name: "Ada", room: room), iceServers: [], iceServersTTLSeconds: 60, into: &actions)
    }

    func answer(_ id: UInt64, _ message: ServerMessage) {
        machine.answer(CommandID(id), message, into: &actions)
    }

    func resume(
        on connection: UInt64, lastSeq: UInt64, token: String = token, session: String = "s1"
    ) -> Bool {
        machine.resume(
            SessionResumption(
                connection: ConnectionID(connection), id: CommandID(0),
                request: .init(session: session, resumeToken: token, lastSeq: lastSeq)), into: &actions)
    }

    /// What was done since the last call.
    func done() -> [SessionAction] {
        defer { actions = [] }
        return actions
    }

    /// The messages sent since the last call, and nothing else was done.
    func sent(_ location: SourceLocation = #_sourceLocation) throws -> [ServerFrame] {
        try done().compactMap { action in
            guard case .send(_, let text) = action else {
                Issue.record("\(action)", sourceLocation: location)
                return nil
            }
            return try ServerFrame(parsing: Array(text.utf8))
        }
    }
}

/// The code of an error message.
func code(_ frame: ServerFrame?) -> ProtocolError.Code? {
    if case .error(let error) = frame?.message { error.code } else { nil }
}

/// A seeded source of chance (splitmix64).
struct SeededChance: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
