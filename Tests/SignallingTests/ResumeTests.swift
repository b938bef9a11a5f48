// A session that loses its socket and goes on, and one that cannot.
import Testing

@testable import Signalling

@Suite("Resuming a session")
struct ResumeTests {
    @Test("A fresh socket that says resume is handed to the session that it names")
    func handOver() {
        let fresh = SessionDriver()
        fresh.say(#"{"id":"0","type":"resume","session":"s9","resumeToken":"x","lastSeq":4}"#)
        let resumption = SessionResumption(
            connection: fresh.first, id: CommandID(0),
            request: .init(session: "s9", resumeToken: "x", lastSeq: 4))
        #expect(fresh.done() == [.resume(resumption)])
        #expect(fresh.machine.nextDeadline == nil)
        let other = SessionDriver()
        other.machine = fresh.machine
        fresh.machine.handedOver(into: &fresh.actions)
        #expect(fresh.done() == [.ended(.handedOver)])
        other.machine.resumeFailed(into: &other.actions)
        let actions = other.done()
        #expect(actions.count == 3)
        #expect(actions[1] == .close(other.first, .resyncNeeded, reason: "resync needed"))
    }

    @Test("What was missed is sent again, the same bytes, after resumed")
    func replay() throws {
        let driver = SessionDriver.active(joined: true)
        driver.say(#"{"id":"2","type":"iceRestart"}"#)
        driver.machine.connectionLost(driver.first, at: driver.now, into: &driver.actions)
        #expect(driver.done().last == .detached)
        #expect(driver.machine.isDetached)
        #expect(driver.machine.nextDeadline == driver.now.adding(milliseconds: 30_000))
        driver.machine.send(SessionDriver.event(2), into: &driver.actions)
        driver.answer(2, .ok(.init()))
        #expect(driver.done().isEmpty)
        #expect(driver.resume(on: 2, lastSeq: 1))
        let actions = driver.done()
        #expect(actions.last == .reattached(ConnectionID(2)))
        let frames = try actions.dropLast().map { action in
            guard case .send(ConnectionID(2), let text) = action else { throw ProtocolError(.internal, "\(action)") }
            return try ServerFrame(parsing: Array(text.utf8))
        }
        #expect(frames.map(\.seq) == [nil, 2, 3, 4])
        #expect(frames[0] == ServerFrame(re: CommandID(0), .resumed(.init(lastCommand: CommandID(2)))))
        #expect(frames[1].message == SessionDriver.joined)
        #expect(frames[2].message == SessionDriver.event(2))
        #expect(frames[3].re == CommandID(2))
        #expect(driver.machine.nextDeadline == nil)
        driver.say(#"{"id":"3","type":"leave","ack":4}"#)
        #expect(driver.done() == [.perform(CommandID(3), .leave)])
    }

    @Test("A socket still open is taken over and closed with 4409; what comes on it then is ignored")
    func takeOver() {
        let driver = SessionDriver.active(joined: true)
        #expect(driver.resume(on: 2, lastSeq: 2))
        let actions = driver.done()
        #expect(actions.first == .close(driver.first, .replaced, reason: "resumed on another socket"))
        #expect(driver.machine.connection == ConnectionID(2))
        driver.say(#"{"id":"2","type":"leave"}"#, on: driver.first)
        driver.machine.connectionLost(driver.first, at: driver.now, into: &driver.actions)
        #expect(driver.done().isEmpty)
        #expect(!driver.machine.isDetached)
    }

    @Test("After the window the session has timed out")
    func window() {
        let driver = SessionDriver.active(joined: true)
        driver.machine.connectionLost(driver.first, at: driver.now, into: &driver.actions)
        _ = driver.done()
        driver.machine.advance(to: driver.now.adding(milliseconds: 29_999), into: &driver.actions)
        #expect(driver.done().isEmpty)
        driver.machine.advance(to: driver.now.adding(milliseconds: 30_000), into: &driver.actions)
        #expect(driver.done() == [.ended(.timedOut)])
        #expect(!driver.resume(on: 2, lastSeq: 2))
        guard case .close(ConnectionID(2), .resyncNeeded, _) = driver.done().last else { return #expect(Bool(false)) }
    }

    @Test("A wrong secret is refused and the session does not notice")
    func wrongSecret() {
        let driver = SessionDriver.active(joined: true)
        let before = driver.machine.outbox
        for token in [
            "", "x", SessionDriver.token + "x", String(SessionDriver.token.dropLast()), "A-secret-for-resuming",
        ] {
            #expect(!driver.resume(on: 2, lastSeq: 2, token: token))
        }
        #expect(!driver.resume(on: 2, lastSeq: 2, session: "s2"))
        #expect(driver.done().count == 12)
        #expect(driver.machine.connection == driver.first)
        #expect(driver.machine.isActive)
        #expect(driver.machine.outbox == before)
    }

    @Test("A session cannot be resumed before it is authenticated")
    func unauthenticated() {
        let driver = SessionDriver()
        #expect(!driver.resume(on: 2, lastSeq: 0))
        driver.say(#"{"id":"0","type":"hello","token":"t"}"#)
        #expect(!driver.resume(on: 2, lastSeq: 0))
        _ = driver.done()
        driver.admit()
        #expect(driver.machine.connection == driver.first)
    }

    @Test(
        "Messages that are forgotten, or were never sent, mean starting over", arguments: [UInt64(0), 1, 3, UInt64.max])
    func forgotten(lastSeq: UInt64) {
        let driver = SessionDriver.active(joined: true)
        driver.say(#"{"type":"ack","ack":2}"#)
        driver.machine.connectionLost(driver.first, at: driver.now, into: &driver.actions)
        _ = driver.done()
        #expect(!driver.resume(on: 2, lastSeq: lastSeq))
        let actions = driver.done()
        #expect(actions.contains(.close(ConnectionID(2), .resyncNeeded, reason: "resync needed")))
        #expect(driver.machine.isEnded)
        guard case .ended(.failed(let error)) = actions.last else { return #expect(Bool(false)) }
        #expect(error.code == .resyncNeeded)
    }

    @Test("More than 1,024 events that nobody acknowledges end the session with 4408", arguments: [false, true])
    func tooManyEvents(detached: Bool) {
        let driver = SessionDriver.active(joined: true)
        driver.say(#"{"type":"ack","ack":2}"#)
        if detached { driver.machine.connectionLost(driver.first, at: driver.now, into: &driver.actions) }
        _ = driver.done()
        for version in 1...1_024 { driver.machine.send(SessionDriver.event(UInt64(version)), into: &driver.actions) }
        #expect(driver.machine.isActive)
        #expect(driver.done().count == (detached ? 0 : 1_024))
        driver.machine.send(SessionDriver.event(1_025), into: &driver.actions)
        #expect(driver.machine.isEnded)
        let actions = driver.done()
        if !detached {
            guard case .close(_, .resyncNeeded, _) = actions.dropLast().last else { return #expect(Bool(false)) }
        }
        guard case .ended(.failed(let error)) = actions.last else { return #expect(Bool(false)) }
        #expect(error.code == .resyncNeeded)
    }

    @Test("More than 256 KiB of events that nobody acknowledges end the session")
    func tooManyBytes() {
        let driver = SessionDriver.active(joined: true)
        let name = String(repeating: "n", count: 10_000)
        var participant = SessionDriver.participant
        participant.name = name
        var count = 0
        while driver.machine.isActive, count < 100 {
            driver.machine.send(.participantJoined(.init(version: 1, participant: participant)), into: &driver.actions)
            count += 1
        }
        #expect(count == 27 || count == 26)
    }

    @Test("A socket that is lost before welcome leaves nothing")
    func neverBegan() {
        var driver = SessionDriver()
        driver.machine.connectionLost(driver.first, at: driver.now, into: &driver.actions)
        #expect(driver.done() == [.ended(.neverBegan)])
        driver = SessionDriver()
        driver.say(#"{"id":"0","type":"hello","token":"t"}"#)
        _ = driver.done()
        driver.machine.connectionLost(driver.first, at: driver.now, into: &driver.actions)
        #expect(driver.done() == [.ended(.neverBegan)])
        driver.admit()
        #expect(driver.done().isEmpty)
    }

    @Test("Comparing secrets gives the same as equality")
    func comparing() {
        let secret = Array("secret".utf8)
        #expect(SessionMachine.areEqual("secret", secret))
        for other in ["", "s", "secres", "secret ", "secretsecret", "Secret"] {
            #expect(!SessionMachine.areEqual(other, secret))
        }
        #expect(!SessionMachine.areEqual("", []))
    }

    @Test("Time at its ends does not trap")
    func extremes() {
        var configuration = SessionConfiguration()
        configuration.resumeWindowSeconds = Int.max
        configuration.helloTimeoutMilliseconds = Int64.max
        configuration.byteBurst = Int.max
        configuration.bytesPerSecond = Int.max
        configuration.commandsPerSecond = -1
        for start in [Int64.min, 0, Int64.max] {
            let driver = SessionDriver()
            driver.machine = SessionMachine(
                configuration: configuration, connection: driver.first, session: "s1", resumeToken: "t",
                at: SessionTime(nanoseconds: start))
            for moment in [Int64.max, Int64.min, 0, start] {
                driver.now = SessionTime(nanoseconds: moment)
                driver.say(#"{"id":"0","type":"hello","token":"t"}"#)
                driver.admit()
                driver.say(#"{"id":"1","type":"leave"}"#)
                driver.machine.connectionLost(driver.first, at: driver.now, into: &driver.actions)
                driver.machine.advance(to: driver.now, into: &driver.actions)
                if driver.machine.resume(
                    SessionResumption(
                        connection: ConnectionID(2), id: nil,
                        request: .init(session: "s1", resumeToken: "t", lastSeq: 1)),
                    into: &driver.actions)
                {
                    driver.say(#"{"id":"2","type":"leave"}"#)
                }
            }
            #expect(!driver.actions.isEmpty)
        }
    }
}
