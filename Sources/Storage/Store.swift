// The durable state: opening, closing, and the way of an operation to the thread and back. The operations themselves are in
// the files beside this one. Reads no clock: every time is an argument, in Unix milliseconds.

/// How the store works.
public struct StoreConfiguration: Hashable, Sendable {
    /// Operations that may wait; one more is refused with `StoreError.queueFull`.
    public var queueLimit: Int
    /// How long another process may hold the file before an operation fails with `StoreError.busy`, in milliseconds.
    public var busyMilliseconds: Int32

    /// A configuration.
    public init(queueLimit: Int = 20_000, busyMilliseconds: Int32 = 5_000) {
        self.queueLimit = queueLimit
        self.busyMilliseconds = busyMilliseconds
    }
}

/// The durable state of calls in one SQLite file: devices and push tokens, block lists, active, missed and past calls.
///
/// Operations are done in the order they were called in, on a thread of their own. Whatever a method that writes returns
/// without an error is on the disk (`fsync`) and survives the process and, as far as the disk keeps its word, the power.
/// Operations that wait together share one commit. A task that is cancelled does not take back what it asked for.
public final class Store: Sendable {
    private let thread: StoreThread

    /// Opens the file or makes it, checks it, and brings its tables to the newest version. Blocks until that is done.
    /// - Throws: `StoreError`: the file is damaged, another program's, a newer Majlis's, or cannot be written.
    public convenience init(
        path: String, configuration: StoreConfiguration = StoreConfiguration()
    ) throws(StoreError) {
        try self.init(path: path, configuration: configuration, migrations: Schema.migrations)
    }

    /// Opens the file with other tables: for tests of migrations.
    package init(
        path: String, configuration: StoreConfiguration = StoreConfiguration(), migrations: [Migration]
    ) throws(StoreError) {
        thread = StoreThread(path: path, configuration: configuration, migrations: migrations)
        try thread.start()
    }

    deinit { thread.requestClose() }

    /// Does what waits, closes the file and ends the thread; blocks until that is done. Later operations fail with
    /// `StoreError.closed`. Closing twice is nothing.
    public func close() { thread.close() }

    /// How many commits there were so far.
    package var commitCount: Int { thread.commitCount }

    /// Copies the database as it is into another file while the store goes on working. The file appears when it is
    /// complete; one that is there is replaced.
    /// - Throws: `StoreError.cannotOpen` and others, when the copy cannot be written.
    public func backUp(to path: String) async throws(StoreError) {
        let result: Result<Void, StoreError> = await withCheckedContinuation { continuation in
            let backup = BackupOperation(path: path) { continuation.resume(returning: $0) }
            if let failure = thread.add(backup) { backup.finish(failure) }
        }
        try result.get()
    }

    func read<Answer: Sendable>(
        _ body: @escaping @Sendable (Connection) throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer {
        try await perform(writes: false, emptiesLog: false, body)
    }

    func write<Answer: Sendable>(
        emptyingLog: Bool = false, _ body: @escaping @Sendable (Connection) throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer {
        try await perform(writes: true, emptiesLog: emptyingLog, body)
    }

    private func perform<Answer: Sendable>(
        writes: Bool, emptiesLog: Bool, _ body: @escaping @Sendable (Connection) throws(StoreError) -> Answer
    ) async throws(StoreError) -> Answer {
        let result: Result<Answer, StoreError> = await withCheckedContinuation { continuation in
            let operation = AwaitedOperation(
                writes: writes, emptiesLog: emptiesLog, body: body, continuation: continuation)
            if let failure = thread.add(operation) { operation.finish(failure) }
        }
        return try result.get()
    }
}

/// An operation that a task waits for. After it was queued only the thread touches it.
private final class AwaitedOperation<Answer: Sendable>: Operation, @unchecked Sendable {
    let writes: Bool
    let emptiesLog: Bool
    private let body: @Sendable (Connection) throws(StoreError) -> Answer
    private let continuation: CheckedContinuation<Result<Answer, StoreError>, Never>
    private var answer: Answer?

    init(
        writes: Bool, emptiesLog: Bool, body: @escaping @Sendable (Connection) throws(StoreError) -> Answer,
        continuation: CheckedContinuation<Result<Answer, StoreError>, Never>
    ) {
        self.writes = writes
        self.emptiesLog = emptiesLog
        self.body = body
        self.continuation = continuation
    }

    func execute(_ connection: Connection) -> StoreError? {
        do throws(StoreError) {
            answer = try body(connection)
            return nil
        } catch {
            return error
        }
    }

    func finish(_ failure: StoreError?) {
        if let answer, failure == nil {
            continuation.resume(returning: .success(answer))
        } else {
            continuation.resume(returning: .failure(failure ?? .closed))
        }
    }
}
