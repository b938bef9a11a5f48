// The one thread that owns the connection: a bounded queue, and one commit for all that waits in it. Knows no table.

import Glibc

/// Something to be done with the connection.
protocol Operation: Sendable {
    /// Whether it writes.
    var writes: Bool { get }
    /// Whether the log must hold nothing of before when it is acknowledged.
    var emptiesLog: Bool { get }
    /// Does it; the answer is kept. Answers the failure.
    func execute(_ connection: Connection) -> StoreError?
    /// Gives the answer to whoever waits, or the failure of what came after.
    func finish(_ failure: StoreError?)
}

/// The thread.
@safe final class StoreThread: @unchecked Sendable {
    /// How many operations share a commit at most.
    static let operationsPerCommit = 512

    private enum Phase {
        case opening
        case open
        case closing
        case closed(StoreError?)
    }

    private let path: String
    private let configuration: StoreConfiguration
    private let migrations: [Migration]
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>

    // Behind the mutex.
    private var queue: [any Operation] = []
    private var phase = Phase.opening
    private var commits = 0
    private var newBackups: [BackupOperation] = []

    // The thread's own.
    private var backups: [BackupOperation] = []

    init(path: String, configuration: StoreConfiguration, migrations: [Migration]) {
        self.path = path
        self.configuration = configuration
        self.migrations = migrations
        unsafe mutex = .allocate(capacity: 1)
        unsafe changed = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe changed.initialize(to: pthread_cond_t())
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(changed, nil)
    }

    deinit {
        unsafe pthread_cond_destroy(changed)
        unsafe pthread_mutex_destroy(mutex)
        unsafe changed.deallocate()
        unsafe mutex.deallocate()
    }

    private func locked<Result>(_ body: () -> Result) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return body()
    }

    /// Starts the thread, and waits until the file is open.
    func start() throws(StoreError) {
        var thread = pthread_t()
        let argument = unsafe Unmanaged.passRetained(self)
        let status = unsafe pthread_create(
            &thread, nil,
            { raw in
                guard let raw = unsafe raw else { return nil }
                unsafe Unmanaged<StoreThread>.fromOpaque(raw).takeRetainedValue().run()
                return nil
            }, argument.toOpaque())
        guard status == 0 else {
            unsafe argument.release()
            throw .failed(reason: "the process can start no more threads")
        }
        // It says itself when it has ended: nobody joins it.
        pthread_detach(thread)
        let failure: StoreError? = locked {
            while case .opening = phase { unsafe pthread_cond_wait(changed, mutex) }
            if case .closed(let failure) = phase { return failure }
            return nil
        }
        if let failure { throw failure }
    }

    /// Ends the thread once everything in the queue is done; does not wait for it.
    func requestClose() {
        locked {
            if case .open = phase { phase = .closing }
            unsafe pthread_cond_broadcast(changed)
        }
    }

    /// Ends the thread once everything in the queue is done, and waits for it.
    func close() {
        requestClose()
        locked {
            while true {
                if case .closed = phase { return }
                unsafe pthread_cond_wait(changed, mutex)
            }
        }
    }

    /// How many commits there were.
    var commitCount: Int { locked { commits } }

    /// Takes an operation; answers why not.
    func add(_ operation: any Operation) -> StoreError? {
        locked {
            guard case .open = phase else { return .closed }
            guard queue.count < configuration.queueLimit else { return .queueFull(limit: configuration.queueLimit) }
            queue.append(operation)
            unsafe pthread_cond_broadcast(changed)
            return nil
        }
    }

    /// Takes a backup; answers why not.
    func add(_ backup: BackupOperation) -> StoreError? {
        locked {
            guard case .open = phase else { return .closed }
            newBackups.append(backup)
            unsafe pthread_cond_broadcast(changed)
            return nil
        }
    }

    // MARK: The thread

    private func run() {
        var failure: StoreError?
        do throws(StoreError) {
            let connection = try open()
            locked {
                phase = .open
                unsafe pthread_cond_broadcast(changed)
            }
            serve(connection)
        } catch {
            failure = error
        }
        // The connection is closed before anybody is told.
        locked {
            phase = .closed(failure)
            unsafe pthread_cond_broadcast(changed)
        }
    }

    private func open() throws(StoreError) -> Connection {
        // SQLite would make the file readable by everybody; its log takes over the file's mode.
        let descriptor = unsafe Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            let code = errno
            if code == EACCES || code == EROFS || code == EPERM { throw .notWritable(path: path) }
            throw .cannotOpen(path: path, reason: unsafe String(cString: strerror(code)))
        }
        Glibc.close(descriptor)
        let connection = try Connection(path: path, busyMilliseconds: configuration.busyMilliseconds)
        do throws(StoreError) {
            try Schema.prepare(connection, migrations: migrations)
        } catch .cannotOpen {
            // The file was opened above: it is the log beside it that cannot be made.
            throw .notWritable(path: path)
        }
        return connection
    }

    private func serve(_ connection: Connection) {
        while let batch = nextBatch() {
            commit(batch, connection)
            backups.removeAll { $0.isFinished(afterStepping: connection) }
        }
        for backup in backups { backup.finish(.closed) }
        backups = []
    }

    /// What waits; empty when only a backup has something to do, nil at the end.
    private func nextBatch() -> [any Operation]? {
        locked {
            while queue.isEmpty, newBackups.isEmpty, backups.isEmpty {
                guard case .open = phase else { return nil }
                unsafe pthread_cond_wait(changed, mutex)
            }
            if queue.isEmpty, case .closing = phase {
                backups += newBackups
                newBackups = []
                return nil
            }
            backups += newBackups
            newBackups = []
            var batch = Array(queue.prefix(Self.operationsPerCommit))
            // One that empties the log is the last of its commit: it is acknowledged after more than the commit.
            if let last = batch.firstIndex(where: { $0.emptiesLog }) { batch.removeSubrange((last + 1)...) }
            queue.removeFirst(batch.count)
            return batch
        }
    }

    /// Does the operations in order, in one transaction when one of them writes. Everybody is answered after the commit,
    /// readers too: nobody is told what could still be lost.
    private func commit(_ batch: [any Operation], _ connection: Connection) {
        guard batch.contains(where: { $0.writes }) else {
            for operation in batch { operation.finish(operation.execute(connection)) }
            return
        }
        var failure: StoreError?
        var failures: [StoreError?] = []
        do throws(StoreError) {
            try connection.execute("BEGIN IMMEDIATE")
            for operation in batch { failures.append(try step(operation, connection)) }
            try connection.execute("COMMIT")
            if batch.last?.emptiesLog == true { try emptyLog(connection) }
        } catch {
            failure = error
            if connection.isInTransaction { try? connection.execute("ROLLBACK") }
        }
        locked { commits += 1 }
        for (index, operation) in batch.enumerated() {
            if failure != nil, !operation.writes {
                // Reading needs nobody's lock: what the writers failed at is not its failure.
                operation.finish(operation.execute(connection))
            } else {
                operation.finish(failure ?? failures[index])
            }
        }
    }

    /// Does one operation of a transaction; its failure undoes it alone. Throws when the whole transaction is gone.
    private func step(_ operation: any Operation, _ connection: Connection) throws(StoreError) -> StoreError? {
        guard operation.writes else { return operation.execute(connection) }
        try connection.execute("SAVEPOINT operation")
        let failure = operation.execute(connection)
        if let failure {
            guard connection.isInTransaction else { throw failure }
            try connection.execute("ROLLBACK TO operation")
        }
        try connection.execute("RELEASE operation")
        return failure
    }

    private func emptyLog(_ connection: Connection) throws(StoreError) {
        // The first column says whether somebody else was reading from the log.
        guard try connection.number("PRAGMA wal_checkpoint(TRUNCATE)") == 0 else { throw .busy }
    }
}
