// Room life over a whole server and native clients: who is heard, who is removed, who waits, and what operators see of it.
import Bots
import EventLoop
import Signalling
import TestSupport
import Testing
import Tokens
import Transport
import WholeServers

@testable import Server

@Suite("Room life on a whole server", .serialized)
struct RoomLifeTests {
    /// A server with a door, and people with their tokens' grants.
    final class Scene {
        let admin: AdminScene
        private var people: [NativeClient] = []

        init(_ change: (inout Configuration) -> Void = { _ in }) throws {
            admin = try AdminScene {
                $0.rooms.emptySeconds = 20
                change(&$0)
            }
        }

        func stop() {
            for person in people { person.close() }
            admin.stop()
        }

        /// Somebody who has said hello.
        func person(_ user: String, device: String? = nil, _ change: (inout TokenClaims) -> Void = { _ in }) throws
            -> NativeClient
        {
            let token = try TestServer.token(user, change: change)
            let person = try NativeClient(
                admin.host, port: admin.server.port, user: user, token: token, device: device)
            people.append(person)
            return person
        }

        func host(_ user: String) throws -> NativeClient { try person(user) { $0.canModerate = true } }
        func listener(_ user: String) throws -> NativeClient { try person(user) { $0.role = "listener" } }

        /// The types and details of a room's events.
        func events(after: Int = 0) throws -> [String] {
            let text = try admin.ask("GET", "/v1/events?after=\(after)&limit=1000").text
            return text.split(separator: "{").compactMap { part in
                func field(_ name: String) -> String? {
                    guard let start = part.firstRange(of: "\"\(name)\":\"") else { return nil }
                    return part[start.upperBound...].prefix { $0 != "\"" }.description
                }
                return field("type").map {
                    [$0, field("subject"), field("detail")].compactMap(\.self).joined(separator: " ")
                }
            }
        }
    }

    private func withScene(
        _ change: (inout Configuration) -> Void = { _ in }, body: (Scene) throws -> Void
    ) throws {
        let scene = try Scene(change)
        defer { scene.stop() }
        try body(scene)
    }

    private func moderate(
        _ host: NativeClient, _ action: ClientCommand.Moderate.Action, _ participant: NativeClient? = nil,
        role: ParticipantRole? = nil, on: Bool? = nil, user: String? = nil
    ) throws -> ServerMessage {
        try host.signalling.ask(
            .moderate(
                .init(action, participant: participant?.joined?.participant.id, user: user, role: role, on: on)))
    }

    private func code(_ message: ServerMessage) -> ProtocolError.Code? {
        if case .error(let error) = message { error.code } else { nil }
    }

    /// Sends sound until the condition holds, or a second has gone by.
    private func speak(_ client: NativeClient, _ timestamp: inout UInt32, seconds: Int64, until: () -> Bool) -> Bool {
        var time = timestamp
        defer { timestamp = time }
        return Deadline.wait(seconds: seconds) {
            time &+= 960
            client.send(audio: true, timestamp: time, payload: [UInt8](repeating: 7, count: 80))
            Pause.milliseconds(18)
            return until()
        }
    }

    private func heard(_ client: NativeClient) -> Int {
        client.received.withLock { $0.rtp }.count { $0.count > 12 && $0[1] & 127 == 111 }
    }

    private func participant(_ client: NativeClient, _ id: String?) throws -> ParticipantDescription {
        try client.signalling.wait {
            if case .participantUpdated(let told) = $0, told.participant.id == id { told.participant } else { nil }
        }
    }

    @Test("A listener is not heard, is invited, speaks without a new offer, is muted by a host, and steps down")
    func stage() throws {
        try withScene { scene in
            let (hana, lina) = (try scene.host("hana"), try scene.listener("lina"))
            #expect(try hana.join().participant.role == .host)
            let joined = try lina.join()
            #expect(joined.participant.role == .listener)
            #expect(joined.participant.tracks.allSatisfy { $0.muted })
            #expect(hana.waitUntilConnected() && lina.waitUntilConnected())
            var timestamp: UInt32 = 0
            // What is heard is heard within 100 ms; a second of silence is silence.
            #expect(!speak(lina, &timestamp, seconds: 1) { heard(hana) > 0 })
            #expect(code(try lina.signalling.ask(.mute(.init(mid: "0", muted: false)))) == .forbidden)
            #expect(try lina.signalling.ask(.raiseHand) == .ok(.init()))
            #expect(try participant(hana, joined.participant.id).hand == 1)
            #expect(try moderate(hana, .invite, lina) == .ok(.init()))
            let promoted = try lina.signalling.wait { message -> ParticipantDescription? in
                guard case .participantUpdated(let told) = message, told.participant.role == .speaker else {
                    return nil
                }
                return told.participant
            }
            #expect(promoted.hand == nil && promoted.tracks.allSatisfy { $0.muted })
            #expect(try lina.signalling.ask(.mute(.init(mid: "0", muted: false))) == .ok(.init()))
            #expect(speak(lina, &timestamp, seconds: 10) { heard(hana) > 3 })
            // A host mutes: after what is under way nothing more arrives, though she goes on sending.
            #expect(try moderate(hana, .mute, lina) == .ok(.init()))
            let muted = try lina.signalling.wait { message -> ServerMessage.TrackMuted? in
                if case .trackMuted(let told) = message, told.muted { told } else { nil }
            }
            #expect(muted.by == hana.joined?.participant.id)
            _ = speak(lina, &timestamp, seconds: 1) { false }
            let before = heard(hana)
            #expect(!speak(lina, &timestamp, seconds: 1) { heard(hana) > before })
            // An unmute by a host is but a wish.
            #expect(try moderate(hana, .requestUnmute, lina) == .ok(.init()))
            let wish = try lina.signalling.wait { if case .unmuteRequested(let wish) = $0 { wish } else { nil } }
            #expect(wish.by == hana.joined?.participant.id && wish.source == .microphone)
            // It is decided in knowledge of the mute.
            let old = try lina.signalling.ask(.mute(.init(mid: "0", muted: false, version: muted.version - 1)))
            #expect(code(old) == .overtaken)
            let new = try lina.signalling.ask(.mute(.init(mid: "0", muted: false, version: muted.version)))
            #expect(new == .ok(.init()))
            #expect(speak(lina, &timestamp, seconds: 10) { heard(hana) > before })
            #expect(try lina.signalling.ask(.stepDown) == .ok(.init()))
            _ = speak(lina, &timestamp, seconds: 1) { false }
            let last = heard(hana)
            #expect(!speak(lina, &timestamp, seconds: 1) { heard(hana) > last })
        }
    }

    @Test("A kick takes out the person and their transport; a ban keeps them out, a lock everybody who is new")
    func kick() throws {
        try withScene { scene in
            let (hana, sami) = (try scene.host("hana"), try scene.person("sami"))
            try hana.join()
            try sami.join()
            #expect(hana.waitUntilConnected() && sami.waitUntilConnected())
            #expect(code(try moderate(sami, .kick, hana)) == .forbidden)
            #expect(try moderate(hana, .kick, sami) == .ok(.init()))
            let end = try sami.signalling.wait { if case .roomEnded(let end) = $0 { end } else { nil } }
            #expect(end.reason == .kicked)
            let left = try hana.signalling.wait { if case .participantLeft(let left) = $0 { left } else { nil } }
            #expect(left.reason == .removed && left.participant == "p2")
            // The server's side of the transport is closed: the client is told by DTLS.
            #expect(Deadline.wait(seconds: 10) { sami.received.withLock { $0.state } != .connected })
            #expect(code(try sami.signalling.ask(.raiseHand)) == .notJoined)
            // Kicked again, or twice, is kicked; and who was kicked may come again.
            #expect(try moderate(hana, .kick, sami) == .ok(.init()))
            sami.close()
            try sami.join()
            #expect(try moderate(hana, .lock, on: true) == .ok(.init()))
            let late = try scene.person("late")
            #expect(throws: SignallingClient.Failure.self) { try late.join() }
            #expect(try moderate(hana, .lock, on: false) == .ok(.init()))
            #expect(try moderate(hana, .ban, user: "sami") == .ok(.init()))
            let banned = try sami.signalling.wait { if case .roomEnded(let end) = $0 { end } else { nil } }
            #expect(banned.reason == .banned)
            sami.close()
            do {
                try sami.join()
                Issue.record("a banned user is in")
            } catch SignallingClient.Failure.refused(let error) {
                #expect(error.code == .banned)
            }
            try late.join()
        }
    }

    @Test("Who waits is told nothing of the room; hosts see them, admit and deny")
    func lobby() throws {
        try withScene({ $0.rooms.lobby = true }) { scene in
            let hana = try scene.host("hana")
            let settings = try hana.join().settings
            #expect(settings?.hasLobby == true)
            let (wati, wira) = (try scene.person("wati"), try scene.person("wira"))
            for person in [wati, wira] {
                do {
                    try person.join()
                    Issue.record("nobody was let in")
                } catch SignallingClient.Failure.unexpected(let text) {
                    #expect(text.contains("waiting"))
                }
            }
            let asked = try hana.signalling.wait { if case .waiting(let told) = $0 { told } else { nil } }
            #expect(asked.person == .init(id: "w1", user: "wati", name: "wati") && asked.state == .waiting)
            // The room goes on, and those who wait hear nothing of it.
            #expect(try hana.signalling.ask(.message(.init(text: "secret"))) == .ok(.init()))
            #expect(try hana.signalling.ask(.mute(.init(mid: "0", muted: true))) == .ok(.init()))
            #expect(code(try wati.signalling.ask(.raiseHand)) == .notJoined)
            let deny = ClientCommand.Moderate(.deny, participant: "w2")
            #expect(try hana.signalling.ask(.moderate(deny)) == .ok(.init()))
            #expect(try hana.signalling.ask(.moderate(.init(.admit, participant: "w1"))) == .ok(.init()))
            #expect(code(try hana.signalling.ask(.moderate(.init(.admit, participant: "w2")))) == .overtaken)
            var first: ServerMessage?
            let admitted = try wati.signalling.wait { message -> ServerMessage.Lobby? in
                first = first ?? message
                if case .lobby(let told) = message { return told }
                return nil
            }
            #expect(admitted.state == .admitted && first == .lobby(.init(state: .admitted)))
            let denied = try wira.signalling.wait { if case .lobby(let told) = $0 { told } else { nil } }
            #expect(denied.state == .denied)
            wati.close()
            #expect(try wati.join().participants.map(\.user) == ["hana"])
            // Denied, asked again, and gone again of their own will.
            #expect(throws: SignallingClient.Failure.self) { try wira.join() }
            #expect(try wira.signalling.ask(.leave) == .left)
            let gone = try hana.signalling.wait { message -> ServerMessage.Waiting? in
                if case .waiting(let told) = message, told.state == .left { told } else { nil }
            }
            #expect(gone.person.user == "wira")
        }
    }

    @Test("The end for all: everybody is told, the room is gone, and a new one of the same name is another")
    func end() throws {
        try withScene { scene in
            let (hana, sami, lina) = (try scene.host("hana"), try scene.person("sami"), try scene.listener("lina"))
            for person in [hana, sami, lina] { try person.join() }
            #expect(try moderate(hana, .metadata) == .ok(.init()))
            #expect(try moderate(hana, .end) == .ok(.init()))
            for person in [hana, sami, lina] {
                let end = try person.signalling.wait { if case .roomEnded(let end) = $0 { end } else { nil } }
                #expect(end.reason == .ended)
                person.close()
            }
            #expect(try scene.admin.ask("GET", "/v1/rooms/test").status == 404)
            #expect(try sami.join().version == 1)
            let events = try scene.events()
            #expect(
                events == [
                    "roomOpened", "participantJoined p1 host", "participantJoined p2 speaker",
                    "participantJoined p3 listener", "roomEnded", "roomClosed", "roomOpened",
                    "participantJoined p1 speaker",
                ])
        }
    }

    @Test("Operators moderate and follow: statuses, bounds, gaps")
    func operators() throws {
        try withScene({ $0.rooms.keptEvents = 5 }) { scene in
            let sami = try scene.person("sami")
            try sami.join()
            func moderate(_ body: String) throws -> HTTPAnswer {
                try scene.admin.ask("POST", "/v1/rooms/test/moderate", body: body)
            }
            let muted = try moderate("{\"action\":\"mute\",\"participant\":\"p1\"}")
            #expect(muted.status == 200 && muted.text == "{\"version\":2}\n")
            let told = try sami.signalling.wait { if case .trackMuted(let told) = $0 { told } else { nil } }
            #expect(told.by == "operator")
            let statuses: [(String, Int)] = [
                ("{\"action\":\"mute\"}", 200), ("{\"action\":\"kick\",\"participant\":\"p9\"}", 404),
                ("{\"action\":\"admit\",\"participant\":\"w1\"}", 404), ("{\"action\":\"dance\"}", 400), ("{}", 400),
                ("[]", 400), ("", 415), ("{\"action\":\"role\",\"participant\":\"p1\"}", 400),
                ("{\"action\":\"kick\",\"participant\":\"sami\"}", 400),
                ("{\"action\":\"ban\",\"user\":\"\(String(repeating: "x", count: 257))\"}", 400),
            ]
            for (body, status) in statuses {
                let answer =
                    try body.isEmpty
                    ? scene.admin.ask("POST", "/v1/rooms/test/moderate", body: "{}", type: nil) : moderate(body)
                #expect(answer.status == status, "\(body): \(answer.text)")
            }
            #expect(
                try scene.admin.ask("POST", "/v1/rooms/nobody/moderate", body: "{\"action\":\"end\"}").status == 404)
            for number in 0..<6 {
                #expect(try moderate("{\"action\":\"metadata\",\"metadata\":\"\(number)\"}").status == 200)
            }
            let page = try scene.admin.ask("GET", "/v1/events?after=1").text
            #expect(page.contains("\"forgotten\":3,") && page.contains("\"last\":9}"))
            #expect(page.contains("\"number\":5,") && !page.contains("\"number\":4,"))
            #expect(try scene.admin.ask("GET", "/v1/events?after=9").text.contains("\"events\":[]"))
            for query in ["after=-1", "limit=0", "limit=1001", "room=test"] {
                #expect(try scene.admin.ask("GET", "/v1/events?" + query).status == 400, "\(query)")
            }
            // A token for another room sees nothing of this one.
            let other = try AdminScene.token(room: "other")
            let answer = HTTPConversation.ask(
                port: scene.admin.server.port, "GET", "/v1/events", token: other, body: nil, type: nil)
            #expect(answer?.status == 200 && answer?.text.contains("\"events\":[]") == true)
            let details = try scene.admin.ask("GET", "/v1/rooms/test").text
            #expect(details.contains("\"role\":\"speaker\"") && details.contains("\"metadata\":\"5\""))
            #expect(try moderate("{\"action\":\"kick\",\"participant\":\"p1\"}").status == 200)
            let end = try sami.signalling.wait { if case .roomEnded(let end) = $0 { end } else { nil } }
            #expect(end.reason == .kicked)
        }
    }

    @Test("The host leaves for good: the speaker who has been in longest is host")
    func succession() throws {
        try withScene({ $0.rooms.successionSeconds = 1 }) { scene in
            let (hana, lina, sami) = (try scene.host("hana"), try scene.listener("lina"), try scene.person("sami"))
            for person in [hana, lina, sami] { try person.join() }
            #expect(try hana.signalling.ask(.leave) == .left)
            #expect(try participant(lina, sami.joined?.participant.id).role == .host)
            #expect(try moderate(sami, .mute, lina) == .ok(.init()))
        }
    }

    /// Fifty joins within two seconds, each on its own, while others still wait for their answers: all see the same room at the end.
    @Test("A storm of joins: fifty people within two seconds, one version, one set of people")
    func storm() throws {
        let server = try TestServer()
        defer { server.stop() }
        let host = try BotHost()
        defer { host.stop() }
        let profiles = (0..<50).map { index in
            var profile = BotProfile(number: index, user: "u\(index)", room: "test")
            profile.follows = true
            return profile
        }
        let voices = try SpeechSource.synthetic.voices(1, bitsPerSecond: 24_000, payloadBytes: 0)
        let nobody = TalkSchedule(.turns, people: 50, talkers: 0, seed: 1, milliseconds: 0)
        try host.join(
            profiles, at: try ServerPlace("http://127.0.0.1:\(server.port)"), schedule: nobody, voices: voices,
            joinsPerSecond: 25
        ) { user, room, _ in try TestServer.token(user, room: room) }
        #expect(Deadline.wait(seconds: 60) { host.snapshot().connected == 50 })
        // What the last join brings has reached everybody when all versions are one.
        _ = Deadline.wait(seconds: 20) {
            let rooms = host.rooms().values
            return rooms.count == 50 && Set(rooms.map(\.version)).count == 1
                && rooms.allSatisfy { $0.people.count == 50 }
        }
        let rooms = host.rooms()
        #expect(rooms.count == 50)
        #expect(Set(rooms.values.map(\.version)) == [50])
        #expect(Set(rooms.values.map(\.people)).count == 1)
        #expect(rooms.values.allSatisfy { Set($0.people.values) == Set(profiles.map(\.user)) })
        // Nobody was told of a version without those before it.
        #expect(rooms.values.allSatisfy { $0.missed == 0 })
        let tally = host.snapshot()
        let half = LoadResult.percentile(tally.connectTimes, 0.5) ?? 0
        let most = LoadResult.percentile(tally.connectTimes, 1) ?? 0
        print("storm: 50 joins, WebSocket to connected: median \(fixed(half, 0)) ms, most \(fixed(most, 0)) ms")
        #expect(tally.failures.isEmpty && tally.connectTimes.count == 50)
    }
}
