// The machine of calls with people whose devices it knows, and the few words that its tests say often.
import Testing

@testable import Signalling

final class CallScene {
    var machine: CallMachine
    var now = SessionTime(nanoseconds: 1_000_000_000)
    var actions: [CallAction] = []
    private var given = 0
    /// The name that the next call gets; else "c1", "c2" and so on.
    var nextID: String?

    init(_ change: (inout CallOptions) -> Void = { _ in }) {
        var options = CallOptions()
        change(&options)
        machine = CallMachine(options: options)
    }

    /// Connects devices of a user, by their numbers.
    @discardableResult
    func connect(_ user: String, _ numbers: UInt64..., waiting: Bool = false) -> Bool {
        numbers.allSatisfy { number in
            machine.connect(
                CallDeviceID(number), of: user, name: user.prefix(1).uppercased() + user.dropFirst(),
                offersWaiting: waiting, at: now, into: &actions)
        }
    }

    /// What a device is answered; what was done before is forgotten.
    @discardableResult
    func ask(
        _ number: UInt64, _ command: CallCommand, isKnown: Bool = false, isBlocked: Bool = false
    ) throws -> ServerMessage {
        actions = []
        given += 1
        let id = nextID ?? "c\(given)"
        nextID = nil
        return try machine.perform(
            command, by: CallDeviceID(number),
            given: CallGiven(id: CallID(id), token: "token of \(id)", isKnown: isKnown, isBlocked: isBlocked), at: now,
            into: &actions)
    }

    /// The error that a device is answered, and that nothing was done.
    func refusal(
        _ number: UInt64, _ command: CallCommand, isKnown: Bool = false, _ location: SourceLocation = #_sourceLocation
    ) -> ProtocolError? {
        do {
            let answer = try ask(number, command, isKnown: isKnown)
            Issue.record("\(answer)", sourceLocation: location)
            return nil
        } catch {
            #expect(actions.isEmpty, sourceLocation: location)
            return error as? ProtocolError
        }
    }

    /// Places a call and gives its name.
    @discardableResult
    func invite(
        _ number: UInt64, _ user: String, media: CallMedia = .audio, mode: CallMode? = nil, relayOnly: Bool? = nil,
        into: CallID? = nil, isKnown: Bool = false, isBlocked: Bool = false
    ) throws -> CallID {
        let answer = try ask(
            number, .invite(.init(to: user, media: media, mode: mode, relayOnly: relayOnly, into: into)),
            isKnown: isKnown, isBlocked: isBlocked)
        guard case .call(.invited(let told)) = answer else { throw ProtocolError(.internal, "\(answer)") }
        return told.call
    }

    @discardableResult
    func accept(
        _ number: UInt64, _ call: CallID, media: CallMedia = .audio, relayOnly: Bool? = nil
    ) throws -> CallMessage.Accepted {
        let answer = try ask(number, .accept(.init(call: call, media: media, relayOnly: relayOnly)))
        guard case .call(.accepted(let told)) = answer else { throw ProtocolError(.internal, "\(answer)") }
        return told
    }

    /// A call between two devices that has media.
    func activeCall(_ caller: UInt64, _ callee: UInt64, _ user: String) throws -> CallID {
        let call = try invite(caller, user)
        try accept(callee, call)
        for number in [caller, callee] { try ask(number, .connected(.init(call: call, path: .direct))) }
        return call
    }

    func wait(milliseconds: Int64) {
        actions = []
        now = now.adding(milliseconds: milliseconds)
        machine.advance(to: now, into: &actions)
    }

    func loseSocket(_ number: UInt64) { machine.socketLost(CallDeviceID(number), at: now) }
    func findSocket(_ number: UInt64) { machine.socketFound(CallDeviceID(number), at: now, into: &actions) }
    func disconnect(_ number: UInt64) {
        actions = []
        machine.disconnect(CallDeviceID(number), at: now, into: &actions)
    }

    /// What a device was told by the last thing done.
    func told(_ number: UInt64) -> [CallMessage] {
        actions.compactMap {
            if case .tell(let message, let id) = $0, id.number == number { message } else { nil }
        }
    }

    /// How a device was told that a call is over.
    func end(_ number: UInt64) -> CallMessage.Ended? {
        for message in told(number) { if case .ended(let end) = message { return end } }
        return nil
    }

    var missed: [MissedCall] { actions.compactMap { if case .missed(let missed) = $0 { missed } else { nil } } }
    var records: [CallRecord] { actions.compactMap { if case .record(let record) = $0 { record } else { nil } } }
    var woken: [String] { actions.compactMap { if case .wake(let user, _) = $0 { user } else { nil } } }

    /// Ada on the devices 1 and 2, Budi on 3 and 4.
    static func two(_ change: (inout CallOptions) -> Void = { _ in }) -> CallScene {
        let scene = CallScene(change)
        scene.connect("ada", 1, 2)
        scene.connect("budi", 3, 4)
        return scene
    }
}
