// Messages that wake devices, through Apple's and Google's services, on a loop. Knows no user and no call: who is woken, and
// what is done with an invalid token, is the caller's.

public import EventLoop
import Glibc
import Tokens

/// Sends push messages. All its methods, and what it calls back, are for the loop's own thread (a precondition). The loop's
/// stop closes it; whoever lets go of it before closes it first (a precondition).
public final class PushSender {
    private let loop: LoopThread
    private let transfers: HTTPTransfers
    private let apns: (production: PushQueue, sandbox: PushQueue, token: APNsProviderToken)?
    private let fcm: (queue: PushQueue, token: FCMAccessToken)?
    private var isOpen = true

    /// A sender; nothing is connected before the first message.
    /// - Throws: `PushError`: a key, an endpoint or the file of certificates cannot be used.
    public convenience init(on loop: LoopThread, configuration: PushConfiguration) throws(PushError) {
        let clock = PushClock(unixSeconds: { WallClock.seconds }, monotonic: { MonotonicClock.now })
        try self.init(on: loop, configuration: configuration, clock: clock)
    }

    /// A sender with other clocks: for tests.
    package init(on loop: LoopThread, configuration: PushConfiguration, clock: PushClock) throws(PushError) {
        precondition(loop.onThread, "only to be called on the loop's own thread")
        try Self.check(configuration)
        let token: APNsProviderToken? =
            if let apns = configuration.apns { try APNsProviderToken(apns, clock: clock) } else { nil }
        let transfers = try HTTPTransfers(
            on: loop, authorityFile: configuration.authorityFile, proxy: configuration.proxy)
        let queue: (any PushProvider) -> PushQueue = { provider in
            PushQueue(on: loop, provider: provider, configuration: configuration, clock: clock, transfers: transfers)
        }
        do throws(PushError) {
            if let configuration = configuration.apns, let token {
                let ends = try [configuration.endpoint, configuration.sandboxEndpoint].map {
                    (endpoint) throws(PushError) in
                    try APNsProvider(endpoint: endpoint, bundleID: configuration.bundleID, token: token)
                }
                apns = (queue(ends[0]), queue(ends[1]), token)
            } else {
                apns = nil
            }
            if let configuration = configuration.fcm {
                let token = try FCMAccessToken(configuration, clock: clock, transfers: transfers)
                fcm = (queue(try FCMProvider(configuration, token: token, clock: clock)), token)
            } else {
                fcm = nil
            }
        } catch {
            transfers.close()
            throw error
        }
        self.loop = loop
        self.transfers = transfers
        loop.atStop { [weak self] finished in
            self?.close()
            finished()
        }
    }

    private static func check(_ configuration: PushConfiguration) throws(PushError) {
        let endpoints = [
            configuration.apns?.endpoint, configuration.apns?.sandboxEndpoint, configuration.fcm?.endpoint,
            configuration.fcm?.tokenEndpoint,
        ]
        for endpoint in endpoints {
            guard let endpoint else { continue }
            guard endpoint.hasPrefix("https://"), Words.isVisible(endpoint, bytes: 1_024) else {
                throw .insecureEndpoint(endpoint)
            }
        }
        if let path = configuration.authorityFile, unsafe access(path, R_OK) != 0 {
            throw .unreadableAuthorityFile(path: path)
        }
    }

    deinit { precondition(!isOpen, "a sender is closed before it goes") }

    /// Sends a message, repeating it until it is taken, refused or expired. `done` is called once, at the earliest from
    /// inside this call, at the latest shortly after the message expired.
    public func send(_ notification: PushNotification, done: @escaping (PushOutcome) -> Void) {
        precondition(loop.onThread, "only to be called on the loop's own thread")
        guard isOpen else { return done(.closed) }
        guard let queue = queue(for: notification.target) else { return done(.notConfigured) }
        queue.send(notification, done: done)
    }

    /// Takes back the messages of a call that have not left, because it is over; answers how many. What is under way stays
    /// so, and is answered as it ends.
    @discardableResult
    public func withdraw(call: String) -> Int {
        precondition(loop.onThread, "only to be called on the loop's own thread")
        return queues.reduce(0) { $0 + $1.withdraw(call: call) }
    }

    /// Ends it: everything that waits or is under way is answered with `closed`. Closing twice is nothing.
    public func close() {
        precondition(loop.onThread, "only to be called on the loop's own thread")
        guard isOpen else { return }
        isOpen = false
        for queue in queues { queue.close() }
        transfers.close()
    }

    /// The counts, over all providers.
    public var statistics: PushStatistics {
        var sum = PushStatistics()
        for statistics in queues.map(\.statistics) {
            sum.requests += statistics.requests
            sum.retries += statistics.retries
            sum.accepted += statistics.accepted
            sum.invalidTokens += statistics.invalidTokens
            sum.rejected += statistics.rejected
            sum.expired += statistics.expired
            sum.queueFull += statistics.queueFull
            sum.connections += statistics.connections
        }
        sum.authorizations = (apns?.token.count ?? 0) + (fcm?.token.count ?? 0)
        return sum
    }

    private var queues: [PushQueue] {
        (apns.map { [$0.production, $0.sandbox] } ?? []) + (fcm.map { [$0.queue] } ?? [])
    }

    private func queue(for target: PushNotification.Target) -> PushQueue? {
        switch target {
        case .apns(_, let isSandbox): isSandbox ? apns?.sandbox : apns?.production
        case .fcm: fcm?.queue
        }
    }
}
