// The control plane's work for operators: each request is authenticated, then answered at once, or when the room's worker
// has said what it has to.
import EventLoop
import Gateway
import MediaCore
import Signalling
import Tokens

/// What the control plane keeps for the operators' interface.
struct AdminState {
    var refusals = RefusalLimit()
    /// What workers were asked, by the request's number.
    var pending: [UInt64: AdminQuestion] = [:]
}

/// A question to a worker that an operator waits for.
struct AdminQuestion {
    enum Kind: Equatable {
        case start(CapturePayload, seconds: Int)
        case stop
        case flight
        /// Asks first where the newest decisions are, then for them.
        case newest(limit: Int)
        case explain
    }
    /// Who waits; nil once that was given up.
    var id: RequestID?
    let room: RoomKey
    let kind: Kind
    /// In nanoseconds of the monotonic clock.
    var deadline: Int64
}

extension ControlPlane {
    nonisolated func gatewayMethods(path: String) -> [HTTPMethod]? { AdminRoute(path: path)?.methods }
    nonisolated func gatewayRefusal(of request: GatewayRequest) -> HTTPResponse? {
        assumeIsolated { $0.refusal(of: request) }
    }
    nonisolated func gatewayRequested(_ id: RequestID, _ request: GatewayRequest) {
        assumeIsolated { $0.requested(id, request) }
    }

    /// Only an operator's body is read.
    private func refusal(of request: GatewayRequest) -> HTTPResponse? {
        do throws(AdminError) {
            try authorise(try authenticate(request), AdminRoute(path: request.path))
            return nil
        } catch {
            return error.response
        }
    }

    private func requested(_ id: RequestID, _ request: GatewayRequest) {
        do throws(AdminError) {
            if let response = try perform(id, request) { respond(id, response) }
        } catch {
            respond(id, error.response)
        }
    }

    func respond(_ id: RequestID, _ response: HTTPResponse) { gateway?.respond(id, response) }

    /// The response, or nil where it comes later.
    private func perform(_ id: RequestID, _ request: GatewayRequest) throws(AdminError) -> HTTPResponse? {
        guard let route = AdminRoute(path: request.path) else { throw .noRoom }
        let claims = try authenticate(request)
        try authorise(claims, route)
        guard !isDraining else { throw AdminError(503, "serverShutdown", "The server is going away.") }
        if route == .events { return try events(request, claims) }
        if let user = route.user {
            try allowQuery(request.method == .get && route != .user(user) ? ["before", "limit"] : [], of: request)
            try perform(id, request, route, on: user)
            return nil
        }
        guard let name = route.room else {
            try allowQuery([], of: request)
            return AdminBody.response(200, AdminBody.Rooms(rooms: summaries(for: claims)))
        }
        guard name.utf8.count <= ProtocolLimits.roomBytes else {
            throw AdminError(400, "outOfRange", "A room's name has 1 to \(ProtocolLimits.roomBytes) bytes.")
        }
        if case .explain = route {
            try allowQuery(["after", "limit"], of: request)
        } else {
            try allowQuery([], of: request)
        }
        // What is asked is read before the room is looked for: a wrong request is wrong whether or not there is one.
        switch (route, request.method) {
        case (.captures, .post):
            let order = try CaptureOrder(request)
            guard order.payload == .headers || claims.canRecord else {
                throw AdminError(403, "forbidden", "Recording whole payloads needs the grant canRecord.")
            }
            try startCapture(id, order, in: try room(name), by: claims.subject)
        case (.captures, .delete): try stopCapture(id, in: try room(name), by: claims.subject)
        case (.moderate, _):
            let moderation = try ModerationOrder(request).moderation
            return try moderate(moderation, in: try room(name), by: claims.subject)
        case (.flight, _): keepFlight(id, in: try room(name), by: claims.subject)
        case (.explain, _): try explain(id, request, name)
        default: return AdminBody.response(200, details(of: try room(name)))
        }
        return nil
    }

    private func room(_ name: String) throws(AdminError) -> RoomRecord {
        guard let room = rooms[name] else { throw .noRoom }
        return room
    }

    private func allowQuery(_ names: Set<String>, of request: GatewayRequest) throws(AdminError) {
        if let unknown = request.query.first(where: { !names.contains($0.name) })?.name {
            throw AdminError(400, "malformed", "There is no query field \(unknown.prefix(64)).")
        }
    }

    func number(
        _ field: String, _ range: ClosedRange<UInt64>, of request: GatewayRequest
    ) throws(AdminError) -> UInt64? {
        guard let text = request.query.last(where: { $0.name == field })?.value else { return nil }
        guard let number = UInt64(text), range.contains(number) else {
            throw AdminError(
                400, "outOfRange", "\(field) is a whole number from \(range.lowerBound) to \(range.upperBound).")
        }
        return number
    }

    /// What happened in rooms: in all, or in the one that the token is for.
    private func events(_ request: GatewayRequest, _ claims: TokenClaims) throws(AdminError) -> HTTPResponse {
        try allowQuery(["after", "limit"], of: request)
        let limit = Int(try number("limit", 1...1_000, of: request) ?? 200)
        let after = try number("after", 0...UInt64(Int64.max), of: request) ?? 0
        let page = feed.page(after: after, limit: limit, room: Self.onlyRoom(of: claims))
        return AdminBody.response(
            200,
            AdminBody.Events(
                feed: feedName, events: page.entries.map { AdminBody.Event($0) }, last: page.last,
                forgotten: page.forgotten))
    }

    /// What a host may do, done by an operator.
    private func moderate(
        _ moderation: Moderation, in room: RoomRecord, by user: String
    ) throws(AdminError) -> HTTPResponse {
        do throws(ProtocolError) {
            try change(room) { machine, now, actions throws(ProtocolError) in
                try machine.moderate(moderation, by: .operator, at: now, into: &actions)
            }
        } catch {
            let status =
                switch error.code {
                case .unknownParticipant: 404
                case .overtaken, .forbidden, .roomEnded: 409
                default: 503
                }
            throw AdminError(status, error.code.rawValue, error.message)
        }
        log(.info, "moderated", ("room", room.name), ("by", user))
        return AdminBody.response(200, AdminBody.Moderated(version: room.roster.version))
    }

    private func explain(_ id: RequestID, _ request: GatewayRequest, _ name: String) throws(AdminError) {
        let limit = Int(try number("limit", 1...1_000, of: request) ?? 200)
        let after = try number("after", 0...UInt64(Int64.max), of: request)
        explain(id, after: after, limit: limit, in: try room(name))
    }

    // MARK: What is there

    private func summaries(for claims: TokenClaims) -> [AdminBody.Room] {
        let only = Self.onlyRoom(of: claims)
        return rooms.values.filter { only == nil || $0.name == only }.sorted { $0.name < $1.name }.map {
            summary(of: $0)
        }
    }

    private func summary(of room: RoomRecord) -> AdminBody.Room {
        AdminBody.Room(
            name: room.name, people: room.roster.participants.count(where: { $0.isPresent }),
            version: room.roster.version, worker: room.worker,
            recording: room.recording.map { recording in
                AdminBody.Recording(
                    state: recording.path == nil ? "starting" : "on", payload: recording.payload.rawValue,
                    path: recording.path, seconds: recording.seconds,
                    elapsedSeconds: Int((MonotonicClock.now - recording.since) / 1_000_000_000))
            })
    }

    private func details(of room: RoomRecord) -> AdminBody.RoomDetails {
        AdminBody.RoomDetails(
            room: summary(of: room), lastRecording: room.lastRecording.map { AdminBody.Ended($0) },
            settings: room.roster.machine.settings, waiting: room.roster.machine.waiting.map(\.description),
            participants: room.roster.participants.filter(\.isPresent).map { participant in
                let member = room.members[participant.id]
                let description = participant.description
                return AdminBody.Participant(
                    id: description.id, number: description.number, user: description.user, name: description.name,
                    device: description.device, hidden: participant.isHidden,
                    transport: (member?.transport ?? .connecting).rawValue, socketLost: member?.isSocketLost ?? true,
                    role: description.role.rawValue, hand: description.hand, tracks: description.tracks)
            })
    }
}
