// One call in one state, one of whose devices loses its socket for a while: what the others say and do meanwhile, and what there must
// be when it comes back.
import Bots
import EventLoop
import Signalling
import TestSupport
import Testing
import Tokens
import WholeServers

/// One cut.
final class CallCutScene {
    /// How far the call has come.
    enum Stage: CaseIterable {
        case ringing, connecting, active
        /// The device that is cut has just asked for the room, and has no answer yet.
        case upgrading
        /// Both are in the call's room, with media.
        case room
        /// So is a third person, whom the caller has called into it.
        case three

        var roles: [Role] { self == .three ? Role.allCases : [.caller, .callee] }
        var isRoom: Bool { self == .room || self == .three }
    }
    enum Role: CaseIterable { case caller, callee, third }

    /// All that one device is told, in order, over all of its sockets.
    final class Device {
        var client: SignallingClient
        let media: NativeClient?
        let name: String
        /// What it was told since the cut.
        private(set) var told: [ServerFrame] = []

        init(_ name: String, _ client: SignallingClient, _ media: NativeClient?) {
            (self.name, self.client, self.media) = (name, client, media)
        }

        /// Reads on until something comes that `choose` takes, which may have been read already.
        func until<Value>(_ choose: (ServerMessage) -> Value?) throws -> Value {
            for frame in told { if let value = choose(frame.message) { return value } }
            while true {
                let frame = try client.next()
                told.append(frame)
                if let value = choose(frame.message) { return value }
            }
        }
        func untilCall<Value>(_ choose: (CallMessage) -> Value?) throws -> Value {
            try until { if case .call(let message) = $0 { choose(message) } else { nil } }
        }

        func ask(_ command: CallCommand) throws -> ServerMessage { try answer(to: client.command(.call(command))) }

        func answer(to id: CommandID) throws -> ServerMessage {
            while true {
                if let frame = told.last(where: { $0.re == id }) { return frame.message }
                told.append(try client.next())
            }
        }

        var calls: [CallMessage] {
            told.compactMap { if case .call(let message) = $0.message { message } else { nil } }
        }
        /// The candidates among it, by their texts.
        var candidates: [String] {
            calls.compactMap { if case .candidate(let told) = $0 { told.candidate } else { nil } }
        }
        func ends(of call: CallID) -> [CallMessage.Ended] {
            calls.compactMap { if case .ended(let told) = $0, told.call == call { told } else { nil } }
        }
        /// How many packets of media have come.
        var packets: Int { media?.received.withLock { $0.rtp.count } ?? 0 }
    }

    let stage: Stage
    let role: Role
    let seconds: Int64
    let isTold: Bool
    let port: Int
    private let host: NativeClient.Host
    private let name: String
    private(set) var devices: [Device] = []
    private var call = CallID("")
    /// The call that called the third person, where there is one.
    private var guest = CallID("")
    private var tokens: [String] = []
    /// The command that was under way at the cut.
    private var pending: (id: CommandID, command: CallCommand)?
    private var wasCutAt: Int64 = 0
    private var lastSeqAtCut: UInt64 = 0

    var due: Int64 { wasCutAt + seconds * 1_000_000_000 }
    var comment: Comment { "\(stage), the \(role) for \(seconds) s, \(isTold ? "told" : "not told")" }
    private var lost: Device { devices[role == .caller ? 0 : role == .callee ? 1 : 2] }
    private var others: [Device] { devices.filter { $0 !== lost } }
    /// The other of the two.
    private var other: Device { role == .caller ? devices[1] : devices[0] }
    /// The call that the device that is cut has a side of.
    private var own: CallID { role == .third ? guest : call }

    init(
        _ stage: Stage, _ role: Role, seconds: Int64, isTold: Bool, number: Int, server: Int, _ host: NativeClient.Host
    ) throws {
        (self.stage, self.role, self.seconds, self.isTold) = (stage, role, seconds, isTold)
        (port, self.host, name) = (server, host, "cut-\(number)")
    }

    func close() { for device in devices { device.media?.close() } }

    private func add(_ part: String) throws -> SignallingClient {
        let user = "\(name)-\(part)"
        guard stage.isRoom else {
            let client = try SignallingClient.forCalls(user, port: port, device: "\(user)-phone")
            devices.append(Device(user, client, nil))
            return client
        }
        let media = try NativeClient(
            host, port: port, user: user, token: TestServer.token(user) { $0.calls = true }, device: "\(user)-phone")
        devices.append(Device(user, media.signalling, media))
        return media.signalling
    }

    // MARK: Before

    /// Brings the call to its state.
    func prepare() throws {
        let (ada, budi) = (try add("ada"), try add("budi"))
        let invited = try ada.invite("\(name)-budi")
        (call, tokens) = (invited.call, [invited.token])
        #expect(try budi.incoming().call == call, comment)
        guard stage != .ringing else { return }
        tokens.append(try budi.accept(call).token)
        _ = try ada.accepted()
        guard stage != .connecting else { return }
        for client in [ada, budi] { #expect(try client.does(.connected(.init(call: call, path: .direct))), comment) }
        for client in [ada, budi] { _ = try client.next { if case .connected(let call) = $0 { call } else { nil } } }
        guard stage.isRoom else { return }
        if stage == .three {
            let carol = try add("carol")
            let answer = try ada.ask(
                .call(.invite(.init(to: "\(name)-carol", media: .audio, into: call))))
            guard case .call(.invited(let told)) = answer else { throw ProtocolError(.internal, "\(answer)") }
            guest = told.call
            _ = try carol.incoming()
            tokens.append(try carol.accept(guest).token)
        } else {
            #expect(try ada.does(.upgrade(call)), comment)
        }
        for device in devices { try device.media?.join(room: call.room) }
        for device in devices { #expect(device.media?.waitUntilConnected() == true, comment) }
        for (device, call) in zip(devices, [call, call, guest]) {
            #expect(try device.client.does(.connected(.init(call: call, path: .sfu))), comment)
        }
        if stage == .three { #expect(try ada.does(.connected(.init(call: guest, path: .sfu))), comment) }
    }

    /// The socket goes away, with a command under way.
    func cut() throws {
        // What was said before is nobody's business any more.
        for device in devices { device.client.acknowledge() }
        if stage == .upgrading {
            send(.upgrade(call))
        } else if stage != .ringing || role == .caller {
            send(.candidate(.init(call: own, candidate: "under way")))
        }
        lastSeqAtCut = lost.client.lastSeq
        wasCutAt = MonotonicClock.now
        if isTold { lost.client.socket.abort() }
    }

    private func send(_ command: CallCommand) { pending = (lost.client.command(.call(command)), command) }

    // MARK: Meanwhile

    private static let said = (1...5).map { "candidate:\($0)" }

    /// The others go on: what they say is for the device that is not there.
    func meanwhile() throws {
        if stage == .upgrading {
            _ = try other.untilCall { if case .upgraded(let told) = $0 { told } else { nil } }
        }
        if stage == .ringing, role == .caller {
            // After the short cuts the caller finds the call accepted.
            guard seconds < 30 else { return }
            guard case .call(.accepted) = try other.ask(.accept(.init(call: call, media: .audio))) else {
                return #expect(Bool(false), comment)
            }
        }
        let speaker = role == .third ? devices[0] : other
        for candidate in Self.said {
            #expect(try speaker.ask(.candidate(.init(call: own, candidate: candidate))) == .ok(.init()), comment)
        }
        guard stage.isRoom else { return }
        // Media outlives the socket, both ways.
        for (from, to) in [(other, lost), (lost, other)] {
            let before = to.packets
            var timestamp: UInt32 = 0
            let came = Deadline.wait(seconds: 10) {
                timestamp &+= 960
                from.media?.send(audio: true, timestamp: timestamp, payload: [UInt8](repeating: 7, count: 80))
                Pause.milliseconds(4)
                return to.packets > before
            }
            #expect(came, comment)
        }
    }

    // MARK: After

    /// The device is back: by resuming, where that can be.
    func comeBack() throws {
        do {
            lost.client = try SignallingClient(port: port, resuming: lost.client)
        } catch SignallingClient.Failure.refused(let error) {
            #expect(error.code == .resyncNeeded && seconds == 40, comment)
            return try comeBackLate()
        }
        #expect(seconds < 30, comment)
        // A client that has no answer sends its command again.
        if let pending {
            lost.client.send(ClientFrame(id: pending.id, ack: lost.client.lastSeq, .command(.call(pending.command))))
            #expect(try lost.answer(to: pending.id) == .ok(.init()), comment)
        }
        if stage == .ringing { try goOnRinging() }
        _ = try lost.untilCall {
            if case .candidate(let told) = $0, told.candidate == Self.said.last { told } else { nil }
        }
        if stage == .upgrading {
            let room = try lost.untilCall { if case .upgraded(let told) = $0 { told.room } else { nil } }
            #expect(room == call.room, comment)
        }
        if stage == .connecting || stage == .ringing {
            for device in devices {
                #expect(try device.ask(.connected(.init(call: call, path: .direct))) == .ok(.init()), comment)
            }
            for device in devices {
                _ = try device.untilCall { if case .connected(let call) = $0 { call } else { nil } }
            }
        }
        try end()
        for device in devices { try checkOnce(device) }
        #expect(lost.candidates == Self.said, comment)
        let heard = role == .third ? devices[0] : other
        let wasUnderWay = stage != .upgrading && pending != nil
        #expect(heard.candidates == (wasUnderWay ? ["under way"] : []), comment)
    }

    /// Whoever is called takes the call now, or finds that it was taken.
    private func goOnRinging() throws {
        if role == .callee {
            guard case .call(.accepted) = try lost.ask(.accept(.init(call: call, media: .audio))) else {
                return #expect(Bool(false), comment)
            }
        }
        _ = try devices[0].untilCall { if case .accepted(let told) = $0 { told } else { nil } }
    }

    /// Ends what there is, and everybody is told so.
    private func end() throws {
        if stage == .three {
            #expect(try devices[2].ask(.hangup(guest)) == .ok(.init()), comment)
            for device in [devices[0], devices[2]] {
                _ = try device.untilCall {
                    if case .ended(let told) = $0, told.call == self.guest { told } else { nil }
                }
            }
        }
        #expect(try other.ask(.hangup(call)) == .ok(.init()), comment)
        for device in devices.prefix(2) {
            _ = try device.untilCall { if case .ended(let told) = $0, told.call == self.call { told } else { nil } }
            #expect(device.ends(of: call).map(\.reason) == [.hungUp], comment)
        }
        try checkRecord(call, .hungUp)
    }

    /// Of each message there is one, in the order of the server's numbers.
    private func checkOnce(_ device: Device) throws {
        // An answer that was asked for again comes again, with the number that it had.
        var numbers: [UInt64] = []
        for frame in device.told {
            guard let seq = frame.seq else { continue }
            if frame.re != nil, numbers.contains(seq) { continue }
            numbers.append(seq)
        }
        let first = device === lost ? lastSeqAtCut + 1 : numbers.first ?? 0
        #expect(numbers == Array(first..<first + UInt64(numbers.count)), "\(comment): \(device.name)")
    }

    // MARK: Too late

    /// The session is over: a new one asks what became of the call.
    private func comeBackLate() throws {
        let user = lost.name
        lost.client = try SignallingClient.forCalls(user, port: port, device: "\(user)-phone")
        if stage == .ringing, role == .callee { return try ringAgain() }
        let index = role == .third ? 2 : role == .callee ? 1 : 0
        let answer = try lost.ask(.reattach(.init(call: own, token: tokens[index])))
        guard case .call(.ended(let end)) = answer else { return #expect(Bool(false), "\(comment): \(answer)") }
        // Who was to be connected within 30 seconds of the accepting may have failed that first.
        let side: CallSide = role == .caller ? .caller : .callee
        let isLost = end == .init(call: own, reason: .lost, by: side)
        let isFailed = end == .init(call: own, reason: .failed)
        #expect(isLost || (stage == .connecting && isFailed), "\(comment): \(end)")
        let partner = role == .third ? devices[0] : other
        _ = try partner.untilCall { if case .ended(let told) = $0, told.call == self.own { told } else { nil } }
        #expect(partner.ends(of: own) == [end], comment)
        try checkRecord(own, end.reason)
        if stage == .ringing {
            #expect(
                try partner.untilCall { if case .missed(let told) = $0 { told.call } else { nil } } == call, comment)
        }
        if stage.isRoom { try checkRoom() }
    }

    /// Whoever is called is told again, for the call rings longer than that.
    private func ringAgain() throws {
        let told = try lost.untilCall { if case .incoming(let told) = $0 { told } else { nil } }
        #expect(told.call == call && told.ringMilliseconds > 0, comment)
        guard case .call(.accepted) = try lost.ask(.accept(.init(call: call, media: .audio))) else {
            return #expect(Bool(false), comment)
        }
        _ = try devices[0].untilCall { if case .accepted(let told) = $0 { told } else { nil } }
        _ = try lost.untilCall {
            if case .candidate(let told) = $0, told.candidate == Self.said.last { told } else { nil }
        }
        #expect(lost.candidates == Self.said, comment)
        #expect(try other.ask(.hangup(call)) == .ok(.init()), comment)
        _ = try lost.untilCall { if case .ended(let told) = $0 { told } else { nil } }
    }

    /// The others of the room were told that somebody is gone, and what of the calls is left goes on.
    private func checkRoom() throws {
        for device in others {
            let left = try device.until {
                if case .participantLeft(let told) = $0 { told.participant } else { nil }
            }
            #expect(left == lost.media?.joined?.participant.id, "\(comment): \(device.name)")
        }
        guard stage == .three else { return }
        switch role {
        case .caller:
            // Both calls were the caller's.
            let end = try devices[2].untilCall { if case .ended(let told) = $0 { told } else { nil } }
            #expect(end == .init(call: guest, reason: .lost, by: .caller), comment)
            // The others talk on in the room, into which the caller may come back.
            guard case .joined(let joined) = try joinAnew() else { return #expect(Bool(false), comment) }
            #expect(joined.participants.count == 2, comment)
        case .callee:
            #expect(devices[2].ends(of: guest).isEmpty, comment)
            #expect(try devices[2].ask(.hangup(guest)) == .ok(.init()), comment)
        case .third:
            for device in devices.prefix(2) {
                let back = try device.untilCall { if case .returned(let told) = $0 { told } else { nil } }
                #expect(back == .init(call: call, offers: device === devices[0]), comment)
            }
            #expect(try devices[1].ask(.hangup(call)) == .ok(.init()), comment)
        }
    }

    private func joinAnew() throws -> ServerMessage {
        let offer = ClientCommand.Description(type: .offer, sdp: BadInputTests.offer())
        let id = lost.client.command(
            .join(.init(room: call.room, offer: offer, tracks: [.init(mid: "0", source: .microphone)])))
        return try lost.answer(to: id)
    }

    private func checkRecord(_ call: CallID, _ reason: CallEndReason) throws {
        let records = try ToldCalls(devices[0].name, port: port).calls.filter { $0.call == call.text }
        #expect(records.map(\.reason) == [reason.rawValue], comment)
    }
}
