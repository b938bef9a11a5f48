// What operators ask of users: what is kept of one, past calls, and that one be erased. Push tokens are nobody's to see.
import EventLoop
import Gateway
import Signalling
import Storage

extension AdminBody {
    struct User: Encodable {
        struct Device: Encodable {
            struct Push: Encodable {
                var service: String
                var application: String
                var sandbox: Bool
                var registeredMilliseconds: Int64
            }
            var device: String
            var label: String?
            var connected: Bool
            var registeredMilliseconds: Int64
            var seenMilliseconds: Int64
            var push: [Push]
        }
        var user: String
        var devices: [Device]
        var blocked: [String]
        var missed: [Missed]
        /// Calls that are not over.
        var calls: [String]
    }
    struct Missed: Encodable {
        var call: String
        var caller: String?
        var milliseconds: Int64
    }
    struct Calls: Encodable { var calls: [Call] }
    struct Call: Encodable {
        struct Leg: Encodable {
            var role: String
            var user: String?
            var device: String?
            var joinedMilliseconds: Int64?
            var leftMilliseconds: Int64?
            var rttMilliseconds: Double?
            var jitterMilliseconds: Double?
            var lossPercent: Double?
            var mos: Double?
        }
        var call: String
        var startedMilliseconds: Int64
        var endedMilliseconds: Int64
        var media: String
        var path: String?
        var room: String?
        var reason: String
        /// From placing it to the first ring, to the answer; from the answer to media.
        var ringingMilliseconds: Int64?
        var answeredMilliseconds: Int64?
        var connectedMilliseconds: Int64?
        var legs: [Leg]

        init(_ record: Storage.CallRecord) {
            call = record.call
            (startedMilliseconds, endedMilliseconds) = (record.startedAt, record.endedAt)
            (media, path, room, reason) = (record.media, record.path?.rawValue, record.room, record.endReason)
            ringingMilliseconds = record.ringingMilliseconds
            answeredMilliseconds = record.answeredMilliseconds
            connectedMilliseconds = record.connectedMilliseconds
            legs = record.legs.map {
                Leg(
                    role: $0.role.rawValue, user: $0.user, device: $0.device, joinedMilliseconds: $0.joinedAt,
                    leftMilliseconds: $0.leftAt, rttMilliseconds: $0.quality.roundTripMilliseconds,
                    jitterMilliseconds: $0.quality.jitterMilliseconds, lossPercent: $0.quality.loss.map { $0 * 100 },
                    mos: $0.quality.meanOpinionScore)
            }
        }
    }
    struct Erased: Encodable { var erased: String }
}

extension ControlPlane {
    /// Does what is asked of a user; the answer comes when the store has done it.
    func perform(
        _ id: RequestID, _ request: GatewayRequest, _ route: AdminRoute, on user: String
    ) throws(AdminError) {
        guard (1...ProtocolLimits.userBytes).contains(user.utf8.count) else {
            throw AdminError(400, "outOfRange", "A user's name has 1 to \(ProtocolLimits.userBytes) bytes.")
        }
        let limit = Int(try number("limit", 1...1_000, of: request) ?? 100)
        let before = try number("before", 0...UInt64(Int64.max), of: request).map { Int64($0) }
        let isErasure = request.method == .delete
        Task {
            do throws(StoreError) {
                let response: HTTPResponse
                if isErasure {
                    try await erase(user)
                    closeSessions(of: user)
                    response = AdminBody.response(200, AdminBody.Erased(erased: user))
                } else if case .userCalls = route {
                    let records = try await store.callRecords(of: user, startedBefore: before, count: limit)
                    response = AdminBody.response(200, AdminBody.Calls(calls: records.map { AdminBody.Call($0) }))
                } else {
                    response = AdminBody.response(200, try await details(ofUser: user))
                }
                respond(id, response)
            } catch {
                storeFailed("an operator's request", error)
                respond(id, AdminError(503, "databaseBusy", "\(error)").response)
            }
        }
    }

    private func details(ofUser user: String) async throws(StoreError) -> AdminBody.User {
        let devices = try await store.devices(of: user).map { device in
            AdminBody.User.Device(
                device: device.device, label: device.label, connected: isConnected(device.device, of: user),
                registeredMilliseconds: device.registeredAt, seenMilliseconds: device.seenAt,
                push: device.pushTokens.map {
                    .init(
                        service: $0.provider.rawValue, application: $0.application, sandbox: $0.isSandbox,
                        registeredMilliseconds: $0.registeredAt)
                })
        }
        let missed = try await store.missedCalls(of: user).map {
            AdminBody.Missed(call: $0.call, caller: $0.caller, milliseconds: $0.placedAt ?? $0.missedAt)
        }
        let active = calls.machine.calls.values.filter { $0.caller.user == user || $0.callee.user == user }
        return AdminBody.User(
            user: user, devices: devices, blocked: try await store.blockedUsers(of: user), missed: missed,
            calls: active.map(\.id.text).sorted())
    }
}
