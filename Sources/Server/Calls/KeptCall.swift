// A call as the store keeps it: between the machine's words and the store's, and between its clock and the time of day. Reads no
// clock; asks the store nothing.
import Signalling
import Storage
import Tokens

/// Both clocks, read at one moment.
struct ClockReading {
    /// Nanoseconds of the monotonic clock.
    let monotonic: Int64
    /// Nanoseconds since 1970.
    let wall: Int64

    /// The time of day of a moment of the machine's, in Unix milliseconds.
    func milliseconds(_ time: SessionTime) -> Int64 { (wall &- monotonic &+ time.nanoseconds) / 1_000_000 }

    /// The moment of the machine's at a time of day; before the clock's beginning where it was before the machine started.
    func time(_ milliseconds: Int64) -> SessionTime {
        let (nanoseconds, isFar) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        return SessionTime(nanoseconds: isFar ? 0 : nanoseconds &- wall &+ monotonic)
    }
}

/// The devices of a call's two sides, by the names that they keep.
struct SideDevices: Hashable {
    var caller: String?
    var callee: String?
}

/// What the store's active calls hold as their state, in JSON: everything but the secrets.
struct KeptCall: Codable {
    struct Side: Codable {
        var user: String
        var name: String?
        var device: String?
        var media: CallMedia?
        var path: Signalling.CallPath?
        var quality: CallQualitySummary
        var holds: Bool?

        init(_ party: Signalling.CallRecord.Party, device: String?) {
            (user, name, media, path) = (party.user, party.name, party.media, party.path)
            (self.device, quality, holds) = (device, party.quality, party.isHolding ? true : nil)
        }

        var party: Signalling.CallRecord.Party {
            .init(
                user: user, name: name, media: media, path: path, token: "", quality: quality,
                isHolding: holds ?? false)
        }
    }

    var state: CallState
    var mode: CallMode
    var host: String?
    var forOthers: Bool?
    var relayOnly: Bool
    var blocked: Bool
    var caller: Side
    var callee: Side
    var placed: Int64
    var rang: Int64?
    var accepted: Int64?
    var connected: Int64?

    init(_ record: Signalling.CallRecord, devices: SideDevices, clocks: ClockReading) {
        (state, mode, relayOnly, blocked) = (record.state, record.mode, record.isRelayOnly, record.isBlocked)
        (host, forOthers) = (record.host?.text, record.isInRoomForOthers ? true : nil)
        caller = Side(record.caller, device: devices.caller)
        callee = Side(record.callee, device: devices.callee)
        placed = clocks.milliseconds(record.times.placed)
        rang = record.times.rang.map(clocks.milliseconds)
        accepted = record.times.accepted.map(clocks.milliseconds)
        connected = record.times.connected.map(clocks.milliseconds)
    }

    /// The machine's record of a call that another run of the server kept. Its tokens are the store's.
    func record(_ call: CallID, clocks: ClockReading) -> Signalling.CallRecord {
        var times = CallTimes(placed: clocks.time(placed))
        times.rang = rang.map(clocks.time)
        times.accepted = accepted.map(clocks.time)
        times.connected = connected.map(clocks.time)
        return Signalling.CallRecord(
            call: call, state: state, end: nil, caller: caller.party, callee: callee.party, mode: mode,
            host: host.map { CallID($0) }, isInRoomForOthers: forOthers ?? false, isRelayOnly: relayOnly,
            isBlocked: blocked, times: times)
    }

    var devices: SideDevices { SideDevices(caller: caller.device, callee: callee.device) }

    /// The state's bytes, or nil where JSON cannot say them.
    var bytes: [UInt8]? { TokenJSON.encode(self) }

    /// Reads a state; nil where it is none.
    init?(bytes: [UInt8]) {
        guard let kept = TokenJSON.decode(KeptCall.self, from: bytes) else { return nil }
        self = kept
    }
}

extension Storage.CallRecord {
    /// The record of a call that is over.
    init(_ record: Signalling.CallRecord, end: CallMessage.Ended, devices: SideDevices, clocks: ClockReading) {
        let times = record.times
        let ended = times.ended.map(clocks.milliseconds) ?? clocks.wall / 1_000_000
        func since(_ start: SessionTime, _ time: SessionTime?) -> Int64? {
            time.map { ($0.nanoseconds &- start.nanoseconds) / 1_000_000 }
        }
        func leg(_ party: Signalling.CallRecord.Party, _ role: Storage.CallLeg.Role, _ device: String?)
            -> Storage.CallLeg
        {
            Storage.CallLeg(
                role: role, user: party.user, device: device, joinedAt: times.connected.map(clocks.milliseconds),
                leftAt: times.connected == nil ? nil : ended, quality: CallQuality(party.quality))
        }
        let path = record.mode == .sfu ? .sfu : record.caller.path ?? record.callee.path
        self.init(
            call: record.call.text, startedAt: clocks.milliseconds(times.placed), endedAt: ended,
            media: (record.caller.media ?? .audio).rawValue,
            path: times.connected == nil ? nil : path.flatMap { Storage.CallPath(rawValue: $0.rawValue) },
            room: record.mode == .sfu && times.accepted != nil ? record.call.room : nil,
            endReason: end.reason.rawValue, ringingMilliseconds: since(times.placed, times.rang),
            answeredMilliseconds: since(times.placed, times.accepted),
            connectedMilliseconds: times.accepted.flatMap { since($0, times.connected) },
            legs: [
                leg(record.caller, .caller, devices.caller), leg(record.callee, .callee, devices.callee),
            ])
    }
}

extension CallQuality {
    /// The means of one side's reports.
    init(_ summary: CallQualitySummary) {
        self.init(
            roundTripMilliseconds: summary.meanRTTMilliseconds, jitterMilliseconds: summary.meanJitterMilliseconds,
            loss: summary.reports == 0 ? nil : summary.meanLossPercent / 100, meanOpinionScore: summary.meanMOS)
    }
}

extension Storage.MissedCall {
    /// A call that was not answered, missed when it ended.
    init(_ missed: Signalling.MissedCall, endedAt: Int64, clocks: ClockReading) {
        self.init(
            user: missed.user, call: missed.call.text, caller: missed.from.id,
            callerName: missed.from.name.flatMap { KeptNames.fits($0, StoreLimits.labelBytes) ? $0 : nil },
            media: missed.media.rawValue, placedAt: clocks.milliseconds(missed.placed), missedAt: endedAt)
    }

    /// As it is told. Of a caller who was erased since nothing is: the name is empty.
    var message: CallMessage.Missed {
        .init(
            call: CallID(call), from: ServerMessage.User(id: caller ?? "", name: callerName),
            media: CallMedia(rawValue: media) ?? .audio, placedMilliseconds: placedAt ?? missedAt)
    }
}

/// Names that came from outside, before they are kept.
enum KeptNames {
    /// What a device is called that gave no name, or one that cannot be kept.
    static let unnamed = "unnamed"

    static func fits(_ text: String, _ bytes: Int) -> Bool {
        !text.isEmpty && text.utf8.count <= bytes && !text.utf8.contains(0)
    }
}
