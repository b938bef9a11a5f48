// Two hundred joins and leaves with real transports: memory and descriptors come back. Long, so only when MAJLIS_SOAK is
// set (`make check-all`); a server of its own process is measured, not the test's.
import Bots
import EventLoop
import Glibc
import Server
import Signalling
import TestSupport
import Testing
import WholeServers

@Suite("Soak", .serialized, .enabled(if: getenv("MAJLIS_SOAK") != nil, "set MAJLIS_SOAK; `make check-all` does"))
struct SoakTests {
    /// Resident bytes of a process, from /proc.
    private func residentBytes(_ process: pid_t) -> Int {
        let text = String(decoding: FileBytes.read("/proc/\(process)/statm") ?? [], as: UTF8.self)
        let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    private func descriptors(_ process: pid_t) -> Int { FileBytes.list("/proc/\(process)/fd").count }

    @Test("200 joins and leaves: resident memory at most 5 % over that after the first 50, descriptors equal")
    func joinsAndLeaves() throws {
        let child = try #require(
            ChildProcess(
                ChildProcess.command,
                [
                    "serve", "--port", "0", "--host", "127.0.0.1", "--media.addresses", "127.0.0.1",
                    "--media.allowPrivateCandidates", "true", "--media.workers", "2", "--logLevel", "error",
                    "--storage.path", "memory",
                ], environment: ["MAJLIS_TOKENS_SECRET=\(TestServer.secret)"]))
        #expect(child.prints("serves http"))
        let port = Int(child.text.split(separator: "\n").first?.split(separator: ":").last ?? "") ?? 0
        let host = try NativeClient.Host()
        defer { host.stop() }
        let resident = try NativeClient(host, port: port, user: "resident", token: TestServer.token("resident"))
        defer { resident.close() }
        try resident.join()
        #expect(resident.waitUntilConnected())
        var afterFifty = 0
        var descriptorsAfterFifty = 0
        for round in 1...200 {
            let guest = try NativeClient(host, port: port, user: "guest", token: TestServer.token("guest"))
            try guest.join()
            #expect(guest.waitUntilConnected())
            for packet in 0..<20 {
                guest.send(audio: true, timestamp: UInt32(packet) * 960, payload: [UInt8](repeating: 1, count: 80))
                guest.send(audio: false, timestamp: UInt32(packet) * 3_000, payload: RoomTests.keyFrame, marker: true)
            }
            #expect(try guest.signalling.ask(.leave) == .left)
            guest.close()
            resident.signalling.acknowledge()
            resident.received.withLock { $0.rtp.removeAll() }
            if round == 50 || round == 200 {
                guest.signalling.socket.abort()
                // The last transports close and the last sockets too: then the counts stand still.
                var before = -1
                _ = Deadline.wait(seconds: 10) {
                    Pause.milliseconds(200)
                    defer { before = descriptors(child.id) }
                    return before == descriptors(child.id)
                }
                if round == 50 {
                    afterFifty = residentBytes(child.id)
                    descriptorsAfterFifty = descriptors(child.id)
                }
            }
        }
        let end = residentBytes(child.id)
        print(
            "resident after 50: \(afterFifty / 1_024) KiB, after 200: \(end / 1_024) KiB;",
            "descriptors \(descriptorsAfterFifty), \(descriptors(child.id))")
        #expect(Double(end) <= 1.05 * Double(afterFifty))
        #expect(descriptors(child.id) == descriptorsAfterFifty)
        child.signal(SIGTERM)
        #expect(child.exitCode() == 0)
    }
}
