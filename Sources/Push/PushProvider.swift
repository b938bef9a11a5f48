// What the two providers have in common for the queue before them: a permission, a request, and what an answer means.

/// The clocks that tokens are made by, so that tests can let an hour pass.
package struct PushClock: Sendable {
    /// Unix seconds.
    package var unixSeconds: @Sendable () -> Int64
    /// Nanoseconds of a clock that never goes back.
    package var monotonic: @Sendable () -> Int64

    /// Clocks.
    package init(unixSeconds: @escaping @Sendable () -> Int64, monotonic: @escaping @Sendable () -> Int64) {
        self.unixSeconds = unixSeconds
        self.monotonic = monotonic
    }
}

/// What an answer means for a message.
enum Verdict: Equatable {
    case finished(PushOutcome)
    /// Again, after what the provider asks for or the usual wait. `pauses`: the same holds for every other message.
    case again(reason: String, afterSeconds: Int64, pauses: Bool)
    /// Again with a new permission.
    case unauthorized(reason: String)
}

/// Why there is no permission.
enum AuthorizationFailure: Error, Equatable {
    /// It may be had later.
    case later(reason: String, afterSeconds: Int64)
    /// The keys are wrong.
    case refused(reason: String)
}

/// One of the providers. On the loop's thread only.
protocol PushProvider: AnyObject {
    /// Why a message cannot be sent to it at all, or nil.
    func flaw(of notification: PushNotification) -> PushOutcome?
    /// Answers the value of the `authorization` header, at once or later.
    func authorize(_ done: @escaping (Result<String, AuthorizationFailure>) -> Void)
    /// The provider calls this value expired: whether a new one can be had now.
    func renew(_ authorization: String) -> Bool
    func request(for notification: PushNotification, id: String, authorization: String, milliseconds: Int64)
        -> HTTPRequest
    func verdict(on answer: HTTPAnswer) -> Verdict
}

/// Words of providers, before they are handed on.
enum Words {
    /// A reason code as it is, or the status for whatever is none: an answer's text is nobody's to print.
    static func reason(_ word: String?, status: Int) -> String {
        guard let word, !word.isEmpty, word.utf8.count <= 64,
            word.utf8.allSatisfy({ isLetterOrDigit($0) || $0 == UInt8(ascii: "_") })
        else { return "status \(status)" }
        return word
    }

    static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
    }

    /// Whether the text can stand in a header: visible ASCII, not empty.
    static func isVisible(_ text: String, bytes: Int) -> Bool {
        !text.isEmpty && text.utf8.count <= bytes && text.utf8.allSatisfy { (0x21...0x7e).contains($0) }
    }
}
