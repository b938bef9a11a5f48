// The control plane's side of captures: what operators ask goes to the room's worker, what it answers goes back, and while
// a recording runs everybody in the room is told.
import EventLoop
import Gateway
import MediaCore
import Signalling

/// A recording of a room, from when it is asked for until it is over.
struct RoomRecording {
    var payload: CapturePayload
    /// The request that asked for it; nil where the server's settings did.
    var request: UInt64?
    /// How long it will be; nil where nobody said.
    var seconds: Int?
    /// When it was asked for, and from its start when it began, in nanoseconds of the monotonic clock.
    var since: Int64
    /// The file; nil until the worker has begun.
    var path: String?
}

extension ControlPlane {
    /// How long a worker has for an answer, in nanoseconds.
    static let workerNanoseconds: Int64 = 5_000_000_000
    /// How long a start that nobody waits for any more is remembered, in nanoseconds: it may still begin.
    private static let lateStartNanoseconds: Int64 = 60_000_000_000

    // MARK: Asking

    func startCapture(
        _ id: RequestID, _ order: CaptureOrder, in room: RoomRecord, by user: String
    ) throws(AdminError) {
        guard room.recording == nil else {
            throw AdminError(409, "alreadyRecording", "The room is being recorded already.")
        }
        let request = question(id, room, .start(order.payload, seconds: order.seconds))
        room.recording = RoomRecording(
            payload: order.payload, request: request, seconds: order.seconds, since: MonotonicClock.now)
        log(
            .info, "recording asked for", ("room", room.name), ("payload", order.payload.rawValue),
            ("seconds", "\(order.seconds)"), ("by", user))
        post(
            .startCapture(
                room.key,
                CaptureRequest(
                    request: request, payload: order.payload, seconds: order.seconds,
                    maximumBytes: configuration.captures.fileMegabytes * 1_048_576)), to: room)
    }

    func stopCapture(_ id: RequestID, in room: RoomRecord, by user: String) throws(AdminError) {
        guard room.recording != nil else { throw .notRecording }
        _ = question(id, room, .stop)
        log(.info, "end of the recording asked for", ("room", room.name), ("by", user))
        post(.stopCapture(room.key), to: room)
    }

    func keepFlight(_ id: RequestID, in room: RoomRecord, by user: String) {
        let request = question(id, room, .flight)
        log(.info, "keeping of the flight recorder asked for", ("room", room.name), ("by", user))
        post(.keepFlight(room.key, request: request, .requested), to: room)
    }

    /// Asks for decisions above `after`, or for the newest.
    func explain(_ id: RequestID, after: UInt64?, limit: Int, in room: RoomRecord) {
        if let after {
            let request = question(id, room, .explain)
            post(.explain(room.key, request: request, after: after, limit: limit), to: room)
        } else {
            let request = question(id, room, .newest(limit: limit))
            post(.explain(room.key, request: request, after: 0, limit: 1), to: room)
        }
    }

    private func question(_ id: RequestID, _ room: RoomRecord, _ kind: AdminQuestion.Kind) -> UInt64 {
        lastRequest += 1
        admin.pending[lastRequest] = AdminQuestion(
            id: id, room: room.key, kind: kind, deadline: MonotonicClock.now + Self.workerNanoseconds)
        return lastRequest
    }

    // MARK: What workers tell

    func captureStarted(_ key: RoomKey, _ request: UInt64, _ result: Result<String, CaptureRefusal>) {
        let question = admin.pending.removeValue(forKey: request)
        let room = roomByKey[key]
        switch result {
        case .success(let path):
            // A start that nobody here asked for is that of the settings, which record headers.
            var started = RoomRecording(payload: .headers, since: MonotonicClock.now, path: path)
            if case .start(let payload, let seconds) = question?.kind {
                started.payload = payload
                started.seconds = seconds
                started.request = request
                if let id = question?.id {
                    let body = AdminBody.Started(path: path, payload: payload.rawValue, seconds: seconds)
                    respond(id, AdminBody.response(201, body))
                }
            }
            guard let room else { return }
            room.recording = started
            log(.debug, "recording", ("room", room.name), ("payload", started.payload.rawValue), ("path", path))
            tellRecording(room, .on, started.payload)
        case .failure(let refusal):
            if let room, room.recording?.path == nil, room.recording?.request == request { room.recording = nil }
            log(.warning, "no recording", ("room", room?.name ?? ""), ("why", refusal.message))
            if let id = question?.id { respond(id, Self.response(to: refusal)) }
            for id in waiting(for: .stop, of: key) { respond(id, AdminError.notRecording.response) }
        }
    }

    func captureEnded(_ key: RoomKey, _ ended: CaptureEnded) {
        let stopped = AdminBody.response(200, AdminBody.Ended(ended))
        for id in waiting(for: .stop, of: key) { respond(id, stopped) }
        guard let room = roomByKey[key] else { return }
        log(
            ended.failure == nil ? .debug : .warning, "recording ended", ("room", room.name),
            ("reason", ended.reason.rawValue), ("bytes", "\(ended.bytes)"), ("refusals", "\(ended.refusals)"),
            ("path", ended.path), ("failure", ended.failure ?? "none"))
        room.lastRecording = ended
        guard let recording = room.recording, recording.path == ended.path else { return }
        room.recording = nil
        tellRecording(room, .off, recording.payload)
    }

    func flightKept(
        _ key: RoomKey, _ request: UInt64?, _ reason: FlightReason, _ result: Result<String, CaptureRefusal>
    ) {
        let name = roomByKey[key]?.name ?? ""
        switch result {
        case .success(let path):
            log(.debug, "flight recorder kept", ("room", name), ("reason", reason.rawValue), ("path", path))
        case .failure(let refusal):
            log(
                .debug, "flight recorder not kept", ("room", name), ("reason", reason.rawValue),
                ("why", refusal.message)
            )
        }
        guard let request, let id = admin.pending.removeValue(forKey: request)?.id else { return }
        switch result {
        case .success(let path): respond(id, AdminBody.response(201, AdminBody.Kept(path: path)))
        case .failure(let refusal): respond(id, Self.response(to: refusal))
        }
    }

    func explained(_ key: RoomKey, _ request: UInt64, _ explanation: Explanation) {
        guard let question = admin.pending.removeValue(forKey: request), let id = question.id else { return }
        if case .newest(let limit) = question.kind {
            guard let room = roomByKey[key] else { return respond(id, AdminError.noRoom.response) }
            let newest = explanation.next > 0 ? explanation.next - 1 : 0
            return explain(id, after: newest > UInt64(limit) ? newest - UInt64(limit) : 0, limit: limit, in: room)
        }
        let entries = explanation.entries.map { entry in
            AdminBody.Explanations.Entry(
                number: entry.number, seconds: entry.seconds, name: entry.name,
                peer: entry.peer.map { RoomRoster.name(of: $0) }, sentence: entry.sentence)
        }
        respond(
            id,
            AdminBody.response(
                200,
                AdminBody.Explanations(
                    entries: entries, next: explanation.next, forgotten: explanation.forgotten,
                    drops: explanation.drops.map { .init(reason: $0.name, count: $0.count) })))
    }

    /// Those who wait for something of a room; they wait no longer.
    private func waiting(for kind: AdminQuestion.Kind, of key: RoomKey) -> [RequestID] {
        let found = admin.pending.filter { $0.value.room == key && $0.value.kind == kind }
        for request in found.keys { admin.pending[request] = nil }
        return found.sorted { $0.key < $1.key }.compactMap(\.value.id)
    }

    /// The status for what a worker refused.
    private static func response(to refusal: CaptureRefusal) -> HTTPResponse {
        let status =
            switch refusal.code {
            case "alreadyRecording", "noFlightRecorder", "nothingRecorded": 409
            case "unknownRoom", "notRecording": 404
            case "tooSoon": 429
            case "diskFull", "folderFull": 507
            default: 503
            }
        return AdminError(status, refusal.code, refusal.message).response
    }

    // MARK: Time and ends

    /// Gives up questions that no worker answered.
    func tickAdmin(at now: Int64) {
        for (request, var question) in admin.pending where question.deadline <= now {
            admin.pending[request] = nil
            guard let id = question.id else { continue }
            respond(id, AdminError(504, "noAnswer", "The room's worker did not answer in time.").response)
            guard case .start = question.kind else { continue }
            if let room = roomByKey[question.room], room.recording?.request == request, room.recording?.path == nil {
                room.recording = nil
            }
            // It may begin after all: then it is known what it holds.
            question.id = nil
            question.deadline = now + Self.lateStartNanoseconds
            admin.pending[request] = question
        }
    }

    /// A room is closed: nobody there is left to answer for it, but the end of its recording, which is still told.
    func roomClosed(_ room: RoomRecord) {
        for (request, question) in admin.pending where question.room == room.key && question.kind != .stop {
            admin.pending[request] = nil
            if let id = question.id { respond(id, AdminError.noRoom.response) }
        }
    }

    // MARK: People

    /// Tells everybody in the room.
    private func tellRecording(
        _ room: RoomRecord, _ state: ServerMessage.Recording.State, _ payload: CapturePayload
    ) {
        let told = RecordingPayload(rawValue: payload.rawValue) ?? .whole
        settle(room) { machine, _, actions in machine.setRecording(state, told, into: &actions) }
    }

    /// What a newcomer is told of a recording that runs.
    func describeRecording(of room: RoomRecord) -> RecordingDescription? {
        guard let recording = room.recording, recording.path != nil else { return nil }
        return RecordingDescription(payload: RecordingPayload(rawValue: recording.payload.rawValue) ?? .whole)
    }
}
