// The flight rings of one server: a thread makes their files, allocates their memory ahead of use, copies them into the
// captures folder when something went wrong, and finds those that a killed process left behind.
import Glibc
import Synchronization

/// What a vault has to say to the log.
public enum FlightNote: Sendable, Equatable {
    /// There are no flight recorders: why.
    case unusable(String)
    /// The memory of all rings together is used up; told once.
    case full
    /// The memory of a ring could not be had: why.
    case refused(String)
    /// A killed process left a ring; what it held is in this file now.
    case crashKept(path: String)
    /// A killed process left a ring that could not be kept: why.
    case crashLost(String)
}

/// The flight rings of one server.
public final class FlightVault: Sendable {
    /// The settings of a vault.
    public struct Settings: Sendable {
        /// The folder for rings, shared with other servers of the same user; best in memory.
        public var folder: String
        /// The most of one ring, in bytes.
        public var ringBytes: Int
        /// The most of all rings, in bytes.
        public var totalBytes: Int

        /// Settings with these values.
        public init(folder: String, ringBytes: Int, totalBytes: Int) {
            self.folder = folder
            self.ringBytes = ringBytes
            self.totalBytes = totalBytes
        }
    }

    private struct State {
        var rings: [FlightRing] = []
        var allocated = 0
        /// This process's own folder, once it is there.
        var own: String?
        var lock: Int32 = -1
        var nextNumber = 1
        var hasToldFull = false
    }

    private let settings: Settings
    private let captures: CaptureFolder
    private let note: @Sendable (FlightNote) -> Void
    private let thread = BackgroundThread()
    // The thread's own, but for the figures.
    private let state = Mutex(State())
    private let withoutRing = Atomic<Int>(0)

    /// A vault that begins at once, in the background, with what killed processes left behind. `note` is called on the
    /// vault's or the folder's thread.
    public init(
        _ settings: Settings, captures: CaptureFolder, note: @escaping @Sendable (FlightNote) -> Void = { _ in }
    ) {
        self.settings = settings
        self.captures = captures
        self.note = note
        thread.perform { [self] in prepare() }
    }

    /// How much memory all rings have, in bytes.
    public var allocatedBytes: Int { state.withLock { $0.allocated } }
    /// How often a ring got no memory.
    public var refusals: Int { withoutRing.load(ordering: .relaxed) }

    // MARK: Any thread

    /// A ring for a room. Usable when it says that it is ready, which is soon, or never where there is no memory for it.
    public func ring(room: String) -> FlightRing {
        let quarter = settings.ringBytes / FlightLayout.segments / 4_096 * 4_096
        let range = FlightLayout.segmentRange
        let ring = FlightRing(room: room, segmentBytes: min(max(quarter, range.lowerBound), range.upperBound)) {
            [weak self] ring in
            self?.thread.perform { self?.grow(ring) }
        }
        thread.perform { [self] in admit(ring) }
        return ring
    }

    /// Copies what a ring holds into the captures folder, while recording goes on; `done` is called on the folder's thread.
    /// The room must not give the ring back before it has asked for this.
    public func keep(
        _ ring: FlightRing, reason: String,
        done: @escaping @Sendable (Result<String, CaptureFolderError>) -> Void
    ) {
        thread.perform { [captures] in
            let pieces = ring.copy()
            captures.perform {
                guard !pieces.isEmpty else {
                    return done(
                        .failure(CaptureFolderError("nothingRecorded", "the flight recorder holds nothing yet")))
                }
                do throws(CaptureFolderError) {
                    done(.success(try captures.keep(pieces, room: ring.room, reason: reason)))
                } catch {
                    done(.failure(error))
                }
            }
        }
    }

    /// Takes a ring back whose room is closed; the room's thread does not touch it any more.
    public func release(_ ring: FlightRing) { thread.perform { [self] in remove(ring) } }

    /// Removes all rings and ends the thread. To be called when no room records any more.
    public func close() {
        thread.perform { [self] in
            for ring in state.withLock({ $0.rings }) { remove(ring) }
            state.withLock { state in
                if let own = state.own {
                    unsafe unlink(own + "/lock")
                    unsafe rmdir(own)
                }
                if state.lock >= 0 { Glibc.close(state.lock) }
                state.own = nil
                state.lock = -1
            }
        }
        thread.stop()
    }

    // MARK: The vault's thread

    private func prepare() {
        do throws(FolderError) {
            try PrivateFolder.prepare(settings.folder)
        } catch {
            return note(.unusable(error.description))
        }
        recover()
        // Locked before it has the name under which others look for it: what they find unlocked nobody uses any more.
        let name = "majlis-\(getpid())-\(Self.folders.wrappingAdd(1, ordering: .relaxed).newValue)"
        let hidden = "\(settings.folder)/.\(name)"
        Self.clear(hidden)
        guard unsafe mkdir(hidden, 0o700) == 0 else { return note(.unusable(Self.sentence(errno, hidden))) }
        let lock = unsafe open(hidden + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0, flock(lock, LOCK_EX | LOCK_NB) == 0, unsafe rename(hidden, "\(settings.folder)/\(name)") == 0
        else {
            let number = errno
            if lock >= 0 { Glibc.close(lock) }
            Self.clear(hidden)
            return note(.unusable(Self.sentence(number, hidden)))
        }
        state.withLock { [folder = settings.folder] state in
            state.own = "\(folder)/\(name)"
            state.lock = lock
        }
    }

    private static let folders = Atomic<Int>(0)

    private static func sentence(_ number: Int32, _ path: String) -> String {
        "cannot write \(path): \(unsafe String(cString: strerror(number)))"
    }

    private static func clear(_ folder: String) {
        for name in PrivateFolder.names(in: folder) { unsafe unlink(folder + "/" + name) }
        unsafe rmdir(folder)
    }

    private func admit(_ ring: FlightRing) {
        let path: String? = state.withLock { state in
            guard let own = state.own else { return nil }
            defer { state.nextNumber += 1 }
            return "\(own)/\(state.nextNumber).ring"
        }
        guard let path else { return }
        let failure = ring.prepare(path: path)
        guard failure == 0 else {
            ring.dispose(removingFile: true)
            withoutRing.wrappingAdd(1, ordering: .relaxed)
            return note(.refused(Self.sentence(failure, path)))
        }
        state.withLock { $0.rings.append(ring) }
        grow(ring)
        ring.open()
    }

    private func grow(_ ring: FlightRing) {
        let isFed = ring.grow { [total = settings.totalBytes] count in
            state.withLock { state in
                guard count < 0 || state.allocated + count <= total else { return false }
                state.allocated += count
                return true
            }
        }
        guard !isFed else { return }
        withoutRing.wrappingAdd(1, ordering: .relaxed)
        let isFirst = state.withLock { state in
            defer { state.hasToldFull = true }
            return !state.hasToldFull
        }
        if isFirst { note(.full) }
    }

    private func remove(_ ring: FlightRing) {
        let (isOurs, others) = state.withLock { state in
            guard let index = state.rings.firstIndex(where: { $0 === ring }) else { return (false, [FlightRing]()) }
            state.rings.remove(at: index)
            let wasFull = state.allocated + FlightLayout.step > settings.totalBytes
            state.allocated -= ring.allocatedBytes
            return (true, wasFull ? state.rings : [])
        }
        guard isOurs else { return }
        ring.dispose(removingFile: true)
        // There is memory again for those that got none.
        for ring in others { grow(ring) }
    }

    // MARK: What was left behind

    private func recover() {
        for name in PrivateFolder.names(in: settings.folder) where name.hasPrefix("majlis-") {
            let folder = settings.folder + "/" + name
            let lock = unsafe open(folder + "/lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW)
            guard lock >= 0 else { continue }
            guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
                Glibc.close(lock)
                continue
            }
            for file in PrivateFolder.names(in: folder) where file.hasSuffix(".ring") {
                captures.perform { [self] in keepCrashed(folder + "/" + file) }
            }
            // Behind the files, on the same thread. The lock is held as long.
            captures.perform {
                Self.clear(folder)
                Glibc.close(lock)
            }
        }
    }

    private func keepCrashed(_ path: String) {
        do throws(FlightFileError) {
            let file = try FlightFile.read(path)
            do throws(CaptureFolderError) {
                note(.crashKept(path: try captures.keep(file.pieces, room: file.room, reason: "crash")))
            } catch {
                note(.crashLost(error.message))
            }
        } catch {
            note(.crashLost("\(path): \(error)"))
        }
        unsafe unlink(path)
    }
}
