// What recordings of one server share: the captures folder, the flight recorders' vault, and what the settings say of both.
import Captures
import Glibc
import MediaCore

/// The recording side of a server, made once and given to its workers.
final class CaptureServices: Sendable {
    /// What captures name as the program that recorded them.
    static let build = "majlis \(Command.version)"

    /// No recording is limited to less, in bytes: a checkpoint has to find its place.
    static let smallestFile = 1 << 20

    let folder: CaptureFolder
    /// Nil where the flight recorder is turned off.
    let vault: FlightVault?
    /// Whether every room is recorded from its beginning, headers alone.
    let recordsEverything: Bool
    /// The longest one recording may become, in bytes.
    let fileBytes: Int
    /// How long a segment of a flight ring lasts: three whole ones are what was promised.
    let sectionSpan: TimeDelta

    init(_ settings: Configuration.Captures, log: Log) {
        // A limit of the process on the length of files is an error of the write, not the end of the server.
        signal(SIGXFSZ, SIG_IGN)
        folder = CaptureFolder(path: Self.folder(settings), limit: settings.folderMegabytes << 20)
        recordsEverything = settings.record == "headers"
        fileBytes = settings.fileMegabytes << 20
        sectionSpan = .milliseconds(Int64(settings.flightSeconds) * 1_000 / 3)
        guard settings.flightRecorder else {
            vault = nil
            return
        }
        vault = FlightVault(
            FlightVault.Settings(
                folder: Self.flightFolder(settings), ringBytes: settings.flightMegabytes << 20,
                totalBytes: settings.flightTotalMegabytes << 20),
            captures: folder
        ) { note in
            switch note {
            case .unusable(let why): log(.error, "no flight recorder", ("why", why))
            case .full: log(.warning, "the flight recorders' memory is used up: captures.flightTotalMegabytes")
            case .refused(let why): log(.warning, "a room has no flight recorder", ("why", why))
            case .crashKept(let path):
                log(.warning, "a server that was killed left a flight recording", ("file", path))
            case .crashLost(let why): log(.error, "a killed server's flight recording is lost", ("why", why))
            }
        }
    }

    /// The folder for captures.
    static func folder(_ settings: Configuration.Captures) -> String {
        if !settings.folder.isEmpty { return settings.folder }
        if let state = unsafe getenv("STATE_DIRECTORY") {
            let first = unsafe String(cString: state).prefix { $0 != ":" }
            if first.hasPrefix("/") { return first + "/captures" }
        }
        return "/var/tmp/majlis-\(geteuid())"
    }

    private static func flightFolder(_ settings: Configuration.Captures) -> String {
        settings.flightFolder.isEmpty ? "/dev/shm/majlis-\(geteuid())" : settings.flightFolder
    }

    /// Removes the rings, and returns when every recording is in its file.
    func close() {
        vault?.close()
        folder.close()
    }
}
