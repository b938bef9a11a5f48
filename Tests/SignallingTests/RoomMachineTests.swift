// A room's rules one by one: who may what, what is done twice, what is remembered, and how much of it.
import Testing

@testable import Signalling

@Suite("A room's life")
struct RoomMachineTests {
    /// A machine with the people it was given, and what it did.
    final class Room {
        var machine: RoomMachine
        var now = SessionTime(nanoseconds: 1_000_000_000)
        var actions: [RoomAction] = []

        init(_ change: (inout RoomOptions) -> Void = { _ in }) {
            var options = RoomOptions()
            change(&options)
            machine = RoomMachine(options: options)
        }

        @discardableResult
        func join(_ user: String, host: Bool = false, role: ParticipantRole? = nil, canSpeak: Bool = true) throws
            -> UInt32
        {
            let newcomer = Newcomer(user: user, canModerate: host, canSpeak: canSpeak, role: role)
            guard case .place(let number) = try machine.join(newcomer, at: now, into: &actions) else { return 0 }
            let track = RoomTrack(mid: "0", kind: .audio, source: .microphone, isMuted: false)
            machine.enter(number, tracks: [track], at: now, into: &actions)
            return number
        }

        func ask(_ request: RoomRequest, by number: UInt32) -> ProtocolError.Code? {
            do throws(ProtocolError) {
                try machine.perform(request, by: number, at: now, into: &actions)
                return nil
            } catch { return error.code }
        }

        func done() -> [RoomAction] {
            defer { actions = [] }
            return actions
        }

        func told() -> [String] {
            done().compactMap { if case .tell(let message, _) = $0 { message.type } else { nil } }
        }
    }

    @Test("Only hosts moderate; a host appointed in the room does nothing to a host by right")
    func permissions() throws {
        let room = Room()
        let hana = try room.join("hana", host: true)
        let sami = try room.join("sami")
        let lina = try room.join("lina", role: .listener)
        let all: [Moderation] = [
            .mute(nil, .microphone), .requestUnmute(sami, .microphone), .lowerHand(lina), .invite(lina),
            .withdrawInvitation(lina), .setRole(lina, .speaker), .kick(lina), .ban("lina"), .unban("lina"), .lock(true),
            .setLobby(true), .admit(nil), .deny(1), .setMetadata("x"), .end,
        ]
        let before = room.machine
        for moderation in all {
            for person in [sami, lina] { #expect(room.ask(.moderate(moderation), by: person) == .forbidden) }
        }
        #expect(room.machine == before)
        #expect(room.ask(.mute(mid: "0", false, version: nil), by: lina) == .forbidden)
        #expect(room.ask(.moderate(.setRole(sami, .host)), by: hana) == nil)
        for moderation in [Moderation.kick(hana), .ban("hana"), .setRole(hana, .listener), .mute(hana, .microphone)] {
            #expect(room.ask(.moderate(moderation), by: sami) == .forbidden, "\(moderation)")
        }
        #expect(room.ask(.moderate(.kick(hana)), by: hana) == .forbidden)
        #expect(room.ask(.raiseHand, by: 99) == .notJoined)
        #expect(room.ask(.moderate(.kick(99)), by: hana) == .unknownParticipant)
    }

    @Test("Done twice is done once")
    func idempotent() throws {
        let room = Room { $0.hasLobby = true }
        let hana = try room.join("hana", host: true)
        try room.join("wati")
        try room.join("wira")
        let twice: [Moderation] = [.admit(1), .deny(2), .lock(true), .lock(false), .setMetadata("x")]
        for moderation in twice {
            #expect(room.ask(.moderate(moderation), by: hana) == nil)
            let version = room.machine.version
            _ = room.done()
            #expect(room.ask(.moderate(moderation), by: hana) == nil, "\(moderation)")
            #expect(room.told().isEmpty && room.machine.version == version, "\(moderation)")
        }
        #expect(room.ask(.moderate(.deny(1)), by: hana) == .overtaken)
        #expect(room.ask(.moderate(.admit(2)), by: hana) == .overtaken)
        let wati = try room.join("wati")
        let steps: [(RoomRequest, UInt32)] = [
            (.moderate(.mute(wati, .microphone)), hana), (.raiseHand, wati), (.lowerHand, wati), (.stepDown, wati),
            (.moderate(.invite(wati)), hana), (.answerInvitation(false), wati), (.moderate(.invite(wati)), hana),
            (.answerInvitation(true), wati), (.setOwnMetadata("m"), wati), (.moderate(.setRole(wati, .listener)), hana),
            (.moderate(.kick(wati)), hana), (.moderate(.ban("wati")), hana), (.moderate(.unban("wati")), hana),
        ]
        for (request, number) in steps {
            #expect(room.ask(request, by: number) == nil, "\(request)")
            let version = room.machine.version
            _ = room.done()
            room.now = room.now.adding(milliseconds: 1_000)
            #expect(room.ask(request, by: number) == nil, "\(request)")
            #expect(room.told().isEmpty && room.machine.version == version, "\(request)")
        }
    }

    @Test("Hands are in the order in which they were raised; a raised hand makes the invitation a role")
    func hands() throws {
        let room = Room()
        let hana = try room.join("hana", host: true)
        let (a, b) = (try room.join("a", role: .listener), try room.join("b", role: .listener))
        #expect(room.ask(.raiseHand, by: b) == nil)
        #expect(room.ask(.raiseHand, by: a) == nil)
        #expect(room.ask(.raiseHand, by: b) == nil)
        let order = room.machine.members.filter { $0.hand != nil }.sorted { $0.hand ?? 0 < $1.hand ?? 0 }.map(\.number)
        #expect(order == [b, a])
        #expect(room.ask(.moderate(.invite(b)), by: hana) == nil)
        #expect(room.machine.member(b)?.role == .speaker && room.machine.member(b)?.hand == nil)
        // Nobody is unmuted by anybody else.
        #expect(room.machine.member(b)?.tracks.first?.isMuted == true)
        #expect(room.ask(.mute(mid: "0", false, version: nil), by: b) == nil)
        #expect(room.done().contains(.setMuted(b, mid: "0", false)))
    }

    @Test("Roles, locks and lobbies are remembered for who comes again; a kick forgets all but silence")
    func remembered() throws {
        let room = Room()
        let hana = try room.join("hana", host: true)
        var sami = try room.join("sami")
        let lina = try room.join("lina", role: .listener)
        #expect(room.ask(.moderate(.setRole(sami, .listener)), by: hana) == nil)
        #expect(room.ask(.moderate(.setRole(lina, .speaker)), by: hana) == nil)
        #expect(room.ask(.moderate(.lock(true)), by: hana) == nil)
        for number in [sami, lina] { room.machine.leave(number, .left, at: room.now, into: &room.actions) }
        sami = try room.join("sami")
        #expect(room.machine.member(sami)?.role == .listener)
        let back = try room.join("lina")
        #expect(room.machine.member(back)?.role == .speaker)
        #expect(throws: ProtocolError.self) { try room.join("new") }
        #expect(room.ask(.moderate(.kick(sami)), by: hana) == nil)
        #expect(throws: ProtocolError.self) { try room.join("sami") }
        #expect(room.ask(.moderate(.lock(false)), by: hana) == nil)
        sami = try room.join("sami")
        #expect(room.machine.member(sami)?.role == .listener)
        #expect(room.ask(.moderate(.ban("sami")), by: hana) == nil)
        #expect(throws: ProtocolError.self) { try room.join("sami") }
        #expect(room.ask(.moderate(.unban("sami")), by: hana) == nil)
        #expect(try room.join("sami") > 0)
        #expect(try room.join("hana", host: true) > 0)
    }

    @Test("Who may publish nothing is a listener, and stays one")
    func silent() throws {
        let room = Room()
        let hana = try room.join("hana", host: true)
        let one = try room.join("one", canSpeak: false)
        #expect(room.machine.member(one)?.role == .listener)
        #expect(room.ask(.moderate(.invite(one)), by: hana) == .forbidden)
        #expect(room.ask(.moderate(.setRole(one, .speaker)), by: hana) == .forbidden)
    }

    @Test("The room is as large as it may be, and the lobby too")
    func sizes() throws {
        let room = Room {
            $0.maximumParticipants = 2
            $0.maximumWaiting = 2
        }
        let hana = try room.join("hana", host: true)
        try room.join("sami")
        #expect(throws: ProtocolError.self) { try room.join("more") }
        #expect(room.ask(.moderate(.setLobby(true)), by: hana) == nil)
        for user in ["a", "b"] { #expect(try room.join(user) == 0) }
        #expect(throws: ProtocolError.self) { try room.join("c") }
        #expect(room.machine.waitingList(for: 1)?.map(\.user) == ["a", "b"])
        #expect(room.machine.waitingList(for: 2) == nil)
    }

    @Test("Where no host comes back whoever of the speakers came first is host; who reloads in time still is")
    func succession() throws {
        let room = Room()
        let hana = try room.join("hana", host: true)
        try room.join("lina", role: .listener)
        let (sami, sara) = (try room.join("sami"), try room.join("sara"))
        room.machine.leave(hana, .left, at: room.now, into: &room.actions)
        let due = try #require(room.machine.nextDeadline)
        #expect(due == room.now.adding(milliseconds: 30_000))
        let again = try room.join("hana", host: true)
        #expect(room.machine.nextDeadline == nil)
        room.machine.leave(again, .timedOut, at: room.now, into: &room.actions)
        room.machine.advance(to: due.adding(milliseconds: -1), into: &room.actions)
        #expect(room.machine.member(sami)?.role == .speaker)
        room.machine.advance(to: due, into: &room.actions)
        #expect(room.machine.member(sami)?.role == .host && room.machine.member(sara)?.role == .speaker)
        #expect(room.machine.nextDeadline == nil)
    }

    @Test("A room that never had a host needs none")
    func equals() throws {
        let room = Room()
        let one = try room.join("one")
        try room.join("two")
        room.machine.leave(one, .left, at: room.now, into: &room.actions)
        #expect(room.machine.nextDeadline == nil)
    }

    @Test("Too much in a short time is refused and says when to try again; to mute oneself is always allowed")
    func limits() throws {
        let room = Room()
        try room.join("hana", host: true)
        let one = try room.join("one")
        var refused: [ProtocolError.Code?] = []
        for number in 0..<60 { refused.append(room.ask(number % 2 == 0 ? .raiseHand : .lowerHand, by: one)) }
        #expect(refused.prefix(40).allSatisfy { $0 == nil } && refused[40] == .rateLimited)
        #expect(room.ask(.mute(mid: "0", true, version: nil), by: one) == nil)
        #expect(room.ask(.mute(mid: "0", false, version: nil), by: one) == .rateLimited)
        room.now = room.now.adding(milliseconds: 5_000)
        let text = String(repeating: "x", count: 16_384)
        let codes = (0..<6).map { _ in room.ask(.message(text, to: nil), by: one) }
        #expect(codes == [nil, nil, nil, nil, .rateLimited, .rateLimited])
        // Two others find the room's own limit.
        let others = try ["two", "three", "four"].map { try room.join($0) }
        let sent = others.flatMap { number in (0..<4).map { _ in room.ask(.message(text, to: nil), by: number) } }
        #expect(sent.count(where: { $0 == nil }) == 4)
    }

    @Test("Messages to the room are numbered; one to a person is told to the two alone")
    func messages() throws {
        let room = Room()
        let (a, b) = (try room.join("a"), try room.join("b"))
        try room.join("c")
        _ = room.done()
        #expect(room.ask(.message("to all", to: nil), by: a) == nil)
        #expect(room.ask(.message("to b", to: b), by: a) == nil)
        #expect(room.ask(.message("to nobody", to: 9), by: a) == .unknownParticipant)
        let told = room.done().compactMap { action -> String? in
            guard case .tell(.message(let message), let audience) = action else { return nil }
            return "\(message.number ?? 0) \(message.text) \(audience)"
        }
        #expect(told == ["1 to all everyone(except: nil)", "0 to b one(2)", "0 to b one(1)"])
    }

    @Test("Who is hidden is told to nobody, may moderate unnamed, and cannot take part")
    func hidden() throws {
        let room = Room()
        let sami = try room.join("sami")
        let newcomer = Newcomer(user: "watch", isHidden: true, canModerate: true)
        guard case .place(let ghost) = try room.machine.join(newcomer, at: room.now, into: &room.actions) else {
            return
        }
        _ = room.done()
        room.machine.enter(ghost, tracks: [], at: room.now, into: &room.actions)
        #expect(room.told().isEmpty && room.machine.version == 1)
        #expect(room.ask(.raiseHand, by: ghost) == .forbidden)
        #expect(room.ask(.moderate(.mute(sami, .microphone)), by: ghost) == nil)
        let by = room.done().compactMap { action -> String?? in
            if case .tell(.trackMuted(let muted), _) = action { muted.by } else { nil }
        }
        #expect(by == [nil])
        #expect(room.ask(.message("hello", to: ghost), by: sami) == .unknownParticipant)
    }

    @Test("An offer does not unmute what a host muted; a listener's is muted whatever it says")
    func offers() throws {
        let room = Room()
        let hana = try room.join("hana", host: true)
        let sami = try room.join("sami")
        func tracks(_ muted: Bool) -> [RoomTrack] {
            [
                RoomTrack(mid: "0", kind: .audio, source: .microphone, isMuted: muted),
                RoomTrack(mid: "1", kind: .video, source: .camera, isMuted: false),
            ]
        }
        #expect(room.ask(.moderate(.mute(sami, .microphone)), by: hana) == nil)
        _ = room.done()
        room.machine.renegotiate(sami, tracks: tracks(false), into: &room.actions)
        #expect(room.machine.member(sami)?.tracks.map(\.isMuted) == [true, false])
        #expect(room.actions.contains(.setMuted(sami, mid: "0", true)))
        #expect(room.told() == ["trackPublished"])
        // What the person muted it does.
        #expect(room.ask(.mute(mid: "0", false, version: nil), by: sami) == nil)
        #expect(room.ask(.mute(mid: "0", true, version: nil), by: sami) == nil)
        _ = room.done()
        room.machine.renegotiate(sami, tracks: tracks(false), into: &room.actions)
        #expect(room.machine.member(sami)?.tracks.map(\.isMuted) == [false, false])
        #expect(room.actions.contains(.setMuted(sami, mid: "0", false)) && room.told() == ["trackMuted"])
        #expect(room.ask(.stepDown, by: sami) == nil)
        room.machine.renegotiate(sami, tracks: tracks(false), into: &room.actions)
        #expect(room.machine.member(sami)?.tracks.map(\.isMuted) == [true, true])
    }

    @Test("The feed numbers without gaps, keeps so many, and says what it forgot")
    func feed() {
        var feed = EventFeed(capacity: 4)
        #expect(feed.page(after: 0, limit: 10) == .init(entries: [], last: 0, forgotten: 0))
        #expect(feed.page(after: UInt64.max, limit: 10).last == 0)
        for number in 1...6 {
            feed.append(
                FeedEvent(.handRaised, version: UInt64(number)), room: number % 2 == 0 ? "even" : "odd", milliseconds: 0
            )
        }
        let page = feed.page(after: 0, limit: 3)
        #expect(page.entries.map(\.number) == [3, 4, 5] && page.last == 5 && page.forgotten == 2)
        #expect(feed.page(after: page.last, limit: 3).entries.map(\.number) == [6])
        #expect(feed.page(after: 2, limit: 9).forgotten == 0)
        #expect(feed.page(after: 6, limit: 9).entries.isEmpty)
        let even = feed.page(after: 0, limit: 9, room: "even")
        #expect(even.entries.map(\.number) == [4, 6] && even.last == 6)
        #expect(feed.page(after: 9, limit: 9).last == 6)
    }

    @Test("Names of people")
    func names() {
        #expect(RoomNames.participant("p7") == 7 && RoomNames.waiting("w4294967295") == UInt32.max)
        for name in ["", "p", "p0", "p07", "p-1", "p+1", "q7", "p4294967296", "p7/0", "w7", "p99999999999"] {
            #expect(RoomNames.participant(name) == nil, "\(name)")
        }
    }
}
