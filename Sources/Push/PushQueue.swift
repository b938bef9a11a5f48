// The queue before one provider: bounded, in order, repeating what may be repeated until the message expires.

import EventLoop
import Tokens

/// A message that waits or is under way.
final class PushEntry {
    let notification: PushNotification
    let done: (PushOutcome) -> Void
    /// The same for every repetition, so that the provider can tell them.
    let id: String
    /// When it expires, by the monotonic clock, in nanoseconds.
    let deadline: Int64
    var attempts = 0
    /// Attempts that failed, those without a permission to send included.
    var failures = 0
    var renewals = 0
    var reason: String?
    /// When it may be sent again.
    var notBefore: Int64 = 0

    init(_ notification: PushNotification, deadline: Int64, done: @escaping (PushOutcome) -> Void) {
        self.notification = notification
        self.deadline = deadline
        self.done = done
        id = Self.identifier()
    }

    /// A random UUID (RFC 9562 §5.4), as `apns-id` wants it.
    private static func identifier() -> String {
        var bytes = SecureRandom.bytes(16)
        bytes[6] = bytes[6] & 0x0f | 0x40
        bytes[8] = bytes[8] & 0x3f | 0x80
        let digits = Array("0123456789abcdef")
        var text = ""
        for (index, byte) in bytes.enumerated() {
            if [4, 6, 8, 10].contains(index) { text.append("-") }
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return text
    }
}

/// The queue. On the loop's thread only.
final class PushQueue {
    /// How often a message is sent again because of an expired permission, at once; then it waits as for any failure.
    private static let immediateRenewals = 1
    /// The longest that one answer holds back every message, in seconds: afterwards the next one asks again.
    private static let longestPauseSeconds: Int64 = 300

    private let provider: any PushProvider
    private let configuration: PushConfiguration
    private let clock: PushClock
    private let transfers: HTTPTransfers
    private var timer: LoopTimer?
    private var waiting: [PushEntry] = []
    private var next = 0
    private var delayed: [PushEntry] = []
    /// When the first of them is due, or before.
    private var earliest = Int64.max
    private var underWay = 0
    private var pausedUntil: Int64 = 0
    private var pauseReason: String?
    private var isPumping = false
    private var isOpen = true
    private(set) var statistics = PushStatistics()

    init(
        on loop: LoopThread, provider: any PushProvider, configuration: PushConfiguration, clock: PushClock,
        transfers: HTTPTransfers
    ) {
        self.provider = provider
        self.configuration = configuration
        self.clock = clock
        self.transfers = transfers
        timer = LoopTimer(on: loop) { [weak self] in self?.pump() }
    }

    private var count: Int { waiting.count - next + delayed.count + underWay }

    func send(_ notification: PushNotification, done: @escaping (PushOutcome) -> Void) {
        guard isOpen else { return done(.closed) }
        let seconds = notification.expiresAt - clock.unixSeconds()
        let now = clock.monotonic()
        // No call rings for a day: more is a mistake, and must not overflow.
        let entry = PushEntry(notification, deadline: now + min(max(seconds, 0), 86_400) * 1_000_000_000, done: done)
        if let flaw = provider.flaw(of: notification) { return finish(entry, flaw) }
        if seconds <= 0 { return finish(entry, .expired(reason: nil)) }
        // Nothing leaves before the pause is over.
        if entry.deadline <= pausedUntil { return finish(entry, .expired(reason: pauseReason)) }
        if count >= configuration.queueLimit { dropExpired(at: now) }
        guard count < configuration.queueLimit else { return finish(entry, .queueFull) }
        waiting.append(entry)
        pump()
    }

    /// Takes back what has not left; answers how many.
    func withdraw(call: String) -> Int {
        let isOfCall: (PushEntry) -> Bool = { $0.notification.call == call }
        let withdrawn = waiting[next...].filter(isOfCall) + delayed.filter(isOfCall)
        keepWaiting { !isOfCall($0) }
        for entry in withdrawn { finish(entry, .withdrawn) }
        return withdrawn.count
    }

    func close() {
        guard isOpen else { return }
        isOpen = false
        timer?.close()
        let entries = waiting[next...] + delayed
        keepWaiting { _ in false }
        for entry in entries { finish(entry, .closed) }
    }

    private func keepWaiting(_ isKept: (PushEntry) -> Bool) {
        waiting = waiting[next...].filter(isKept)
        next = 0
        delayed.removeAll { !isKept($0) }
    }

    private func dropExpired(at instant: Int64, because reason: String? = nil) {
        let expired =
            waiting[next...].filter { $0.deadline <= instant } + delayed.filter { $0.deadline <= instant }
        guard !expired.isEmpty else { return }
        keepWaiting { $0.deadline > instant }
        for entry in expired { finish(entry, .expired(reason: entry.reason ?? reason)) }
    }

    /// Sends nothing more until then; what expires before is told so now.
    private func hold(until instant: Int64, because reason: String) {
        guard instant > pausedUntil else { return }
        pausedUntil = instant
        pauseReason = reason
        dropExpired(at: instant, because: reason)
    }

    private func finish(_ entry: PushEntry, _ outcome: PushOutcome) {
        statistics.count(outcome)
        entry.done(outcome)
    }

    // MARK: Sending

    private func pump() {
        // An answer may come from inside `begin`; the loop below goes on for it.
        guard isOpen, !isPumping else { return }
        isPumping = true
        defer { isPumping = false }
        let now = clock.monotonic()
        if earliest <= now {
            let due = delayed.filter { $0.notBefore <= now }
            delayed.removeAll { $0.notBefore <= now }
            earliest = delayed.map(\.notBefore).min() ?? .max
            // Those that wait longest expire first.
            waiting = due + waiting[next...]
            next = 0
        }
        while pausedUntil <= now, underWay < configuration.concurrentRequests, next < waiting.count {
            let entry = waiting[next]
            next += 1
            if next == waiting.count || next >= 1_024 && next * 2 >= waiting.count {
                waiting.removeFirst(next)
                next = 0
            }
            if entry.deadline <= now {
                finish(entry, .expired(reason: entry.reason))
            } else {
                underWay += 1
                begin(entry)
            }
        }
        // A timer that is called while the clock stands (in a test) must not spin.
        let first = min(earliest, pausedUntil > now && next < waiting.count ? pausedUntil : .max)
        if first < .max { timer?.start(after: max(1, (first - now) / 1_000_000 + 1)) }
    }

    private func begin(_ entry: PushEntry) {
        provider.authorize { [self] result in
            switch result {
            case .success(let authorization): send(entry, authorization)
            case .failure(.refused(let reason)): end(entry, .finished(.rejected(reason: reason)), "")
            case .failure(.later(let reason, let seconds)):
                end(entry, .again(reason: reason, afterSeconds: seconds, pauses: false), "")
            }
        }
    }

    private func send(_ entry: PushEntry, _ authorization: String) {
        let left = (entry.deadline - clock.monotonic()) / 1_000_000
        guard left > 0 else { return end(entry, .finished(.expired(reason: entry.reason)), authorization) }
        entry.attempts += 1
        statistics.requests += 1
        if entry.attempts > 1 { statistics.retries += 1 }
        let milliseconds = min(left, configuration.requestMilliseconds)
        let request = provider.request(
            for: entry.notification, id: entry.id, authorization: authorization, milliseconds: milliseconds)
        transfers.start(request) { [self] result in
            switch result {
            case .success(let answer):
                statistics.connections += answer.openedConnections
                end(entry, provider.verdict(on: answer), authorization)
            case .failure(.closed): end(entry, .finished(.closed), authorization)
            // Waiting makes no certificate right, and every call would ring into nothing meanwhile: say so at once.
            case .failure(.untrusted):
                end(entry, .finished(.rejected(reason: TransferFailure.untrusted.reason)), authorization)
            case .failure(let failure):
                // A last attempt that the message's end cut short says less than what the provider answered before.
                let isCutShort = failure == .timedOut && milliseconds < configuration.requestMilliseconds
                let reason = (isCutShort ? entry.reason : nil) ?? failure.reason
                end(entry, .again(reason: reason, afterSeconds: 0, pauses: false), authorization)
            }
        }
    }

    private func end(_ entry: PushEntry, _ verdict: Verdict, _ authorization: String) {
        underWay -= 1
        if case .finished = verdict {} else { entry.failures += 1 }
        switch verdict {
        case .finished(.accepted(let id)): finish(entry, .accepted(id: id ?? entry.id))
        case .finished(let outcome): finish(entry, outcome)
        case .unauthorized(let reason):
            entry.reason = reason
            let isRenewed = provider.renew(authorization)
            if isRenewed, entry.renewals < Self.immediateRenewals {
                entry.renewals += 1
                delay(entry, nanoseconds: 0)
            } else {
                delay(entry, nanoseconds: backOff(entry))
            }
        case .again(let reason, let seconds, let pauses):
            entry.reason = reason
            let asked = min(max(seconds, 0), 86_400) * 1_000_000_000
            if pauses {
                let pause = min(asked, Self.longestPauseSeconds * 1_000_000_000)
                hold(until: clock.monotonic() + pause, because: reason)
            }
            delay(entry, nanoseconds: max(asked, backOff(entry)))
        }
        pump()
    }

    /// Doubles with every failure up to the longest; half of it is chance, so that many do not come back together.
    private func backOff(_ entry: PushEntry) -> Int64 {
        let doublings = min(max(entry.failures - 1, 0), 16)
        let longest = min(configuration.retryMilliseconds << doublings, configuration.longestRetryMilliseconds)
        return Int64.random(in: max(longest / 2, 0)...max(longest, 0)) * 1_000_000
    }

    private func delay(_ entry: PushEntry, nanoseconds: Int64) {
        guard isOpen else { return finish(entry, .closed) }
        entry.notBefore = clock.monotonic() + nanoseconds
        // Told now: nothing that comes later would be in time.
        guard entry.notBefore < entry.deadline else { return finish(entry, .expired(reason: entry.reason)) }
        delayed.append(entry)
        earliest = min(earliest, entry.notBefore)
    }
}
