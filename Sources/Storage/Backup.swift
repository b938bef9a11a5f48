// A copy of the whole database, a few pages at a time between commits (SQLite's online backup).

internal import CSQLite
import Glibc

/// A backup under way. Only the store's thread touches it once it was handed over.
@safe final class BackupOperation: @unchecked Sendable {
    /// Pages of 4 KiB that are copied between two commits.
    private static let pagesPerStep: Int32 = 256

    private let path: String
    private let partialPath: String
    private let done: @Sendable (Result<Void, StoreError>) -> Void
    private var hasPartialFile = false
    private var target: OpaquePointer?
    private var backup: OpaquePointer?

    init(path: String, done: @escaping @Sendable (Result<Void, StoreError>) -> Void) {
        self.path = path
        partialPath = path + ".partial"
        self.done = done
    }

    /// Copies some pages; whether that was all, or failed, and whoever waits was told.
    func isFinished(afterStepping connection: Connection) -> Bool {
        do throws(StoreError) {
            guard try isComplete(afterStepping: connection) else { return false }
            finish(nil)
        } catch {
            finish(error)
        }
        return true
    }

    private func isComplete(afterStepping connection: Connection) throws(StoreError) -> Bool {
        if unsafe backup == nil { try begin(connection) }
        let status = unsafe sqlite3_backup_step(backup, Self.pagesPerStep)
        switch status {
        case SQLITE_OK: return false
        case SQLITE_DONE:
            // The copy is written to the disk as it is closed.
            closeTarget()
            guard unsafe rename(partialPath, path) == 0 else { throw targetError(errno) }
            hasPartialFile = false
            return true
        case SQLITE_FULL: throw .diskFull
        default: throw .failed(reason: unsafe String(cString: sqlite3_errstr(status)))
        }
    }

    private func begin(_ connection: Connection) throws(StoreError) {
        unsafe unlink(partialPath)
        let descriptor = unsafe open(partialPath, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw targetError(errno) }
        close(descriptor)
        hasPartialFile = true
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX
        guard unsafe sqlite3_open_v2(partialPath, &target, flags, nil) == SQLITE_OK else {
            throw .cannotOpen(path: path, reason: unsafe String(cString: sqlite3_errmsg(target)))
        }
        unsafe backup = sqlite3_backup_init(target, "main", connection.database, "main")
        guard unsafe backup != nil else {
            throw .failed(reason: unsafe String(cString: sqlite3_errmsg(target)))
        }
    }

    private func targetError(_ code: Int32) -> StoreError {
        .cannotOpen(path: path, reason: unsafe String(cString: strerror(code)))
    }

    private func closeTarget() {
        unsafe sqlite3_backup_finish(backup)
        unsafe sqlite3_close_v2(target)
        unsafe backup = nil
        unsafe target = nil
    }

    /// Ends it and tells whoever waits.
    func finish(_ failure: StoreError?) {
        closeTarget()
        guard let failure else { return done(.success(())) }
        if hasPartialFile { unsafe unlink(partialPath) }
        done(.failure(failure))
    }
}
