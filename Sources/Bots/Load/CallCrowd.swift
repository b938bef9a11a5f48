// Users who are connected and mostly idle, two and two of whom call each other now and then: signalling alone, no media. On one loop.
import EventLoop
import Glibc
import Signalling

/// What the crowd has seen so far.
package struct CallTally: Sendable {
    package var connected = 0
    package var placed = 0
    package var answered = 0
    package var active = 0
    package var ended = 0
    /// Calls that did not come to their end in time, or that the server refused.
    package var lost = 0
    /// Times at which a call was due and nobody was idle.
    package var unplaced = 0
    /// Why calls were lost and connections broke.
    package var failures: [String: Int] = [:]
    /// From a client's sending of a set-up message (invite, accept, descriptions) until the other's client had it.
    package var setup = LatencyHistogram()
    /// From the invitation until the other device rings.
    package var ring = LatencyHistogram()
    /// From the invitation until both are told that the call is active.
    package var whole = LatencyHistogram()
}

/// The crowd. All of it is the loop's own but the two that say otherwise.
final class CallCrowd: @unchecked Sendable {
    /// How long a call may take to its next step before it counts as lost, in nanoseconds.
    private static let patience: Int64 = 10_000_000_000

    let loop = LoopThread(name: "callers")
    let place: ServerPlace
    /// The addresses that clients go out from, in turn; empty: the system's choice.
    fileprivate let sources: [String]
    private let holdNanoseconds: Int64
    private let shared = Lock(CallTally())
    fileprivate var tally = CallTally()
    private var callers: [Caller] = []
    private var calls: [CrowdCall] = []
    private var timer: LoopTimer?
    private var waiting: [(number: Int, token: String)] = []
    private var begun: Int64 = 0
    private var connectsPerSecond = 0.0
    private var placing: (since: Int64, perSecond: Double, placed: Int)?
    private var nextPair = 0

    init(at place: ServerPlace, from sources: [String], holdMilliseconds: Int) {
        self.place = place
        self.sources = sources
        holdNanoseconds = Int64(holdMilliseconds) * 1_000_000
    }

    /// From any thread: what there was a moment ago.
    var snapshot: CallTally { shared.withLock { $0 } }

    /// From any thread: connects them, so many a second.
    func connect(_ tokens: [String], perSecond: Double) {
        loop.run { [self] in
            waiting = tokens.enumerated().map { ($0.offset, $0.element) }.reversed()
            (begun, connectsPerSecond) = (MonotonicClock.now, perSecond)
            let timer = LoopTimer(on: loop) { [weak self] in self?.tick() }
            timer.start(after: 2, repeating: 2)
            self.timer = timer
        }
    }

    /// From any thread: has so many calls placed a second from now on; 0 ends it.
    func place(perSecond: Double) {
        loop.run { [self] in placing = perSecond > 0 ? (MonotonicClock.now, perSecond, 0) : nil }
    }

    func stop() {
        loop.run { [self] in
            timer?.close()
            for caller in callers { caller.close() }
            callers = []
        }
        loop.stop()
    }

    fileprivate func fail(_ reason: String) { tally.failures[reason, default: 0] += 1 }

    fileprivate func lose(_ call: CrowdCall, _ reason: String) {
        fail(reason)
        tally.lost += 1
        call.finish()
    }

    private func tick() {
        let now = MonotonicClock.now
        var due = Int(Double(now - begun) / 1e9 * connectsPerSecond) - callers.count
        while due > 0, let next = waiting.popLast() {
            callers.append(Caller(next.number, in: self, token: next.token))
            due -= 1
        }
        if var placing = placing {
            let wanted = Int(Double(now - placing.since) / 1e9 * placing.perSecond)
            while placing.placed < wanted {
                placing.placed += 1
                placeOne(at: now)
            }
            self.placing = placing
        }
        calls.removeAll { call in
            if call.isOver { return true }
            if call.activeAt > 0, call.hungUpAt == 0, now - call.activeAt >= holdNanoseconds {
                call.hungUpAt = now
                call.movedAt = now
                call.caller.command(.call(.hangup(call.id)))
            }
            guard now - call.movedAt > Self.patience else { return false }
            lose(call, "lost at \(call.step)")
            return true
        }
        shared.withLock { $0 = tally }
    }

    /// Two who are idle, in turn, so that nobody's turn comes before all others had theirs.
    private func placeOne(at now: Int64) {
        let pairs = callers.count / 2
        for _ in 0..<pairs {
            let (a, b) = (callers[2 * nextPair], callers[2 * nextPair + 1])
            nextPair = (nextPair + 1) % pairs
            guard a.isReady, b.isReady else { continue }
            let call = CrowdCall(a, b, at: now)
            calls.append(call)
            tally.placed += 1
            a.command(.call(.invite(.init(to: b.user, media: .audio))))
            return
        }
        tally.unplaced += 1
    }
}

/// A call, as both of its clients see it.
private final class CrowdCall {
    let caller: Caller
    let callee: Caller
    let placedAt: Int64
    /// When the message under way was sent, and when anything happened last.
    var sentAt: Int64
    var movedAt: Int64
    var step = "invited"
    var id = CallID("")
    var told = 0
    var activeAt: Int64 = 0
    var hungUpAt: Int64 = 0
    var endsTold = 0
    var isOver = false

    init(_ caller: Caller, _ callee: Caller, at now: Int64) {
        (self.caller, self.callee) = (caller, callee)
        (placedAt, sentAt, movedAt) = (now, now, now)
        (caller.call, callee.call) = (self, self)
    }

    func finish() {
        isOver = true
        if caller.call === self { caller.call = nil }
        if callee.call === self { callee.call = nil }
    }
}

/// One user on one device.
private final class Caller: WebSocketLinkDelegate {
    /// What a browser's description of one section of sound comes to.
    private static let description = String(repeating: "a=candidate line of a description\r\n", count: 40)

    let user: String
    weak var call: CrowdCall?
    private unowned let crowd: CallCrowd
    private let token: String
    private let link: WebSocketLink
    private var isSignedIn = false
    private var lastCommand: UInt64 = 0
    private var lastSeq: UInt64 = 0

    var isReady: Bool { isSignedIn && call == nil }

    init(_ number: Int, in crowd: CallCrowd, token: String) {
        user = "caller-\(number)"
        self.crowd = crowd
        self.token = token
        let source = crowd.sources.isEmpty ? nil : crowd.sources[number % crowd.sources.count]
        link = WebSocketLink(on: crowd.loop, crowd.place, subprotocol: "majlis.v1", from: source)
        link.delegate = self
        if !link.isAlive { crowd.fail("no socket: \(link.failure)") }
    }

    func close() {
        link.delegate = nil
        link.close()
    }

    func command(_ command: ClientCommand) {
        lastCommand += 1
        if let text = ClientFrame(id: CommandID(lastCommand), ack: lastSeq, .command(command)).text { link.send(text) }
    }

    func linkOpened() {
        let hello = ClientMessage.hello(.init(token: token, device: user, client: "majlis load"))
        if let text = ClientFrame(id: CommandID(0), hello).text { link.send(text) }
    }

    func linkClosed(_ reason: String) {
        if isSignedIn { crowd.tally.connected -= 1 }
        isSignedIn = false
        crowd.fail(reason)
    }

    func linkReceived(_ message: [UInt8]) {
        guard let frame = try? ServerFrame(parsing: message) else { return crowd.fail("a message that is none") }
        if let seq = frame.seq { lastSeq = max(lastSeq, seq) }
        switch frame.message {
        case .welcome:
            isSignedIn = true
            crowd.tally.connected += 1
        case .error(let error):
            if let call { crowd.lose(call, error.code.rawValue) } else { crowd.fail(error.code.rawValue) }
        case .call(let told): if let call { take(told, of: call) }
        default: break
        }
    }

    /// The next step of a call: what one client was sent, the other answers at once.
    private func take(_ message: CallMessage, of call: CrowdCall) {
        let now = MonotonicClock.now
        func arrived() {
            crowd.tally.setup.note(now - call.sentAt)
            call.movedAt = now
        }
        func send(_ step: String, _ command: CallCommand) {
            (call.step, call.sentAt) = (step, now)
            self.command(.call(command))
        }
        let sdp = Self.description
        switch message {
        case .incoming(let told) where call.callee === self:
            arrived()
            crowd.tally.ring.note(now - call.placedAt)
            call.id = told.call
            send("accepting", .accept(.init(call: told.call, media: .audio)))
        case .accepted where call.caller === self:
            arrived()
            crowd.tally.answered += 1
            send("offering", .description(.init(call: call.id, description: .init(type: .offer, sdp: sdp))))
        case .description where call.callee === self:
            arrived()
            send("answering", .description(.init(call: call.id, description: .init(type: .answer, sdp: sdp))))
            command(.call(.connected(.init(call: call.id, path: .direct))))
        case .description:
            arrived()
            send("connecting", .connected(.init(call: call.id, path: .direct)))
        case .connected:
            call.told += 1
            guard call.told == 2 else { return }
            crowd.tally.active += 1
            crowd.tally.whole.note(now - call.placedAt)
            (call.step, call.activeAt, call.movedAt) = ("active", now, now)
        case .ended(let end):
            call.endsTold += 1
            if call.hungUpAt == 0 {
                return crowd.lose(call, "ended: \(end.reason.rawValue)")
            }
            guard call.endsTold == 2 else { return }
            crowd.tally.ended += 1
            call.finish()
        default: break
        }
    }
}
