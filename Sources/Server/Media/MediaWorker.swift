// One media worker: a loop thread, and on it the rooms given to it. The actor is the door for other threads; the work is
// `MediaTurn`'s, which lives on the thread and is entered without an isolation check per packet.
import EventLoop
import MediaCore

/// Where commands for the rooms of one worker are given. Beside the worker's own there are those of tests.
protocol WorkerDoor: Sendable {
    /// Takes a command; commands are obeyed in the order in which they were given.
    func post(_ command: WorkerCommand)
}

/// A media worker.
actor MediaWorker: WorkerDoor {
    nonisolated let loop: LoopThread
    nonisolated let index: Int
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
    private var turn: MediaTurn?

    init(index: Int) {
        self.index = index
        loop = LoopThread(name: "majlis-media-\(index)")
    }

    /// Begins: events go to `report`, called on the worker's thread in the order in which they happen.
    func start(
        _ settings: MediaSettings, metrics: WorkerMetrics, log: Log, report: @escaping @Sendable (WorkerEvent) -> Void
    )
        throws
    {
        turn = try MediaTurn(
            worker: index, loop: loop, settings: settings, metrics: metrics, log: log, report: report,
            resume: { [weak self, loop] body in
                loop.perform { self?.assumeIsolated { worker in if let turn = worker.turn { body(turn) } } }
            })
    }

    /// Undoes `start`, for a server that could not start as a whole: nothing is reported.
    func abandon() {
        turn?.close()
        turn = nil
    }

    /// Takes a command from another thread; commands are obeyed in the order in which they were given.
    nonisolated func post(_ command: WorkerCommand) {
        loop.perform { self.assumeIsolated { $0.turn?.receive(command) } }
    }
}
