// The files of `majlis capture` and `majlis replay`: a capture read whole, one written so that it is there entirely or not at
// all, and a line of progress now and then for whoever waits.
import Captures
import Glibc

/// Reading.
enum CaptureFiles {
    /// The longest capture that is read; it lies in memory whole.
    static let maximumBytes = 4 << 30

    /// The bytes of a capture and what it holds. Captures of other programs are told apart from files that are none.
    static func survey(_ path: String) throws(ConfigurationError) -> (bytes: [UInt8], survey: CaptureSurvey) {
        let bytes = try read(path)
        let foreign = ConfigurationError(
            "\(path) is a capture of another program: `majlis capture convert` makes one of a room of it")
        if classicMagics.contains(where: { bytes.starts(with: $0) }) { throw foreign }
        let survey: CaptureSurvey
        do throws(CaptureError) {
            survey = try CaptureSurvey.of(bytes)
        } catch {
            throw ConfigurationError("\(path): \(error)")
        }
        guard survey.events > 0 || survey.foreignBlocks == 0 else { throw foreign }
        return (bytes, survey)
    }

    /// What a classic pcap file begins with, in both byte orders, with micro- and with nanoseconds.
    private static let classicMagics: [[UInt8]] = [
        [0xa1, 0xb2, 0xc3, 0xd4], [0xa1, 0xb2, 0x3c, 0x4d], [0xd4, 0xc3, 0xb2, 0xa1], [0x4d, 0x3c, 0xb2, 0xa1],
    ]

    private static func read(_ path: String) throws(ConfigurationError) -> [UInt8] {
        guard let bytes = Command.readFile(path, limit: maximumBytes + 1) else {
            throw ConfigurationError("cannot read \(path): \(unsafe String(cString: strerror(errno)))")
        }
        guard bytes.count <= maximumBytes else { throw ConfigurationError("\(path) is longer than 4 GiB") }
        return bytes
    }
}

/// A capture in the making: written beside its place under another name, and given its own when it is whole. Never takes the
/// place of a file that is there.
final class NewCapture {
    private let path: String
    private let unfinished: String
    private let file: CaptureFile
    private var writer = CaptureWriter()
    private var isDone = false

    init(path: String) throws {
        guard unsafe access(path, F_OK) != 0 else {
            throw ConfigurationError("cannot write \(path): \(unsafe String(cString: strerror(EEXIST)))")
        }
        self.path = path
        unfinished = "\(path).unfinished-\(getpid())"
        file = try CaptureFile(path: unfinished)
    }

    deinit { if !isDone { unsafe unlink(unfinished) } }

    /// Adds an event.
    func append(_ event: CaptureEvent) {
        writer.append(event)
        // Nobody waits for this command but its user: a full ring is waited for.
        while !(writer.withBytes { file.append($0) }) {
            if file.failure != nil { break }
            sched_yield()
        }
        writer.removeAll()
    }

    /// Closes the file and gives it its name.
    func finish() throws(ConfigurationError) {
        file.close()
        if let code = file.failure { throw failed(code) }
        // A second name fails where a file is, which renaming would replace.
        if unsafe link(unfinished, path) == 0 {
            unsafe unlink(unfinished)
        } else if errno == EPERM || errno == ENOTSUP {
            // A file system that knows one name for a file.
            guard unsafe access(path, F_OK) != 0 else { throw failed(EEXIST) }
            guard unsafe rename(unfinished, path) == 0 else { throw failed(errno) }
        } else {
            throw failed(errno)
        }
        isDone = true
    }

    private func failed(_ code: Int32) -> ConfigurationError {
        ConfigurationError("cannot write \(path): \(unsafe String(cString: strerror(code)))")
    }
}

/// Tells on a terminal how far a long file is read.
struct CaptureProgress {
    private static let interval = Duration.seconds(1)

    private let total: Int
    private let isWatched = isatty(2) == 1
    private var told = ContinuousClock.now
    private var count = 0

    /// Nothing is read yet of so many bytes.
    init(total: Int) { self.total = max(1, total) }

    /// One more event is read; the next begins at `offset`.
    mutating func step(_ offset: Int) {
        count += 1
        // The clock is looked at now and then only: an event takes a microsecond.
        guard isWatched, count & 0x3fff == 0, ContinuousClock.now - told > Self.interval else { return }
        told = ContinuousClock.now
        Command.complain("\(count / 1_000) thousand events, \(min(100, offset * 100 / total)) %", prefix: "  ")
    }
}
