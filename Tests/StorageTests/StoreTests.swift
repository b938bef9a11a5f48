// What the store keeps and answers, table by table.
import Storage
import Testing

struct DeviceTests {
    let folder = TemporaryFolder()

    @Test func devicesAndTheirTokensAreKeptOverARestart() async throws {
        let store = try Store(path: folder.file("db"))
        try await store.registerDevice("phone", of: "ada", label: "Ada's phone", at: 10)
        try await store.registerDevice("phone", of: "ada", at: 20)
        try await store.registerDevice("tablet", of: "ada", at: 30)
        let token = StoredPushToken(provider: .apns, token: "t1", application: "org.example.app", registeredAt: 20)
        try await store.setPushToken(token, of: "ada", device: "phone")
        store.close()

        let again = try Store(path: folder.file("db"))
        let devices = try await again.devices(of: "ada")
        #expect(
            devices == [
                StoredDevice(
                    device: "phone", label: "Ada's phone", registeredAt: 10, seenAt: 20, pushTokens: [token]),
                StoredDevice(device: "tablet", registeredAt: 30, seenAt: 30),
            ])
        #expect(try await again.devices(of: "bob").isEmpty)
    }

    @Test func aTokenBelongsToTheDeviceThatRegisteredItLast() async throws {
        let store = try Store(path: folder.file("db"))
        try await store.registerDevice("phone", of: "ada", at: 1)
        try await store.registerDevice("phone", of: "bob", at: 1)
        let token = StoredPushToken(provider: .fcm, token: "same", application: "project", registeredAt: 1)
        try await store.setPushToken(token, of: "ada", device: "phone")
        try await store.setPushToken(token, of: "bob", device: "phone")
        #expect(try await store.devices(of: "ada").first?.pushTokens == [])
        #expect(try await store.devices(of: "bob").first?.pushTokens == [token])
    }

    @Test func aTokenRenewedSinceTheProvidersWordStays() async throws {
        let store = try Store(path: folder.file("db"))
        try await store.registerDevice("phone", of: "ada", at: 1)
        let token = StoredPushToken(provider: .apns, token: "t", application: "app", registeredAt: 100)
        try await store.setPushToken(token, of: "ada", device: "phone")
        #expect(try await store.removePushToken(.apns, "t", registeredBefore: 100) == false)
        #expect(try await store.removePushToken(.fcm, "t") == false)
        #expect(try await store.removePushToken(.apns, "t", registeredBefore: 101) == true)
        #expect(try await store.devices(of: "ada").first?.pushTokens == [])
    }

    @Test func aTokenNeedsADeviceAndGoesWithIt() async throws {
        let store = try Store(path: folder.file("db"))
        let token = StoredPushToken(provider: .apns, token: "t", application: "app", registeredAt: 1)
        await #expect(throws: StoreError.missing(what: "device")) {
            try await store.setPushToken(token, of: "ada", device: "phone")
        }
        try await store.registerDevice("phone", of: "ada", at: 1)
        try await store.setPushToken(token, of: "ada", device: "phone")
        #expect(try await store.removeDevice("phone", of: "ada"))
        #expect(try await store.removePushToken(.apns, "t") == false)
    }

    @Test func thereAreAsManyDevicesAndTokensAsThereMayBe() async throws {
        let store = try Store(path: folder.file("db"))
        for number in 0..<StoreLimits.devicesPerUser { try await store.registerDevice("d\(number)", of: "ada", at: 1) }
        await #expect(throws: StoreError.tooMany(what: "devices", limit: StoreLimits.devicesPerUser)) {
            try await store.registerDevice("more", of: "ada", at: 1)
        }
        // One that is known is none more.
        try await store.registerDevice("d0", of: "ada", at: 2)
        for number in 0...StoreLimits.pushTokensPerDevice {
            let token = StoredPushToken(provider: .fcm, token: "t\(number)", application: "app", registeredAt: 1)
            do throws(StoreError) {
                try await store.setPushToken(token, of: "ada", device: "d0")
                #expect(number < StoreLimits.pushTokensPerDevice)
            } catch {
                #expect(error == .tooMany(what: "push tokens", limit: StoreLimits.pushTokensPerDevice))
                #expect(number == StoreLimits.pushTokensPerDevice)
            }
        }
    }
}

struct CallStateTests {
    let folder = TemporaryFolder()

    @Test func blockedIsWhoWasBlockedAndNotTheOtherWayRound() async throws {
        let store = try Store(path: folder.file("db"))
        try await store.block("mallory", for: "ada", at: 1)
        try await store.block("mallory", for: "ada", at: 2)
        #expect(try await store.isBlocked("mallory", by: "ada"))
        #expect(try await store.isBlocked("ada", by: "mallory") == false)
        #expect(try await store.blockedUsers(of: "ada") == ["mallory"])
        #expect(try await store.unblock("mallory", for: "ada"))
        #expect(try await store.unblock("mallory", for: "ada") == false)
        #expect(try await store.isBlocked("mallory", by: "ada") == false)
        await #expect(throws: StoreError.malformed(field: "blocked user")) {
            try await store.block("ada", for: "ada", at: 1)
        }
    }

    @Test func aDeviceAttachesAgainWithItsOwnTokenOnly() async throws {
        let store = try Store(path: folder.file("db"))
        let call = ActiveCall(call: "c1", startedAt: 5, state: [1, 2, 3])
        let ada = ActiveCallDevice(user: "ada", device: "phone", reattachToken: Array("a secret of ada".utf8))
        let bob = ActiveCallDevice(user: "bob", device: "phone", reattachToken: Array("a secret of bob".utf8))
        try await store.saveActiveCall(call, devices: [ada, bob], at: 5)
        store.close()

        let again = try Store(path: folder.file("db"))
        #expect(try await again.activeCalls() == [call])
        func attach(_ call: String, _ user: String, _ device: String, _ token: [UInt8]?) async throws -> ActiveCall? {
            try await again.activeCall(call, reattaching: device, of: user, token: token ?? [])
        }
        #expect(try await attach("c1", "ada", "phone", ada.reattachToken) == call)
        #expect(try await attach("c1", "bob", "phone", bob.reattachToken) == call)
        #expect(try await attach("c1", "ada", "phone", bob.reattachToken) == nil)
        #expect(try await attach("c1", "ada", "tablet", ada.reattachToken) == nil)
        #expect(try await attach("c2", "ada", "phone", ada.reattachToken) == nil)
        #expect(try await attach("c1", "ada", "phone", []) == nil)
        // The token itself is nowhere in the files, and its hash is.
        #expect(folder.contains("a secret of", inFilesOf: "db") == false)

        let changed = ActiveCall(call: "c1", startedAt: 5, state: [])
        try await again.saveActiveCall(changed, devices: [bob], at: 9)
        #expect(try await attach("c1", "ada", "phone", ada.reattachToken) == nil)
        #expect(try await attach("c1", "bob", "phone", bob.reattachToken) == changed)

        // Who saves the call without knowing the token leaves it as it is, and makes none where there is none.
        let unknown = ["ada", "bob"].map { ActiveCallDevice(user: $0, device: "phone", reattachToken: nil) }
        try await again.saveActiveCall(call, devices: unknown, at: 10)
        #expect(try await attach("c1", "bob", "phone", bob.reattachToken) == call)
        #expect(try await attach("c1", "ada", "phone", ada.reattachToken) == nil)
    }

    @Test func whoIsKnownHasADevice() async throws {
        let store = try Store(path: folder.file("db"))
        try await store.block("mallory", for: "ada", at: 1)
        var standing = try await store.standing(of: "ada")
        #expect(!standing.isKnown && standing.blocked == ["mallory"])
        try await store.registerDevice("phone", of: "ada", at: 1)
        standing = try await store.standing(of: "ada")
        #expect(standing.isKnown)
        #expect(try await store.standing(of: "nobody").isKnown == false)
    }

    @Test func aMissedCallIsKeptWithItsCallersNameAndItsTime() async throws {
        let store = try Store(path: folder.file("db"))
        let missed = MissedCall(
            user: "bob", call: "c1", caller: "ada", callerName: "Ada", media: "audio", placedAt: 3, missedAt: 9)
        #expect(try await store.addMissedCall(missed))
        #expect(try await store.missedCalls(of: "bob") == [missed])
        try await store.eraseUser("ada")
        #expect(try await store.missedCalls(of: "bob").first?.callerName == nil)
    }

    @Test func theEndOfACallIsWrittenInOnePiece() async throws {
        let store = try Store(path: folder.file("db"))
        let call = ActiveCall(call: "c1", startedAt: 5, state: [])
        try await store.saveActiveCall(call, devices: [], at: 5)
        let record = CallRecord(
            call: "c1", startedAt: 5, endedAt: 9, media: "audio", endReason: "timeout",
            legs: [CallLeg(role: .caller, user: "ada"), CallLeg(role: .callee, user: "bob")])
        let missed = MissedCall(user: "bob", call: "c1", caller: "ada", media: "audio", missedAt: 9)
        #expect(try await store.endActiveCall("c1", record: record, missed: [missed]))
        #expect(try await store.endActiveCall("c1", record: record, missed: [missed]) == false)
        #expect(try await store.activeCalls().isEmpty)
        #expect(try await store.callRecord("c1") == record)
        #expect(try await store.missedCalls(of: "bob") == [missed])
    }

    @Test func aMissedCallIsToldUntilItIsAcknowledgedAndNeverTwice() async throws {
        let store = try Store(path: folder.file("db"))
        let first = MissedCall(user: "bob", call: "c1", caller: "ada", media: "audio", missedAt: 1)
        let second = MissedCall(user: "bob", call: "c2", caller: "ada", media: "video", missedAt: 2)
        #expect(try await store.addMissedCall(first))
        #expect(try await store.addMissedCall(second))
        #expect(try await store.addMissedCall(first) == false)
        #expect(try await store.missedCalls(of: "bob") == [first, second])
        #expect(try await store.missedCalls(of: "bob") == [first, second])
        #expect(try await store.acknowledgeMissedCalls(["c1", "unknown"], of: "bob", at: 3) == 1)
        #expect(try await store.acknowledgeMissedCalls(["c2"], of: "ada", at: 3) == 0)
        #expect(try await store.missedCalls(of: "bob") == [second])
        // A doubled report after the acknowledgement does not bring it back.
        #expect(try await store.addMissedCall(first) == false)
        #expect(try await store.missedCalls(of: "bob") == [second])
    }

    @Test func beyondTheLimitTheOldestMissedCallGoes() async throws {
        let store = try Store(path: folder.file("db"))
        let limit = StoreLimits.missedCallsPerUser
        await withTaskGroup { group in
            for number in 0...limit {
                let missed = MissedCall(
                    user: "bob", call: "c\(number)", caller: "ada", media: "audio", missedAt: Int64(number))
                group.addTask { _ = try? await store.addMissedCall(missed) }
            }
        }
        let waiting = try await store.missedCalls(of: "bob")
        #expect(waiting.count == limit)
        #expect(Set(waiting.map(\.call)).count == limit)
    }

    @Test func recordsAreAnsweredWholeAndTheNewestFirst() async throws {
        let store = try Store(path: folder.file("db"))
        let quality = CallQuality(
            roundTripMilliseconds: 31.5, jitterMilliseconds: 2.25, loss: 0.01, meanOpinionScore: 4.2)
        var records: [CallRecord] = []
        for number in 0..<5 {
            let record = CallRecord(
                call: "c\(number)", startedAt: Int64(number * 10), endedAt: Int64(number * 10 + 5), media: "video",
                path: CallPath.allCases[number % 3], room: number == 4 ? "room" : nil, endReason: "hangup",
                ringingMilliseconds: 100, answeredMilliseconds: 2_000, connectedMilliseconds: 300,
                legs: [
                    CallLeg(role: .caller, user: "ada", device: "phone", joinedAt: 1, leftAt: 5, quality: quality),
                    CallLeg(role: .callee, user: "bob"),
                    CallLeg(role: .added, user: "cleo", device: "tablet"),
                ])
            #expect(try await store.addCallRecord(record))
            #expect(try await store.addCallRecord(record) == false)
            records.append(record)
        }
        #expect(try await store.callRecords(of: "ada") == records.reversed())
        #expect(try await store.callRecords(of: "bob", startedBefore: 40, count: 2) == [records[3], records[2]])
        #expect(try await store.callRecords(of: "nobody").isEmpty)
        #expect(try await store.callRecord("c9") == nil)
        #expect(try await store.removeHistory(before: 25) == 2)
        #expect(try await store.callRecords(of: "cleo") == [records[4], records[3], records[2]])
    }
}

struct LimitTests {
    let folder = TemporaryFolder()

    @Test func everyFieldHasALimit() async throws {
        let store = try Store(path: folder.file("db"))
        let long = String(repeating: "x", count: 100_000)
        func isRefused(_ body: () async throws -> Void) async -> Bool {
            do {
                try await body()
            } catch let error as StoreError {
                if case .tooLong = error { return true }
            } catch {}
            return false
        }
        #expect(await isRefused { try await store.registerDevice("d", of: long, at: 1) })
        #expect(await isRefused { try await store.registerDevice(long, of: "u", at: 1) })
        #expect(await isRefused { try await store.registerDevice("d", of: "u", label: long, at: 1) })
        for token in [("t", long), (long, "app")] {
            let token = StoredPushToken(provider: .fcm, token: token.0, application: token.1, registeredAt: 1)
            #expect(await isRefused { try await store.setPushToken(token, of: "u", device: "d") })
        }
        #expect(await isRefused { try await store.block(long, for: "u", at: 1) })
        for missed in [(long, "c", "a", "m"), ("u", long, "a", "m"), ("u", "c", long, "m"), ("u", "c", "a", long)] {
            let missed = MissedCall(
                user: missed.0, call: missed.1, caller: missed.2, media: missed.3, missedAt: 1)
            #expect(await isRefused { try await store.addMissedCall(missed) })
        }
        let state = [UInt8](repeating: 0, count: StoreLimits.callStateBytes + 1)
        #expect(
            await isRefused {
                try await store.saveActiveCall(
                    ActiveCall(call: "c", startedAt: 1, state: state), devices: [], at: 1)
            })
        let device = ActiveCallDevice(user: "u", device: "d", reattachToken: Array(long.utf8))
        #expect(
            await isRefused {
                try await store.saveActiveCall(
                    ActiveCall(call: "c", startedAt: 1, state: []), devices: [device], at: 1)
            })
        var record = CallRecord(call: "c", startedAt: 1, endedAt: 1, media: "audio", endReason: long, legs: [])
        #expect(await isRefused { try await store.addCallRecord(record) })
        record.endReason = "hangup"
        record.room = long
        #expect(await isRefused { try await store.addCallRecord(record) })
        record.room = nil
        record.legs = [CallLeg(role: .caller, user: "u", device: long)]
        #expect(await isRefused { try await store.addCallRecord(record) })
        #expect(try await store.callRecord("c") == nil)
    }

    @Test func whatIsEmptyOrNoNumberIsRefused() async throws {
        let store = try Store(path: folder.file("db"))
        await #expect(throws: StoreError.malformed(field: "user")) { try await store.devices(of: "") }
        await #expect(throws: StoreError.malformed(field: "user")) { try await store.devices(of: "a\0b") }
        for quality in [
            CallQuality(loss: .nan), CallQuality(loss: 1.1), CallQuality(meanOpinionScore: 0),
            CallQuality(roundTripMilliseconds: -.infinity), CallQuality(jitterMilliseconds: -1),
        ] {
            let record = CallRecord(
                call: "c", startedAt: 1, endedAt: 1, media: "audio", endReason: "hangup",
                legs: [CallLeg(role: .caller, user: "u", quality: quality)])
            await #expect(throws: StoreError.self) { try await store.addCallRecord(record) }
        }
        let name = "Zoë 🦓 'quoted'; DROP TABLE devices"
        try await store.registerDevice("d", of: name, at: 1)
        #expect(try await store.devices(of: name).count == 1)
    }
}
