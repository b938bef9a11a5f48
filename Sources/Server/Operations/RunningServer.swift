// One server: its loops, workers and control plane, from start to a clean end. Several may run in one process, as tests do.
import EventLoop
import Glibc
import Storage
import Tokens

/// A server that runs.
public final class RunningServer: Sendable {
    /// The port that is listened on.
    public let port: Int
    private let loop: LoopThread
    private let control: ControlPlane
    private let workers: [MediaWorker]
    private let captures: CaptureServices
    private let durable: DurableState
    private let log: Log

    /// Starts everything; when it returns, clients may come.
    public convenience init(_ configuration: Configuration, log: Log) throws {
        try self.init(configuration, log: log) { worker, _ in worker }
    }

    /// Starts everything, with doors of choice before the workers: each gets its worker and what takes its events.
    init(
        _ configuration: Configuration, log: Log,
        doors: (MediaWorker, @escaping @Sendable (WorkerEvent) -> Void) -> any WorkerDoor
    ) throws {
        try configuration.validate()
        self.log = log
        let verifier = try Self.verifier(configuration)
        let count =
            configuration.media.workers > 0
            ? configuration.media.workers : max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        let metrics = ServerMetrics(workers: count)
        var settings = try MediaSettings(configuration)
        let push = try PushSettings.configuration(configuration.push)
        let durable = try DurableState(configuration.storage)
        let captures = CaptureServices(configuration.captures, log: log)
        settings.captures = captures
        let shared = settings
        let loop = LoopThread(name: "majlis-control")
        let control = ControlPlane(
            loop: loop, configuration: configuration, verifier: verifier, log: log, metrics: metrics,
            store: durable.store, push: push)
        let workers = (0..<count).map { MediaWorker(index: $0) }
        self.loop = loop
        self.control = control
        self.workers = workers
        self.captures = captures
        self.durable = durable
        do {
            for (index, worker) in workers.enumerated() {
                try Self.wait(on: worker.loop) {
                    try worker.assumeIsolated {
                        try $0.start(shared, metrics: metrics.workers[index], log: log) { control.post($0) }
                    }
                }
            }
            try Self.restoreCalls(loop, control)
            let doors = workers.map { doors($0, { control.post($0) }) }
            port = try Self.wait(on: loop) { try control.assumeIsolated { try $0.start(workers: doors) } }
        } catch {
            for worker in workers {
                try Self.wait(on: worker.loop) { worker.assumeIsolated { $0.abandon() } }
                worker.loop.stop()
            }
            loop.stop()
            captures.close()
            durable.close()
            throw error
        }
    }

    /// Closes in good order: everybody is told, every socket closed; returns when that is done.
    public func stop() {
        let done = Semaphore()
        loop.perform { [control] in control.assumeIsolated { $0.drain { done.signal() } } }
        done.wait()
        for worker in workers { worker.loop.stop() }
        loop.stop()
        captures.close()
        durable.close()
    }

    /// Has the calls of another run taken over before anybody can connect.
    private static func restoreCalls(_ loop: LoopThread, _ control: ControlPlane) throws(ConfigurationError) {
        let failure = Lock<StoreError?>(nil)
        let done = Semaphore()
        loop.perform {
            control.assumeIsolated {
                $0.restoreCalls { error in
                    failure.withLock { $0 = error }
                    done.signal()
                }
            }
        }
        done.wait()
        if let error = failure.withLock({ $0 }) { throw ConfigurationError("storage.path: \(error)") }
    }

    /// From its return on SIGTERM and SIGINT are watched: the first raises what is returned, a second one ends the process
    /// with 1.
    func watchSignals() throws -> Semaphore {
        let asked = Semaphore()
        let count = Counter()
        try Self.wait(on: loop) { [loop, log] in
            for number in [SIGTERM, SIGINT] {
                let watch = try? SignalWatch(on: loop, signal: number) {
                    count.add(1)
                    if count.value > 1 {
                        log(.warning, "a second signal: ending at once")
                        _exit(1)
                    }
                    asked.signal()
                }
                if watch == nil { log(.error, "cannot watch for signals; only SIGKILL will end this server") }
            }
        }
        return asked
    }

    private static func verifier(_ configuration: Configuration) throws -> TokenVerifier {
        var keys: [TokenKey] = []
        if !configuration.tokens.secret.isEmpty {
            keys.append(try TokenKey(secret: Array(configuration.tokens.secret.utf8)))
        }
        for path in configuration.tokens.publicKeyFiles {
            guard let bytes = Command.readFile(path, limit: 65_536) else {
                throw ConfigurationError(
                    "tokens.publicKeyFiles: cannot read \(path): \(unsafe String(cString: strerror(errno)))")
            }
            let pem = String(decoding: bytes, as: UTF8.self)
            let fitting = [TokenAlgorithm.rs256, .es256, .edDSA].lazy.compactMap { algorithm in
                try? TokenKey(pem: pem, algorithm: algorithm)
            }
            guard let key = fitting.first else {
                throw ConfigurationError(
                    "tokens.publicKeyFiles: \(path) is no PEM public key for RS256 (2048 bits or more), ES256 or EdDSA")
            }
            keys.append(key)
        }
        let audience = configuration.tokens.audience
        return TokenVerifier(keys: keys, audience: audience.isEmpty ? nil : audience)
    }

    /// Runs `body` on a loop's thread and waits for it.
    private static func wait<Value: Sendable>(
        on loop: LoopThread, _ body: @escaping @Sendable () throws -> Value
    ) throws -> Value {
        let result = Lock<Result<Value, any Error>?>(nil)
        let done = Semaphore()
        loop.perform {
            let value = Result { try body() }
            result.withLock { $0 = value }
            done.signal()
        }
        done.wait()
        guard let value = result.withLock({ $0 }) else { preconditionFailure("a loop that signals has a result") }
        return try value.get()
    }
}

/// Lets one thread wait for another.
@safe final class Semaphore: @unchecked Sendable {
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() {
        let status = unsafe sem_init(semaphore, 0, 0)
        precondition(status == 0, "an unnamed semaphore needs no resource")
    }
    func signal() { unsafe sem_post(semaphore) }
    func wait() { while unsafe sem_wait(semaphore) != 0 {} }
    deinit {
        unsafe sem_destroy(semaphore)
        unsafe semaphore.deallocate()
    }
}
