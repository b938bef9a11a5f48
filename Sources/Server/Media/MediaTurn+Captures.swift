// Recordings of a worker's rooms: what the recorders at their doors are told, and when recordings begin, end and are kept.
// Nothing here waits for a disk: files are opened, closed and copied by the captures folder's thread.
import Captures
import Glibc
import MediaCore

extension MediaTurn {
    /// How long commands wait at most for the file of a room that is recorded from its beginning.
    static let fileWait = TimeDelta.milliseconds(250)

    // MARK: The room's door

    /// Tells the recorders what is about to be sent; before it is protected in place.
    func recordFlush() {
        guard runs.contains(where: { $0.room.taps.isInUse }) else { return }
        for index in runs.indices where runs[index].room.taps.isInUse {
            let end = index + 1 == runs.count ? egress.datagrams.count : runs[index + 1].datagram
            runs[index].room.taps.sent(egress, runs[index].datagram..<end)
        }
        if !egress.events.isEmpty {
            for index in runs.indices where runs[index].room.taps.isInUse {
                let end = index + 1 == runs.count ? egress.events.count : runs[index + 1].event
                runs[index].room.taps.happened(egress.events[runs[index].event..<end])
            }
        }
        if !egress.decisions.isEmpty {
            for index in runs.indices where runs[index].room.taps.isInUse {
                let end = index + 1 == runs.count ? egress.decisions.count : runs[index + 1].decision
                runs[index].room.taps.decided(egress.decisions[runs[index].decision..<end])
            }
        }
        for run in runs where run.room.taps.isInUse { run.room.taps.flushed() }
        for run in runs { run.room.taps.isFlushed = false }
    }

    /// The end of a turn, everything flushed.
    func endRecordings(at now: Timestamp) {
        for room in touched where room.taps.isInUse { room.taps.endTurn(room.core, at: now) }
        for room in recorded {
            guard let recording = room.taps.recording else { continue }
            if recording.file.failure != nil {
                endRecording(of: room, .writeError)
            } else if recording.file.isAtLimit {
                endRecording(of: room, .fileLimit)
            } else if let end = recording.endsAt, end <= now {
                endRecording(of: room, .time)
            }
        }
        for room in keeping { keepPending(room, at: now) }
        keeping.removeAll(keepingCapacity: true)
    }

    /// When the next recording ends by itself.
    var nextRecordingEnd: Timestamp? {
        var earliest: Timestamp?
        for room in recorded {
            guard let end = room.taps.recording?.endsAt else { continue }
            if earliest.map({ end < $0 }) ?? true { earliest = end }
        }
        return earliest
    }

    /// A room was opened.
    func openTaps(_ room: MediaRoom) {
        guard let services = settings.captures else { return }
        if let vault = services.vault {
            room.taps.useFlight(vault.ring(room: room.name), sectionSpan: services.sectionSpan)
        }
        guard services.recordsEverything else { return }
        commandsWaitUntil = now + Self.fileWait
        open(room, CaptureRequest(request: 0, payload: .headers, seconds: .max, maximumBytes: services.fileBytes)) {
            [log, report, name = room.name, key = room.key] result in
            // Who is in the room is told of it, as of any other recording.
            report(.captureStarted(key, request: 0, result))
            if case .failure(let refusal) = result {
                log(.warning, "a room is not recorded", ("room", name), ("why", refusal.message))
            }
        }
    }

    /// A room is closed; everything was flushed.
    func closeTaps(_ room: MediaRoom) {
        keepPending(room, at: now)
        keeping.removeAll { $0 === room }
        endRecording(of: room, .roomClosed)
        if let ring = room.taps.ring { settings.captures?.vault?.release(ring) }
    }

    // MARK: On demand

    func startCapture(_ key: RoomKey, _ request: CaptureRequest) {
        let answer: @Sendable (Result<String, CaptureRefusal>) -> Void = { [report] result in
            report(.captureStarted(key, request: request.request, result))
        }
        guard let room = rooms[key] else {
            return answer(.failure(CaptureRefusal(code: "unknownRoom", message: "There is no such room.")))
        }
        open(room, request, answer)
    }

    func stopCapture(_ key: RoomKey) {
        guard let room = rooms[key] else { return }
        if room.taps.isOpening { room.taps.isToStop = true }
        flush()
        endRecording(of: room, .stopped)
    }

    private func open(
        _ room: MediaRoom, _ request: CaptureRequest,
        _ answer: @escaping @Sendable (Result<String, CaptureRefusal>) -> Void
    ) {
        guard let services = settings.captures else {
            return answer(.failure(CaptureRefusal(code: "unavailable", message: "This server records nothing.")))
        }
        guard room.taps.recording == nil, !room.taps.isOpening else {
            return answer(
                .failure(CaptureRefusal(code: "alreadyRecording", message: "The room is being recorded already.")))
        }
        room.taps.isOpening = true
        let maximum = max(CaptureServices.smallestFile, min(request.maximumBytes, services.fileBytes))
        services.folder.open(room: room.name, maximum: maximum) { [resume, key = room.key] result in
            resume { turn in turn.opened(key, request, result, answer) }
        }
    }

    private func opened(
        _ key: RoomKey, _ request: CaptureRequest,
        _ result: Result<(file: CaptureFile, path: String), CaptureFolderError>,
        _ answer: @Sendable (Result<String, CaptureRefusal>) -> Void
    ) {
        let room = rooms[key]
        room?.taps.isOpening = false
        commandsWaitUntil = nil
        switch result {
        case .failure(let error):
            answer(.failure(CaptureRefusal(code: error.code, message: error.message)))
        case .success(let opened):
            guard let room else {
                answer(.failure(CaptureRefusal(code: "unknownRoom", message: "The room has been closed.")))
                settings.captures?.folder.perform {
                    opened.file.close()
                    unsafe unlink(opened.path)
                }
                return
            }
            // A recording begins where nothing of the room waits to be sent.
            flush()
            var options = RoomRecorder.Options()
            options.keepsPayloads = request.payload == .whole
            let recorder = RoomRecorder(
                .file(opened.file), room.taps.opening, payloads: room.taps.payloads, options)
            let now = self.now
            recorder.begin(room.core, isNew: room.taps.isNew, at: now)
            let seconds = Int64(clamping: request.seconds)
            room.taps.recording = RoomTaps.Recording(
                recorder: recorder, file: opened.file, path: opened.path,
                endsAt: seconds < 1_000_000_000 ? now + .seconds(max(0, seconds)) : nil)
            recorded.append(room)
            log(.info, "recording begins", ("room", room.name), ("payload", request.payload.rawValue))
            answer(.success(opened.path))
            if room.taps.isToStop { endRecording(of: room, .stopped) }
        }
        room?.taps.isToStop = false
    }

    private func endRecording(of room: MediaRoom, _ reason: CaptureEnded.Reason) {
        guard let recording = room.taps.recording else { return }
        recording.recorder.settle(at: now)
        room.taps.recording = nil
        recorded.removeAll { $0 === room }
        let refusals = recording.recorder.refusals
        settings.captures?.folder.perform {
            [resume, file = recording.file, path = recording.path, key = room.key, name = room.name] in
            file.close()
            let failure = file.failure
            let isFull = failure == ENOSPC || failure == EDQUOT || failure == EFBIG
            let ended = CaptureEnded(
                path: path, reason: failure == nil ? reason : isFull ? .diskFull : .writeError,
                bytes: file.writtenBytes, refusals: refusals,
                failure: failure.map { unsafe String(cString: strerror($0)) })
            resume { turn in
                turn.log(.info, "recording ended", ("room", name), ("reason", ended.reason.rawValue))
                turn.report(.captureEnded(key, ended))
            }
        }
    }

    // MARK: The flight recorder

    /// Keeps what the flight recorder of a room holds, at the end of this turn.
    func keepFlight(_ room: MediaRoom, _ reason: FlightReason) { keepFlight(room, request: nil, reason) }

    func keepFlight(_ key: RoomKey, request: UInt64?, _ reason: FlightReason) {
        guard let room = rooms[key] else {
            let refusal = CaptureRefusal(code: "unknownRoom", message: "There is no such room.")
            return report(.flightKept(key, request: request, reason, .failure(refusal)))
        }
        keepFlight(room, request: request, reason)
    }

    private func keepFlight(_ room: MediaRoom, request: UInt64?, _ reason: FlightReason) {
        room.taps.keeps.append((request, reason))
        keeping.append(room)
    }

    private func keepPending(_ room: MediaRoom, at now: Timestamp) {
        let keeps = room.taps.keeps
        room.taps.keeps.removeAll()
        for keep in keeps { self.keep(room, keep.request, keep.reason, at: now) }
    }

    private func keep(_ room: MediaRoom, _ request: UInt64?, _ reason: FlightReason, at now: Timestamp) {
        let key = room.key
        guard let vault = settings.captures?.vault, let ring = room.taps.ring, ring.isReady else {
            guard request != nil else { return }
            let refusal = CaptureRefusal(code: "noFlightRecorder", message: "The room has no flight recorder.")
            return report(.flightKept(key, request: request, reason, .failure(refusal)))
        }
        guard !room.taps.isTooSoon(reason, at: now) else {
            guard request != nil else { return }
            let refusal = CaptureRefusal(
                code: "tooSoon", message: "It was kept for the same reason less than a minute ago.")
            return report(.flightKept(key, request: request, reason, .failure(refusal)))
        }
        room.taps.flight?.settle(at: now)
        vault.keep(ring, reason: reason.rawValue) { [resume, name = room.name] result in
            resume { turn in
                switch result {
                case .success(let path):
                    turn.log(
                        .info, "the flight recording is kept", ("room", name), ("reason", reason.rawValue),
                        ("file", path))
                    turn.report(.flightKept(key, request: request, reason, .success(path)))
                case .failure(let error):
                    // What happens by itself is not tried again at once: a full disk would be asked with every frozen picture.
                    if request != nil { turn.rooms[key]?.taps.forgetKeep(reason) }
                    turn.log(.warning, "the flight recording is not kept", ("room", name), ("why", error.message))
                    turn.report(
                        .flightKept(
                            key, request: request, reason,
                            .failure(CaptureRefusal(code: error.code, message: error.message))))
                }
            }
        }
    }
}
