// The folder of a server's captures: private, of a limited size, its files named by room, time and number. Everything that
// may wait for a disk happens on a thread of the folder's own.
import Glibc
import Synchronization

/// Why there is no file: a word for programs and a sentence for people.
public struct CaptureFolderError: Error, Hashable, Sendable {
    /// `folderUnusable`, `folderFull`, `diskFull` or `writeError`.
    public let code: String
    /// The sentence.
    public let message: String

    init(_ code: String, _ message: String) {
        self.code = code
        self.message = message
    }

    /// What failed with `errno`.
    init(errno number: Int32, _ path: String) {
        self.init(
            number == ENOSPC || number == EDQUOT || number == EFBIG ? "diskFull" : "writeError",
            "cannot write \(path): \(unsafe String(cString: strerror(number)))")
    }
}

/// A folder for captures.
public final class CaptureFolder: Sendable {
    /// What the names of files end with that a flight recorder kept; the reason stands before `.pcapng`.
    static let flightMark = "-flight-"
    /// Less free room than this is none, in bytes.
    static let leastRoom = 1 << 20

    /// Where it is.
    public let path: String
    private let limit: Int
    private let thread = BackgroundThread()
    private static let serial = Atomic<Int>(0)

    /// A folder; it is made when the first file is. `limit` is what all files together may become, in bytes.
    public init(path: String, limit: Int) {
        self.path = path
        self.limit = limit
    }

    /// Has work done that may wait for the disk.
    public func perform(_ work: @escaping @Sendable () -> Void) { thread.perform(work) }

    /// Ends the thread when everything given to it is done.
    public func close() { thread.stop() }

    // MARK: On the folder's thread

    /// Makes a file for a recording and gives it to `done`, on the folder's thread. `maximum` is how long it may become, in
    /// bytes; less where the folder has less room.
    public func open(
        room: String, maximum: Int,
        done: @escaping @Sendable (Result<(file: CaptureFile, path: String), CaptureFolderError>) -> Void
    ) {
        thread.perform { [self] in
            do throws(CaptureFolderError) {
                try prepare()
                let free = makeRoom(for: maximum)
                guard free >= Self.leastRoom else { throw full() }
                let (descriptor, path) = try create(room: room, suffix: "")
                do throws(CaptureFileError) {
                    let file = try CaptureFile(descriptor: descriptor, path: path, limit: min(maximum, free))
                    done(.success((file, path)))
                } catch {
                    unsafe unlink(path)
                    throw CaptureFolderError(errno: error.code, path)
                }
            } catch {
                done(.failure(error))
            }
        }
    }

    /// Writes what a flight recorder held as one file, and gives its path. To be called on the folder's thread.
    func keep(_ pieces: [[UInt8]], room: String, reason: String) throws(CaptureFolderError) -> String {
        try prepare()
        let count = pieces.reduce(0) { $0 + $1.count }
        guard makeRoom(for: count) >= count else { throw full() }
        let (descriptor, path) = try create(room: room, suffix: Self.flightMark + Self.clean(reason))
        var failure: Int32 = 0
        for piece in pieces where failure == 0 { failure = WholeFile.write(piece, to: descriptor) }
        if Glibc.close(descriptor) != 0, failure == 0 { failure = errno }
        guard failure == 0 else {
            unsafe unlink(path)
            throw CaptureFolderError(errno: failure, path)
        }
        return path
    }

    private func full() -> CaptureFolderError {
        CaptureFolderError("folderFull", "the captures folder has reached its limit of \(limit >> 20) MB")
    }

    /// The folder has to be there, and ours alone.
    private func prepare() throws(CaptureFolderError) {
        do throws(FolderError) {
            try PrivateFolder.prepare(path)
        } catch {
            throw CaptureFolderError("folderUnusable", error.description)
        }
    }

    /// How many bytes there are for a file that wants `count`, after the oldest that flight recorders kept have gone.
    private func makeRoom(for count: Int) -> Int {
        var total = 0
        var kept: [(path: String, bytes: Int, at: Int)] = []
        for name in PrivateFolder.names(in: path) where name.hasSuffix(".pcapng") {
            let file = path + "/" + name
            guard let status = PrivateFolder.status(file) else { continue }
            total += status.bytes
            if name.contains(Self.flightMark) { kept.append((file, status.bytes, status.changed)) }
        }
        kept.sort { ($0.at, $0.path) < ($1.at, $1.path) }
        for file in kept where total + count > limit {
            if unsafe unlink(file.path) == 0 { total -= file.bytes }
        }
        return max(0, limit - total)
    }

    private func create(room: String, suffix: String) throws(CaptureFolderError) -> (Int32, String) {
        while true {
            let number = Self.serial.wrappingAdd(1, ordering: .relaxed).newValue
            let file = "\(path)/\(Self.clean(room))-\(Self.moment())-\(number)\(suffix).pcapng"
            let descriptor = unsafe Glibc.open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
            if descriptor >= 0 { return (descriptor, file) }
            guard errno == EEXIST else { throw CaptureFolderError(errno: errno, file) }
        }
    }

    // MARK: Names

    /// A name as a part of a file's: A to Z, a to z, digits, full stop, underscore, hyphen; at most 64, and never hidden.
    static func clean(_ name: String) -> String {
        var bytes: [UInt8] = []
        for byte in name.utf8.prefix(64) {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: bytes.append(byte)
            default: bytes.append(0x5f)
            }
        }
        if bytes.isEmpty || bytes[0] == 0x2e || bytes[0] == 0x2d { bytes.insert(0x5f, at: 0) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The time of day in UTC, as 20260301T102030Z.
    private static func moment() -> String {
        var now = time(nil)
        var parts = unsafe tm()
        unsafe gmtime_r(&now, &parts)
        func two(_ n: Int32) -> String { n < 10 ? "0\(n)" : "\(n)" }
        return unsafe "\(parts.tm_year + 1_900)\(two(parts.tm_mon + 1))\(two(parts.tm_mday))T\(two(parts.tm_hour))"
            + "\(two(parts.tm_min))\(two(parts.tm_sec))Z"
    }
}
