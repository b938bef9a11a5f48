// Debian's Janus as a child process with nothing but its videoroom and WebSockets, pinned as Majlis is: the same bots measure both.
// Janus leaves loopback interfaces out, so it is given another address of this machine; packets between the two stay inside it.
import Bots
import EventLoop
import Glibc
import TestSupport
import WholeServers

/// A Janus that a benchmark started; it ends with the object.
final class JanusChild: MeasuredServer {
    static let program = "/usr/bin/janus"
    private let process: ChildProcess
    private let folder: String
    private let place: ServerPlace

    /// Whether there is one on this machine, with an address that it can use.
    static var isThere: Bool { unsafe access(program, X_OK) == 0 && ownAddress != nil }

    var id: Int32 { process.id }

    /// Starts it and waits until it listens.
    /// - Parameter eventLoops: Janus's `event_loops`; 0: a thread for each peer connection, its default.
    init(_ cores: Cores, eventLoops: Int) throws {
        guard let address = Self.ownAddress else { throw BenchmarkFailure("no address for Janus but loopback") }
        let port = 20_000 + Int(getpid() % 10_000) + eventLoops
        folder = "/tmp/majlis-janus-\(getpid())-\(eventLoops)"
        unsafe mkdir(folder, 0o700)
        let others = [
            "audiobridge", "echotest", "recordplay", "sip", "nosip", "streaming", "textroom", "videocall", "voicemail",
            "duktape", "lua",
        ].map { "libjanus_\($0).so" }.joined(separator: ",")
        let transports = ["http", "pfunix", "mqtt", "nanomsg", "rabbitmq"].map { "libjanus_\($0).so" }
            .joined(separator: ",")
        let loops = eventLoops > 0 ? "event_loops = \(eventLoops);" : ""
        Self.write(
            "\(folder)/janus.jcfg",
            """
            general: { configs_folder = "\(folder)"; debug_level = 1; debug_colors = false; \(loops) }
            nat: { ice_enforce_list = "\(address)"; }
            media: { rtp_port_range = "40000-49999"; }
            plugins: { disable = "\(others)"; }
            transports: { disable = "\(transports)"; }
            events: { broadcast = false; }

            """)
        Self.write(
            "\(folder)/janus.transport.websockets.jcfg",
            "general: { json = \"compact\"; ws = true; ws_port = \(port); ws_ip = \"\(address)\"; }\n")
        Self.write("\(folder)/janus.plugin.videoroom.jcfg", "general: { }\n")
        cores.pin(cores.server)
        defer { cores.pin(cores.clients) }
        guard let process = ChildProcess(Self.program, ["--configs-folder=\(folder)"]) else {
            throw BenchmarkFailure("cannot start \(Self.program)")
        }
        self.process = process
        place = try ServerPlace("ws://\(address):\(port)", defaultPath: "/")
        let isUp = Deadline.wait(seconds: 15) {
            process.read()
            return Self.listens(address, port)
        }
        guard isUp else { throw BenchmarkFailure("Janus did not start: \(process.text.suffix(500))") }
    }

    deinit {
        for name in ["janus.jcfg", "janus.transport.websockets.jcfg", "janus.plugin.videoroom.jcfg"] {
            unsafe unlink("\(folder)/\(name)")
        }
        unsafe rmdir(folder)
    }

    func join(
        _ profiles: [BotProfile], on host: BotHost, schedule: TalkSchedule, voices: [Voice], joinsPerSecond: Double
    ) {
        host.joinJanus(
            profiles, at: place, room: 4_711, schedule: schedule, voices: voices, joinsPerSecond: joinsPerSecond)
    }

    func stop() {
        process.signal(SIGTERM)
        _ = process.exitCode(seconds: 5)
    }

    private static func write(_ path: String, _ text: String) {
        let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        let bytes = Array(text.utf8)
        _ = unsafe Glibc.write(descriptor, bytes, bytes.count)
        close(descriptor)
    }

    private static func listens(_ address: String, _ port: Int) -> Bool {
        // In /proc/net/tcp an address is a number in the machine's order, a port one in the network's; 0A is listening.
        let parts = address.split(separator: ".").compactMap { UInt8($0) }
        guard parts.count == 4 else { return false }
        func hex(_ value: Int, _ digits: Int) -> String {
            let text = String(value, radix: 16, uppercase: true)
            return String(repeating: "0", count: max(0, digits - text.count)) + text
        }
        let wanted = parts.reversed().map { hex(Int($0), 2) }.joined() + ":" + hex(port, 4)
        return LocalProcess.text("/proc/net/tcp").split(separator: "\n").contains { line in
            let fields = line.split(separator: " ")
            return fields.count > 3 && fields[1] == wanted && fields[3] == "0A"
        }
    }

    /// The first IPv4 address of this machine that is not loopback's.
    private static var ownAddress: String? {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard unsafe getifaddrs(&list) == 0 else { return nil }
        defer { unsafe freeifaddrs(list) }
        var entry = unsafe list
        while let one = unsafe entry {
            unsafe entry = unsafe one.pointee.ifa_next
            let flags = unsafe Int32(bitPattern: one.pointee.ifa_flags)
            guard let address = unsafe one.pointee.ifa_addr, unsafe address.pointee.sa_family == UInt16(AF_INET),
                flags & Int32(IFF_LOOPBACK) == 0, flags & Int32(IFF_UP) != 0
            else { continue }
            var text = [CChar](repeating: 0, count: 64)
            guard unsafe getnameinfo(address, 16, &text, 64, nil, 0, NI_NUMERICHOST) == 0 else { continue }
            return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        return nil
    }
}
