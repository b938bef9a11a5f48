// Moderation races, every order of them: whatever crosses whatever, there is one outcome and all agree on it.
import Testing

@testable import Signalling

@Suite("Every order in which a room's people can act")
struct RoomInterleavingTests {
    typealias World = RoomWorld

    /// A world in which the first so many people are in.
    private func world(
        _ options: (inout RoomOptions) -> Void = { _ in }, inside: Int, _ people: World.Person...
    ) -> World {
        var settings = RoomOptions()
        options(&settings)
        var world = World(options: settings, people)
        for index in 0..<inside { world.bringIn(index) }
        return world
    }

    private func explore(_ world: World, atLeast least: Int, _ name: String) -> [World] {
        let (states, ends) = World.explore(world)
        print("interleavings: \(name): \(states) states, \(ends.count) ends")
        #expect(states >= least, "\(states)")
        #expect(!ends.isEmpty)
        return ends
    }

    private func microphone(_ world: World, _ number: UInt32) -> Bool? {
        world.machine.member(number)?.tracks.first?.isMuted
    }

    @Test("A host's mute and an own unmute cross: muted, unless the person unmuted knowing of it")
    func muteCrossesUnmute() {
        let ends = explore(
            world(
                inside: 2,
                World.person("hana", host: true, .request(.moderate(.mute(2, .microphone)))),
                World.person("sami", .request(.mute(mid: "0", true, version: nil)), .unmute)),
            atLeast: 40, "mute and unmute")
        for end in ends {
            // Refused where it had not heard of the host's mute, done where it had, or where the mute came after.
            let isMuted = microphone(end, 2) == true
            #expect(end.people[1].refused == [] || (end.people[1].refused == [.overtaken] && isMuted))
        }
        #expect(ends.contains { $0.people[1].refused == [.overtaken] })
        #expect(ends.contains { microphone($0, 2) == false })
    }

    @Test("Two hosts mute, ask to unmute, and the person unmutes")
    func twoHostsMute() {
        let ends = explore(
            world(
                inside: 3,
                World.person("hana", host: true, .request(.moderate(.mute(nil, .microphone)))),
                World.person("hadi", host: true, .request(.moderate(.requestUnmute(3, .microphone)))),
                World.person("sami", .unmute, .unmute)),
            atLeast: 150, "mute all and a request to unmute")
        for end in ends { #expect(microphone(end, 1) == false && microphone(end, 2) == false) }
    }

    @Test("A kick while the person is joining: in or out, and everybody sees the same")
    func kickWhileJoining() {
        let ends = explore(
            world(
                inside: 2,
                World.person("hana", host: true, .request(.moderate(.kick(3)))),
                World.person("hadi", host: true, .request(.moderate(.ban("jana")))),
                World.person("jana", .join, .request(.raiseHand), .leave, .join)),
            atLeast: 800, "kick and ban while joining")
        for end in ends {
            #expect(end.people[2].place == .outside, "a banned user is in")
            #expect(end.machine.members.count == 2)
        }
    }

    @Test("Two hosts remove each other: one of them stays")
    func twoHosts() {
        let ends = explore(
            world(
                inside: 3,
                World.person(
                    "hana", host: true, .request(.moderate(.kick(2))), .request(.moderate(.setRole(3, .listener)))),
                World.person(
                    "hadi", host: true, .request(.moderate(.kick(1))), .request(.moderate(.setRole(3, .host)))),
                World.person("sami", .request(.stepDown))),
            atLeast: 400, "two hosts remove each other")
        for end in ends {
            let hosts = end.machine.members.filter { $0.newcomer.canModerate }
            #expect(hosts.count == 1)
            let loser = end.people[hosts[0].newcomer.user == "hana" ? 1 : 0]
            #expect(loser.replica.end == .kicked)
            #expect(loser.refused.allSatisfy { $0 == .notJoined })
        }
    }

    @Test("Two hosts decide differently about somebody who waits: the first decides, the second is told")
    func admitAndDeny() {
        let ends = explore(
            world(
                { $0.hasLobby = true }, inside: 2,
                World.person("hana", host: true, .request(.moderate(.admit(1)))),
                World.person("hadi", host: true, .request(.moderate(.deny(1)))),
                World.person("wati", .join)),
            atLeast: 80, "admit and deny")
        for end in ends {
            let refused = end.people[0].refused + end.people[1].refused
            switch end.people[2].replica.lobby {
            case .denied: #expect(end.people[2].place == .outside)
            case .waiting:
                // Both acted before anybody waited.
                #expect(refused == [.unknownParticipant, .unknownParticipant])
            case nil, .admitted: #expect(end.machine.members.contains { $0.newcomer.user == "wati" })
            case .ended: Issue.record("the room did not end")
            }
            #expect(refused.allSatisfy { $0 == .overtaken || $0 == .unknownParticipant })
        }
    }

    @Test("The host leaves while admitting: the lobby is never left without anybody who can open it")
    func hostLeavesWhileAdmitting() {
        let ends = explore(
            world(
                { $0.hasLobby = true }, inside: 1,
                World.person("hana", host: true, .request(.moderate(.admit(1))), .leave),
                World.person("wati", .join), World.person("wira", .join, .vanish)),
            atLeast: 300, "host leaves while admitting")
        for end in ends {
            #expect(!end.machine.members.contains { $0.newcomer.user == "hana" })
            #expect(end.people[1].replica.fault == nil)
        }
        let succession = explore(
            world(
                inside: 3,
                World.person("hana", host: true, .request(.moderate(.setLobby(true))), .leave),
                World.person("sami", .request(.stepDown)), World.person("sara", .time, .time),
                World.person("wati", .join)),
            atLeast: 2_000, "succession")
        for end in succession where !end.machine.members.isEmpty {
            // Sara never gives up speaking: where time passed after the host had left, she or Sami is host.
            let hosts = end.machine.members.filter { $0.role == .host }
            #expect(hosts.count <= 1)
            #expect(hosts.count == 1 || end.machine.nextDeadline != nil)
        }
    }

    @Test("Hands, invitations and roles cross")
    func hands() {
        let ends = explore(
            world(
                inside: 3,
                World.person(
                    "hana", host: true, .request(.moderate(.invite(2))), .request(.moderate(.withdrawInvitation(2)))),
                World.person("lina", role: .listener, .request(.raiseHand), .request(.answerInvitation(true)), .unmute),
                World.person("luqman", role: .listener, .request(.raiseHand))),
            atLeast: 2_000, "hands and invitations")
        for end in ends {
            guard let lina = end.machine.member(2) else {
                Issue.record("gone")
                continue
            }
            if lina.role == .listener { #expect(microphone(end, 2) == true) }
            #expect(end.machine.member(3)?.hand != nil)
        }
        #expect(Set(ends.compactMap { $0.machine.member(2)?.role }) == [.speaker, .listener])
    }

    @Test("The end for all crosses everything else: nobody is left in, nobody waits")
    func end() {
        let ends = explore(
            world(
                { $0.hasLobby = true }, inside: 2,
                World.person("hana", host: true, .request(.moderate(.end))),
                World.person(
                    "hadi", host: true, .request(.moderate(.admit(nil))), .request(.message("salam", to: nil))),
                World.person("wati", .join)),
            atLeast: 100, "end for all")
        for end in ends {
            #expect(end.machine.isEnded && end.machine.members.isEmpty)
            #expect(end.people[0].replica.end == .ended && end.people[1].replica.end == .ended)
        }
    }

    @Test("Locks and lobbies open and close while people come")
    func doors() {
        let ends = explore(
            world(
                inside: 1,
                World.person(
                    "hana", host: true, .request(.moderate(.setLobby(true))), .request(.moderate(.lock(true))),
                    .request(.moderate(.setLobby(false)))),
                World.person("wati", .join), World.person("wira", .join, .leave, .join)),
            atLeast: 1_000, "doors")
        for end in ends {
            for person in end.people.dropFirst() {
                if case .waiting = person.place { Issue.record("somebody waits and there is no lobby") }
                #expect(person.refused.allSatisfy { $0 == .roomLocked })
            }
        }
    }

    /// Every sequence of up to three acts of two hosts and two others, each told at once: the room's rules hold in each.
    @Test("Every sequence of three acts")
    func sequences() {
        var start = world(
            { $0.hasLobby = true }, inside: 4, World.person("hana", host: true), World.person("hadi", host: true),
            World.person("sami"), World.person("lina", role: .listener), World.person("wati"))
        start.people[4].script = [.join]
        let moderation: [Moderation] = [
            .mute(3, .microphone), .mute(nil, .microphone), .requestUnmute(3, .microphone), .lowerHand(4), .invite(4),
            .withdrawInvitation(4), .setRole(3, .listener), .setRole(4, .speaker), .setRole(2, .speaker),
            .setRole(3, .host), .kick(2), .kick(3), .ban("lina"), .unban("lina"), .lock(true), .setLobby(false),
            .admit(1), .deny(1), .setMetadata("m"), .end,
        ]
        var acts: [(Int, World.Act)] = moderation.map { (0, .request(.moderate($0))) }
        acts += [.kick(1), .admit(nil), .lock(false), .setRole(1, .listener)].map { (1, .request(.moderate($0))) }
        let own: [RoomRequest] = [
            .raiseHand, .lowerHand, .answerInvitation(true), .answerInvitation(false), .stepDown, .react("👏"),
            .message("a", to: nil), .message("a", to: 1), .setOwnMetadata("m"), .mute(mid: "0", true, version: nil),
            .moderate(.kick(1)),
        ]
        for person in [2, 3] { acts += own.map { (person, .request($0)) } + [(person, .unmute), (person, .leave)] }
        acts += [(4, .join), (0, .leave), (2, .time)]
        var layer: Set<World> = [start]
        var count = 1
        for _ in 0..<3 {
            var next: Set<World> = []
            for world in layer {
                for (person, act) in acts {
                    var copy = world
                    copy.people[person].script = [act]
                    copy.settle()
                    copy.check()
                    if next.insert(copy).inserted { copy.checkEnd() }
                }
            }
            count += next.count
            layer = next
        }
        print("interleavings: sequences of three acts: \(count) states")
        #expect(count > 3_000)
    }
}

extension RoomWorld {
    /// Lets everything that is under way arrive, in one order.
    mutating func settle() {
        while let next = successors().first { self = next }
        for index in people.indices { people[index].refused = [] }
    }
}
