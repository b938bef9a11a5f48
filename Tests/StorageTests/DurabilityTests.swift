// The file: made, migrated, refused, shared, backed up; the queue and the commits.
import Glibc
import TestSupport
import Testing
import WholeServers

@testable import Storage

struct FileTests {
    let folder = TemporaryFolder()
    static let fixtures = ExternalCaptures.packageRoot + "/Tests/StorageTests/Fixtures"

    @Test func theFileIsItsOwnersAndSaysWhatItIs() async throws {
        let store = try Store(path: folder.file("db"))
        try await store.registerDevice("d", of: "u", at: 1)
        for name in ["db", "db-wal", "db-shm"] {
            var status = stat()
            #expect(stat(folder.file(name), &status) == 0)
            #expect(status.st_mode & 0o777 == 0o600, "\(name)")
        }
        let plain = PlainSQLite(folder.file("db"))
        #expect(plain.column("PRAGMA application_id") == ["\(Schema.applicationID)"])
        #expect(plain.column("PRAGMA journal_mode") == ["wal"])
        // Every table is strict: a text is no number.
        #expect(plain.execute("INSERT INTO devices VALUES ('u', 'e', NULL, 'yesterday', 1)") == false)
        let lax = plain.column(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict = 0 AND name NOT LIKE 'sqlite%'")
        #expect(lax == [])
    }

    @Test func theConnectionIsAsCarefulAsItSays() throws {
        let connection = try Connection(path: folder.file("db"), busyMilliseconds: 1)
        try Schema.prepare(connection, migrations: Schema.migrations)
        // 2 is FULL: every commit waits for the disk.
        let settings: [(String, Int64)] = [
            ("synchronous", 2), ("foreign_keys", 1), ("secure_delete", 1), ("trusted_schema", 0),
        ]
        for (name, wanted) in settings { #expect(try connection.number("PRAGMA \(name)") == wanted, "\(name)") }
    }

    /// The file of version 1, as its statements are in the tree, comes to the newest version with everything in it, and to
    /// the very tables that a new file has.
    @Test func aFileOfVersionOneIsBroughtToTheNewest() async throws {
        let script = try #require(FileBytes.read(Self.fixtures + "/version-1.sql"))
        let old = PlainSQLite(folder.file("old"))
        #expect(old.execute(String(decoding: script, as: UTF8.self)))
        #expect(old.column("PRAGMA user_version") == ["1"])

        let store = try Store(path: folder.file("old"))
        #expect(try await store.devices(of: "ada").first?.pushTokens.first?.token == "token-1")
        #expect(try await store.isBlocked("mallory", by: "ada"))
        #expect(try await store.activeCalls().map(\.call) == ["call-1"])
        let again = try await store.activeCall(
            "call-1", reattaching: "phone", of: "ada", token: Array("reattach".utf8))
        #expect(again?.state == Array("state".utf8))
        #expect(try await store.missedCalls(of: "ada").map(\.call) == ["call-2"])
        let record = try #require(try await store.callRecord("call-3"))
        #expect(record.legs.map(\.user) == ["ada", "bob"] && record.path == .sfu)
        #expect(record.legs.first?.quality.meanOpinionScore == 4.25)

        let new = try Store(path: folder.file("new"))
        let tables = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name"
        #expect(PlainSQLite(folder.file("new")).column(tables) == old.column(tables))
        withExtendedLifetime(new) {}
    }

    @Test func everyStepIsDoneOnceAndWholeOrNotAtAll() async throws {
        let next = (Schema.migrations.last?.version ?? 0) + 1
        let second = Migration(
            version: next, statements: "ALTER TABLE devices ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'")
        let broken = Migration(
            version: next + 1, statements: "CREATE TABLE half (a INTEGER) STRICT; INSERT INTO nowhere VALUES (1)")
        let path = folder.file("db")
        let store = try Store(path: path)
        try await store.registerDevice("d", of: "u", at: 1)
        store.close()
        #expect(throws: StoreError.self) {
            _ = try Store(path: path, migrations: Schema.migrations + [second, broken])
        }
        let plain = PlainSQLite(path)
        #expect(plain.column("PRAGMA user_version") == ["\(next)"])
        #expect(plain.column("SELECT colour FROM devices") == ["red"])
        #expect(plain.column("SELECT name FROM sqlite_schema WHERE name = 'half'") == [])
        let later = try Store(path: path, migrations: Schema.migrations + [second])
        #expect(try await later.devices(of: "u").map(\.device) == ["d"])
        later.close()
        // Whoever knows less than the file leaves it alone.
        #expect(throws: StoreError.newerSchema(found: next, known: next - 1)) { _ = try Store(path: path) }
        #expect(plain.column("SELECT colour FROM devices") == ["red"])
    }

    @Test func whatIsNoDatabaseOfOursIsRefusedAndLeftAsItIs() throws {
        let text = Array(String(repeating: "this is no database. ", count: 400).utf8)
        TemporaryFolder.write(text, to: folder.file("text"))
        #expect {
            _ = try Store(path: folder.file("text"))
        } throws: { error in
            if case .corrupt = error as? StoreError { true } else { false }
        }
        #expect(FileBytes.read(folder.file("text")) == text)

        let path = folder.file("foreign")
        #expect(PlainSQLite(path).execute("CREATE TABLE bookmarks (a)"))
        let foreign = FileBytes.read(path)
        #expect(throws: StoreError.foreign(path: path)) { _ = try Store(path: path) }
        #expect(FileBytes.read(path) == foreign)
    }

    @Test func aDamagedFileIsToldOfAtTheStart() async throws {
        let path = folder.file("db")
        let store = try Store(path: path)
        for number in 0..<200 {
            try await store.addMissedCall(
                MissedCall(user: "u", call: "call-\(number)", caller: "c", media: "audio", missedAt: Int64(number)))
        }
        store.close()
        var bytes = try #require(FileBytes.read(path))
        // Every page but the first: whichever of them are in use.
        for index in 4_096..<bytes.count { bytes[index] = UInt8(truncatingIfNeeded: index &* 31) }
        TemporaryFolder.write(bytes, to: path)
        #expect {
            _ = try Store(path: path)
        } throws: { error in
            if case .corrupt = error as? StoreError { true } else { false }
        }
    }

    @Test func whereNothingCanBeWrittenTheStartSaysSo() throws {
        #expect(throws: StoreError.cannotOpen(path: "/nowhere/at/all", reason: "No such file or directory")) {
            _ = try Store(path: "/nowhere/at/all")
        }
        #expect(throws: StoreError.self) { _ = try Store(path: folder.path) }
        guard geteuid() == 0 else { return }
        try Store(path: folder.file("db")).close()
        let expected = "\(StoreError.notWritable(path: folder.file("db")))"
        let child = try #require(ChildProcess(StorageChild.program, ["open", folder.file("db"), "65534"]))
        #expect(child.prints(expected), "\(child.text)")
        // The file may be written, but not the folder, where the log would be.
        chmod(folder.file("db"), 0o666)
        let another = try #require(ChildProcess(StorageChild.program, ["open", folder.file("db"), "65534"]))
        #expect(another.prints(expected), "\(another.text)")
    }

    @Test func aBackupIsWholeAndTheStoreGoesOnMeanwhile() async throws {
        let store = try Store(path: folder.file("db"))
        let state = [UInt8](repeating: 7, count: 60_000)
        for number in 0..<40 {
            try await store.saveActiveCall(
                ActiveCall(call: "before-\(number)", startedAt: 1, state: state), devices: [], at: 1)
        }
        async let backup: Void = store.backUp(to: folder.file("copy"))
        async let written: Void = store.registerDevice("during", of: "u", at: 1)
        _ = try await (backup, written)
        store.close()
        let copy = try Store(path: folder.file("copy"))
        #expect(try await copy.activeCalls().count == 40)
        #expect(FileBytes.list(folder.path).contains("copy.partial") == false)
        await #expect(throws: StoreError.closed) { try await store.backUp(to: folder.file("late")) }
        await #expect(throws: StoreError.self) { try await copy.backUp(to: "/nowhere/at/all") }
    }
}

struct QueueTests {
    let folder = TemporaryFolder()

    @Test func writesThatWaitTogetherShareACommit() async throws {
        let path = folder.file("db")
        let store = try Store(path: path)
        // Somebody else holds the file, so that all of them wait.
        let other = PlainSQLite(path)
        #expect(other.execute("BEGIN IMMEDIATE"))
        let before = store.commitCount
        try await withThrowingTaskGroup { group in
            for number in 0..<400 {
                group.addTask { try await store.registerDevice("d", of: "user-\(number)", at: 1) }
            }
            #expect(other.execute("COMMIT"))
            try await group.waitForAll()
        }
        let commits = store.commitCount - before
        #expect(commits >= 1 && commits < 400, "\(commits) commits for 400 writes")
        #expect(other.column("SELECT count(*) FROM devices") == ["400"])
    }

    @Test func oneThatFailsTakesNobodyElseWithIt() async throws {
        let store = try Store(path: folder.file("db"))
        let other = PlainSQLite(folder.file("db"))
        #expect(other.execute("BEGIN IMMEDIATE"))
        let token = StoredPushToken(provider: .fcm, token: "t", application: "app", registeredAt: 1)
        let failed = await withTaskGroup { group in
            for number in 0..<100 {
                group.addTask {
                    do throws(StoreError) {
                        // Every second device is not registered.
                        if number % 2 == 0 {
                            return try await store.setPushToken(token, of: "u\(number)", device: "d") == ()
                        }
                        try await store.registerDevice("d", of: "u\(number)", at: 1)
                        return true
                    } catch {
                        return false
                    }
                }
            }
            #expect(other.execute("COMMIT"))
            return await group.reduce(into: 0) { count, succeeded in count += succeeded ? 0 : 1 }
        }
        #expect(failed == 50)
        #expect(other.column("SELECT count(*) FROM devices") == ["50"])
        #expect(other.column("SELECT count(*) FROM push_tokens") == ["0"])
    }

    @Test func aFullQueueIsAnErrorAndNothingThatWasTakenIsLost() async throws {
        let path = folder.file("db")
        let store = try Store(path: path, configuration: StoreConfiguration(queueLimit: 10, busyMilliseconds: 30_000))
        let other = PlainSQLite(path)
        #expect(other.execute("BEGIN IMMEDIATE"))
        var refused = 0
        var written = 0
        await withTaskGroup { group in
            for number in 0..<200 {
                group.addTask { () -> StoreError? in
                    do throws(StoreError) {
                        try await store.registerDevice("d", of: "user-\(number)", at: 1)
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            // The thread waits for the file with at most 10 operations, 10 more wait in the queue: the rest has come back.
            while refused < 180, let answer = await group.next() {
                if answer == nil { written += 1 } else { refused += 1 }
                #expect(answer == nil || answer == .queueFull(limit: 10))
            }
            #expect(other.execute("COMMIT"))
            for await answer in group { if answer == nil { written += 1 } else { refused += 1 } }
        }
        #expect(refused >= 180 && refused + written == 200)
        #expect(other.column("SELECT count(*) FROM devices") == ["\(written)"])
    }

    @Test func somebodyWhoHoldsTheFileTooLongIsAnError() async throws {
        let store = try Store(path: folder.file("db"), configuration: StoreConfiguration(busyMilliseconds: 20))
        let other = PlainSQLite(folder.file("db"))
        #expect(other.execute("BEGIN IMMEDIATE"))
        await #expect(throws: StoreError.busy) { try await store.registerDevice("d", of: "u", at: 1) }
        // Reading goes on.
        #expect(try await store.devices(of: "u").isEmpty)
        #expect(other.execute("COMMIT"))
        try await store.registerDevice("d", of: "u", at: 1)
    }

    @Test func aFullDiskIsAnErrorAndEndsWhenThereIsRoomAgain() async throws {
        let store = try Store(path: folder.file("db"))
        let state = [UInt8](repeating: 1, count: 60_000)
        // A limit on the pages of the file stands in for the disk.
        try await store.read { (connection) throws(StoreError) in
            _ = try connection.number("PRAGMA max_page_count = 100")
        }
        var failure: StoreError?
        var written = 0
        while failure == nil, written < 100 {
            do throws(StoreError) {
                try await store.saveActiveCall(
                    ActiveCall(call: "c\(written)", startedAt: 1, state: state), devices: [], at: 1)
                written += 1
            } catch {
                failure = error
            }
        }
        #expect(failure == .diskFull && written > 0)
        #expect(try await store.activeCalls().count == written)
        try await store.read { (connection) throws(StoreError) in
            _ = try connection.number("PRAGMA max_page_count = 10000")
        }
        try await store.saveActiveCall(ActiveCall(call: "after", startedAt: 1, state: state), devices: [], at: 1)
        #expect(try await store.activeCalls().count == written + 1)
    }

    @Test func whatWaitsWhenTheStoreIsClosedIsStillWritten() async throws {
        let path = folder.file("db")
        let store = try Store(path: path)
        let answers = await withTaskGroup { group in
            for number in 0..<300 {
                group.addTask { () -> Bool in
                    (try? await store.registerDevice("d", of: "user-\(number)", at: 1)) != nil
                }
            }
            group.addTask {
                store.close()
                return false
            }
            return await group.reduce(into: 0) { count, written in count += written ? 1 : 0 }
        }
        await #expect(throws: StoreError.closed) { try await store.devices(of: "u") }
        #expect(PlainSQLite(path).column("SELECT count(*) FROM devices") == ["\(answers)"])
    }
}
