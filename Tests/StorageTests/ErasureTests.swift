// What is left of a user who was erased: nothing of theirs, and nothing that names them.
import Storage
import Testing

struct ErasureTests {
    let folder = TemporaryFolder()
    let erased = "erased-user-with-a-name-to-look-for"
    let device = "erased-device-to-look-for"

    private func fill(_ store: Store) async throws {
        for user in [erased, "other"] {
            let device = user == erased ? device : "phone"
            try await store.registerDevice(device, of: user, label: "label of \(user)", at: 1)
            let token = StoredPushToken(
                provider: .apns, token: "token of \(user)", application: "app", registeredAt: 1)
            try await store.setPushToken(token, of: user, device: device)
            try await store.block("mallory", for: user, at: 1)
        }
        try await store.block(erased, for: "other", at: 1)
        try await store.block("other", for: erased, at: 1)
        let secret: [UInt8] = Array("secret".utf8)
        try await store.saveActiveCall(
            ActiveCall(call: "with", startedAt: 1, state: Array("state naming \(erased)".utf8)),
            devices: [
                ActiveCallDevice(user: erased, device: device, reattachToken: secret),
                ActiveCallDevice(user: "other", device: "phone", reattachToken: secret),
            ], at: 1)
        try await store.saveActiveCall(
            ActiveCall(call: "without", startedAt: 1, state: []),
            devices: [ActiveCallDevice(user: "other", device: "phone", reattachToken: secret)], at: 1)
        for (call, caller, callee) in [("r1", erased, "other"), ("r2", "other", erased), ("r3", "other", "third")] {
            try await store.addMissedCall(
                MissedCall(user: callee, call: call, caller: caller, media: "audio", missedAt: 1))
            try await store.addCallRecord(
                CallRecord(
                    call: call, startedAt: 1, endedAt: 2, media: "audio", path: .relayed, endReason: "timeout",
                    legs: [(CallLeg.Role.caller, caller), (.callee, callee)].map { role, user in
                        CallLeg(
                            role: role, user: user, device: user == erased ? device : "phone", joinedAt: 1, leftAt: 2,
                            quality: CallQuality(meanOpinionScore: 4))
                    }))
        }
        try await store.addCallRecord(
            CallRecord(
                call: "alone", startedAt: 1, endedAt: 2, media: "audio", endReason: "cancelled",
                legs: [CallLeg(role: .caller, user: erased)]))
    }

    @Test func nothingOfAnErasedUserIsLeftAndOthersKeepTheirs() async throws {
        let store = try Store(path: folder.file("db"))
        try await fill(store)
        #expect(folder.contains(erased, inFilesOf: "db"))
        try await store.eraseUser(erased)
        // In the file and its log, while the store is open, and after it was closed.
        #expect(folder.contains(erased, inFilesOf: "db") == false)
        #expect(folder.contains(device, inFilesOf: "db") == false)

        #expect(try await store.devices(of: erased).isEmpty)
        #expect(try await store.blockedUsers(of: erased).isEmpty)
        #expect(try await store.missedCalls(of: erased).isEmpty)
        #expect(try await store.callRecords(of: erased).isEmpty)
        #expect(try await store.callRecord("alone") == nil)
        #expect(try await store.activeCalls().map(\.call) == ["without"])

        #expect(try await store.devices(of: "other").first?.pushTokens.count == 1)
        #expect(try await store.blockedUsers(of: "other") == ["mallory"])
        let missed = MissedCall(user: "other", call: "r1", caller: nil, media: "audio", missedAt: 1)
        #expect(try await store.missedCalls(of: "other") == [missed])
        #expect(try await store.missedCalls(of: "third").first?.caller == "other")
        let records = try await store.callRecords(of: "other")
        #expect(records.map(\.call) == ["r3", "r2", "r1"])
        #expect(records.last?.legs.first == CallLeg(role: .caller, user: nil))
        #expect(records.last?.legs.last?.quality.meanOpinionScore == 4)
        store.close()
        #expect(folder.contains(erased, inFilesOf: "db") == false)
    }

    @Test func erasingSomebodyTwiceOrNobodyIsNothing() async throws {
        let store = try Store(path: folder.file("db"))
        try await fill(store)
        try await store.eraseUser(erased)
        let before = try await store.callRecords(of: "other")
        try await store.eraseUser(erased)
        try await store.eraseUser("nobody")
        #expect(try await store.callRecords(of: "other") == before)
    }

    @Test func anErasureThatCannotEmptyTheLogSaysSo() async throws {
        let store = try Store(path: folder.file("db"), configuration: StoreConfiguration(busyMilliseconds: 50))
        try await fill(store)
        let reader = PlainSQLite(folder.file("db"))
        #expect(reader.execute("BEGIN; SELECT count(*) FROM devices"))
        await #expect(throws: StoreError.busy) { try await store.eraseUser(erased) }
        #expect(try await store.devices(of: erased).isEmpty)
        #expect(reader.execute("COMMIT"))
        try await store.eraseUser(erased)
        #expect(folder.contains(erased, inFilesOf: "db") == false)
    }
}
