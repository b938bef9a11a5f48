// The session's states, numbering and limits, one at a time.
import Testing

@testable import Signalling

@Suite("A session")
struct SessionTests {
    @Test("hello is authenticated, then welcomed with seq 1")
    func welcome() throws {
        let driver = SessionDriver()
        driver.say(#"{"id":"0","type":"hello","token":"t","device":"d"}"#)
        #expect(driver.done() == [.authenticate(.init(token: "t", device: "d"))])
        driver.admit(room: "blue")
        let frame = try #require(try driver.sent().first)
        #expect(frame.seq == 1)
        #expect(frame.re == CommandID(0))
        guard case .welcome(let welcome) = frame.message else { return #expect(Bool(false), "\(frame)") }
        #expect(welcome.session == "s1")
        #expect(welcome.resumeToken == SessionDriver.token)
        #expect(welcome.room == "blue")
        #expect(welcome.user == .init(id: "ada", name: "Ada"))
        #expect(driver.machine.isActive)
        #expect(driver.machine.nextDeadline == nil)
    }

    @Test("No hello within 10 seconds closes with 4428")
    func noHello() {
        let driver = SessionDriver()
        let deadline = driver.machine.nextDeadline
        #expect(deadline == SessionDriver.start.adding(milliseconds: 10_000))
        driver.machine.advance(to: SessionDriver.start.adding(milliseconds: 9_999), into: &driver.actions)
        #expect(driver.done().isEmpty)
        driver.machine.advance(to: SessionDriver.start.adding(milliseconds: 10_000), into: &driver.actions)
        let error = ProtocolError(.noHello, "no hello in time", isFatal: true)
        #expect(driver.done() == [.close(driver.first, .noHello, reason: "no hello in time"), .ended(.failed(error))])
        driver.machine.advance(to: SessionDriver.start.adding(milliseconds: 99_999), into: &driver.actions)
        #expect(driver.done().isEmpty)
    }

    @Test("A refused token is told and closed with its reason")
    func refused() throws {
        let driver = SessionDriver()
        driver.say(#"{"id":"0","type":"hello","token":"t"}"#)
        _ = driver.done()
        driver.machine.refused(ProtocolError(.notAuthenticated, "token expired"), into: &driver.actions)
        let actions = driver.done()
        #expect(actions.count == 3)
        guard case .send(_, let text) = actions[0] else { return #expect(Bool(false), "\(actions)") }
        let error = ProtocolError(.notAuthenticated, "token expired", isFatal: true)
        #expect(try ServerFrame(parsing: Array(text.utf8)) == ServerFrame(re: CommandID(0), .error(error)))
        #expect(actions[1] == .close(driver.first, .unauthorised, reason: "token expired"))
        #expect(actions[2] == .ended(.failed(error)))
        driver.admit()
        #expect(driver.done().isEmpty)
    }

    @Test("Commands before welcome are refused, a second hello too")
    func tooEarly() throws {
        let driver = SessionDriver()
        driver.say(SessionDriver.join(1))
        #expect(try driver.sent().map(code) == [.notAuthenticated])
        driver.say(#"{"type":"ack","ack":1}"#)
        #expect(driver.done().isEmpty)
        driver.say(#"{"id":"0","type":"hello","token":"t"}"#)
        _ = driver.done()
        driver.say(SessionDriver.join(1))
        driver.say(#"{"id":"0","type":"hello","token":"t"}"#)
        #expect(try driver.sent().map(code) == [.notAuthenticated, .alreadyAuthenticated])
        driver.admit()
        _ = driver.done()
        driver.say(#"{"id":"0","type":"hello","token":"t"}"#)
        driver.say(#"{"id":"0","type":"resume","session":"s","resumeToken":"t","lastSeq":0}"#)
        #expect(try driver.sent().map(code) == [.alreadyAuthenticated, .alreadyAuthenticated])
        driver.say(SessionDriver.join(1))
        #expect(driver.done().count == 1)
    }

    @Test("A socket without a session is cut off after 16 messages", arguments: [false, true])
    func earlyMessages(isAuthenticating: Bool) throws {
        let driver = SessionDriver()
        if isAuthenticating { driver.say(#"{"id":"0","type":"hello","token":"t"}"#) }
        _ = driver.done()
        for _ in (isAuthenticating ? 1 : 0)..<16 { driver.say(#"{"id":"1","type":"leave"}"#) }
        #expect(try driver.sent().allSatisfy { code($0) == .notAuthenticated })
        driver.say(#"{"id":"1","type":"leave"}"#)
        #expect(driver.done().first == .close(driver.first, .tooManyMessages, reason: "too many messages"))
        #expect(driver.machine.isEnded)
    }

    @Test("Commands are given out one at a time, in order, and answered in order")
    func order() throws {
        let driver = SessionDriver.active()
        driver.say(SessionDriver.join(1))
        driver.say(#"{"id":"2","type":"mute","mid":"0","muted":true}"#)
        driver.say(#"{"id":"3","type":"leave"}"#)
        driver.say(#"{"id":"4","type":"leave"}"#)
        let first = driver.done()
        #expect(first.count == 1)
        guard case .perform(CommandID(1), .join) = first[0] else { return #expect(Bool(false), "\(first)") }
        #expect(driver.machine.roomState == .joining)
        driver.answer(2, .ok(.init()))
        #expect(driver.done().isEmpty, "an answer to a command that is not being performed")
        driver.answer(1, SessionDriver.joined)
        #expect(driver.machine.roomState == .joined)
        var actions = driver.done()
        #expect(actions.count == 2)
        #expect(actions[1] == .perform(CommandID(2), .mute(.init(mid: "0", muted: true))))
        driver.answer(2, .ok(.init()))
        actions = driver.done()
        #expect(actions[1] == .perform(CommandID(3), .leave))
        driver.answer(3, .left)
        let frames = try driver.sent()
        #expect(frames.map(\.seq) == [4, 5])
        #expect(frames.map(\.re) == [CommandID(3), CommandID(4)])
        #expect(code(frames[1]) == .notJoined)
    }

    @Test("What the room's state does not allow is refused without asking the server")
    func roomStates() throws {
        let driver = SessionDriver.active()
        var id = 0
        for text in [
            #""type":"offer","sdp":"","tracks":[]"#, #""type":"candidate","candidate":"""#, #""type":"iceRestart""#,
            #""type":"mute","mid":"0","muted":true"#, #""type":"subscribe","slots":[]"#, #""type":"leave""#,
        ] {
            id += 1
            driver.say("{\"id\":\"\(id)\",\(text)}")
            #expect(try driver.sent().map(code) == [.notJoined], "\(text)")
        }
        driver.say(#"{"id":"7","type":"answer"}"#)
        #expect(try driver.sent().map(code) == [.unexpectedAnswer])
        driver.say(SessionDriver.join(8))
        driver.answer(8, .error(ProtocolError(.roomFull, "The room is full.")))
        #expect(driver.machine.roomState == .notJoined)
        driver.say(SessionDriver.join(9))
        driver.answer(9, SessionDriver.joined)
        _ = driver.done()
        driver.say(SessionDriver.join(10))
        #expect(try driver.sent().map(code) == [.alreadyJoined])
        driver.machine.leftRoom()
        driver.say(SessionDriver.join(11))
        #expect(driver.done().count == 1)
    }

    @Test("A token for one room does not open another")
    func otherRoom() throws {
        let driver = SessionDriver()
        driver.say(#"{"id":"0","type":"hello","token":"t"}"#)
        driver.admit(room: "blue")
        _ = driver.done()
        driver.say(SessionDriver.join(1, room: "red"))
        #expect(try driver.sent().map(code) == [.forbidden])
        driver.say(SessionDriver.join(2, room: "blue"))
        #expect(driver.done().count == 1)
        #expect(Claims(user: "ada", room: "*").allows(room: "red"))
    }

    @Test("A repeated command gets the same bytes and is not performed again; once acknowledged it is stale")
    func repeats() throws {
        let driver = SessionDriver.active(joined: true)
        let mute = #"{"id":"2","type":"mute","mid":"0","muted":true}"#
        driver.say(mute)
        #expect(driver.done().count == 1)
        driver.say(mute)
        #expect(driver.done().isEmpty, "it is being performed")
        driver.answer(2, .ok(.init()))
        let answer = driver.done()
        driver.say(mute)
        #expect(driver.done() == answer)
        driver.say(#"{"id":"2","type":"leave","ack":2}"#)
        #expect(driver.done() == answer, "by its number, whatever it says now")
        driver.say(#"{"type":"ack","ack":3}"#)
        driver.say(mute)
        let frame = try #require(try driver.sent().first)
        #expect(code(frame) == .staleCommand)
        #expect(frame.seq == nil)
        #expect(frame.re == CommandID(2))
    }

    @Test("A number that skips ahead is a gap and takes no number")
    func gaps() throws {
        let driver = SessionDriver.active(joined: true)
        for id in ["3", "18446744073709551615"] {
            driver.say("{\"id\":\"\(id)\",\"type\":\"iceRestart\"}")
            let frame = try #require(try driver.sent().first)
            #expect(code(frame) == .commandGap)
            #expect(frame.seq == nil)
        }
        driver.say(#"{"id":"2","type":"iceRestart"}"#)
        #expect(driver.done() == [.perform(CommandID(2), .iceRestart)])
        driver.say(#"{"id":"0","type":"leave"}"#)
        #expect(try driver.sent().map(code) == [.staleCommand])
    }

    @Test("A command that cannot be read takes its number and is answered in its turn")
    func unreadable() throws {
        let driver = SessionDriver.active(joined: true)
        driver.say(#"{"id":"2","type":"iceRestart"}"#)
        driver.say(#"{"id":"3","type":"dance"}"#)
        driver.say(#"{"id":"4","type":"mute","mid":"0"}"#)
        #expect(driver.done().count == 1)
        driver.answer(2, .ok(.init()))
        let frames = try driver.sent()
        #expect(frames.map(\.re) == [CommandID(2), CommandID(3), CommandID(4)])
        #expect(frames.map(\.seq) == [3, 4, 5])
        #expect(frames.map(code) == [nil, .unknownType, .missingField])
        driver.say(#"{"type":"mute","mid":"0","muted":true}"#)
        let frame = try #require(try driver.sent().first)
        #expect(code(frame) == .missingField)
        #expect(frame.seq == nil)
    }

    @Test("An acknowledgement of what was never sent is refused")
    func falseAck() throws {
        let driver = SessionDriver.active(joined: true)
        driver.say(#"{"id":"2","type":"leave","ack":3}"#)
        #expect(try driver.sent().map(code) == [.malformed])
        driver.say(#"{"id":"2","type":"leave","ack":2}"#)
        #expect(driver.done() == [.perform(CommandID(2), .leave)])
        #expect(driver.machine.outbox.kept.isEmpty)
    }

    @Test("256 answers are kept, then the next command must wait for an acknowledgement")
    func keptAnswers() throws {
        let driver = SessionDriver.active { $0.commandBurst = 10_000 }
        for id in 1...256 { driver.say("{\"id\":\"\(id)\",\"type\":\"leave\"}") }
        #expect(try driver.sent().count == 256)
        driver.say(#"{"id":"257","type":"leave"}"#)
        let refused = try #require(try driver.sent().first)
        #expect(code(refused) == .tooManyPending)
        #expect(refused.seq == nil)
        driver.say(#"{"id":"257","type":"leave","ack":2}"#)
        #expect(try driver.sent().map(\.re) == [CommandID(257)])
    }

    @Test("Commands that wait are bounded in number and in bytes")
    func waitingCommands() throws {
        let driver = SessionDriver.active(joined: true) { $0.commandBurst = 10_000 }
        driver.say(#"{"type":"ack","ack":2}"#)
        driver.say(#"{"id":"2","type":"iceRestart"}"#)
        _ = driver.done()
        let sdp = String(repeating: "x", count: 500_000)
        for id in 3...4 { driver.say("{\"id\":\"\(id)\",\"type\":\"offer\",\"tracks\":[],\"sdp\":\"\(sdp)\"}") }
        #expect(driver.done().isEmpty)
        driver.say("{\"id\":\"5\",\"type\":\"offer\",\"tracks\":[],\"sdp\":\"\(sdp)\"}")
        #expect(try driver.sent().map(code) == [.tooManyPending])
        for id in 5...257 { driver.say("{\"id\":\"\(id)\",\"type\":\"leave\"}") }
        #expect(driver.done().isEmpty)
        driver.say(#"{"id":"258","type":"leave"}"#)
        #expect(try driver.sent().map(code) == [.tooManyPending])
        #expect(driver.machine.waiting.count == 255)
    }

    @Test("Commands past the rate are answered rateLimited, with the time to wait")
    func rateLimit() throws {
        let driver = SessionDriver.active()
        for id in 1...200 { driver.say("{\"id\":\"\(id)\",\"type\":\"leave\"}") }
        #expect(try driver.sent().allSatisfy { code($0) == .notJoined })
        driver.say(#"{"id":"201","type":"leave"}"#)
        guard case .error(let error) = try driver.sent().first?.message else { return #expect(Bool(false)) }
        #expect(error.code == .rateLimited)
        #expect(error.retryAfterMilliseconds == 20)
        driver.now = driver.now.adding(milliseconds: 20)
        driver.say(#"{"id":"202","type":"leave"}"#)
        driver.say(#"{"id":"203","type":"leave"}"#)
        #expect(try driver.sent().map(code) == [.notJoined, .rateLimited])
        driver.say(#"{"id":"201","type":"leave"}"#)
        #expect(try driver.sent().map(code) == [.rateLimited], "the same answer, though time has passed")
    }

    @Test(
        "10,000 messages a second are cut off with 4429",
        arguments: ["{\"type\":\"ack\",\"ack\":1}", "{\"id\":\"9\",\"type\":\"x\"}"])
    func flood(text: String) {
        let driver = SessionDriver.active()
        var count = 0
        while !driver.machine.isEnded, count < 10_000 {
            driver.say(text)
            driver.now.nanoseconds += 100_000
            count += 1
        }
        #expect((2_000...2_300).contains(count))
        guard case .close(_, .tooManyMessages, _) = driver.done().dropLast().last else { return #expect(Bool(false)) }
    }

    @Test("A steady 40 commands a second, acknowledged, go on for ever")
    func steady() {
        let driver = SessionDriver.active()
        for id in 1...2_000 {
            driver.now.nanoseconds += 25_000_000
            driver.say("{\"id\":\"\(id)\",\"type\":\"leave\",\"ack\":\(id)}")
            guard case .send(_, let text) = driver.done().first, text.contains("notJoined") else {
                return #expect(Bool(false), "command \(id)")
            }
        }
    }

    @Test("Megabytes of repeats are cut off: an answer sent again counts like bytes received")
    func amplification() {
        let driver = SessionDriver.active(joined: true)
        driver.say(#"{"id":"2","type":"offer","sdp":"","tracks":[]}"#)
        driver.answer(2, .answer(.init(sdp: String(repeating: "x", count: 300_000), refused: [])))
        var count = 0
        while !driver.machine.isEnded, count < 1_000 {
            driver.say(#"{"id":"2","type":"leave"}"#)
            count += 1
        }
        #expect(count < 40)
    }

    @Test("Text that is no message, a binary message and a large one close with their own codes")
    func fatal() {
        var driver = SessionDriver.active()
        driver.say("[]")
        var actions = driver.done()
        #expect(
            actions.first
                == .close(driver.first, .malformed, reason: "malformed message: A message is one JSON object."))
        #expect(actions.count == 2)
        #expect(driver.machine.isEnded)
        driver.say(SessionDriver.join(1))
        #expect(driver.done().isEmpty)

        driver = SessionDriver.active()
        driver.machine.receiveBinary(on: ConnectionID(7), into: &driver.actions)
        #expect(driver.done().isEmpty)
        driver.machine.receiveBinary(on: driver.first, into: &driver.actions)
        actions = driver.done()
        #expect(actions.first == .close(driver.first, .unsupportedData, reason: "messages are text"))

        driver = SessionDriver()
        driver.say(#"{"type":"hello","token":""# + String(repeating: "x", count: 65_536))
        actions = driver.done()
        #expect(actions.first == .close(driver.first, .tooLarge, reason: "The message is too large."))
    }

    @Test("The server ends a session once")
    func closing() {
        let driver = SessionDriver.active(joined: true)
        driver.machine.close(.goingAway, reason: "bye", into: &driver.actions)
        #expect(driver.done() == [.close(driver.first, .goingAway, reason: "bye"), .ended(.closed(.goingAway))])
        driver.machine.close(.goingAway, reason: "bye", into: &driver.actions)
        driver.machine.send(SessionDriver.event(1), into: &driver.actions)
        driver.machine.connectionLost(driver.first, at: driver.now, into: &driver.actions)
        #expect(driver.done().isEmpty)
        #expect(driver.machine.roomState == .notJoined)
    }
}
