// Firebase Cloud Messaging: data messages of high priority by the HTTP v1 interface, the service account's access token
// (RFC 7523), and what the answers mean ("FCM error codes", "Best practices when sending FCM messages at scale").

import EventLoop
import Tokens

/// The access token of a service account: fetched once for all who need it, kept until shortly before it expires.
final class FCMAccessToken {
    static let scope = "https://www.googleapis.com/auth/firebase.messaging"
    /// A token is not used in its last minutes: a request may be under way for a while.
    static let marginSeconds: Int64 = 300
    /// How long keys that were refused are not tried again.
    static let refusedSeconds: Int64 = 30
    private static let requestMilliseconds: Int64 = 10_000

    private struct Claims: Encodable {
        var iss: String
        var scope: String
        var aud: String
        var iat: Int64
        var exp: Int64
    }

    private enum State {
        case none
        case fetching([(Result<String, AuthorizationFailure>) -> Void])
        case held(value: String, until: Int64)
        case refused(AuthorizationFailure, until: Int64)
    }

    private let signer: TokenSigner
    private let email: String
    private let endpoint: String
    private let clock: PushClock
    private let transfers: HTTPTransfers
    private var state = State.none
    private(set) var count = 0

    init(
        _ configuration: FCMConfiguration, clock: PushClock, transfers: HTTPTransfers
    ) throws(PushError) {
        signer = try Self.signer(configuration)
        email = configuration.clientEmail
        endpoint = configuration.tokenEndpoint
        self.clock = clock
        self.transfers = transfers
    }

    static func signer(_ configuration: FCMConfiguration) throws(PushError) -> TokenSigner {
        do throws(TokenKeyError) {
            let key = try TokenKey(
                pem: configuration.privateKey.text, algorithm: .rs256, name: configuration.privateKeyID)
            return try TokenSigner(key: key)
        } catch {
            throw .keyUnusable(provider: "FCM", error)
        }
    }

    func value(_ done: @escaping (Result<String, AuthorizationFailure>) -> Void) {
        let now = clock.monotonic()
        switch state {
        case .held(let value, let until) where now < until: done(.success(value))
        case .refused(let failure, let until) where now < until: done(.failure(failure))
        case .fetching(let waiting): state = .fetching(waiting + [done])
        case .none, .held, .refused: fetch(done)
        }
    }

    /// The provider calls this one expired: another is fetched for the next who asks.
    func forget(_ value: String) {
        if case .held(value, _) = state { state = .none }
    }

    private func fetch(_ done: @escaping (Result<String, AuthorizationFailure>) -> Void) {
        let now = clock.unixSeconds()
        let claims = Claims(iss: email, scope: Self.scope, aud: endpoint, iat: now, exp: now + 3_600)
        guard let assertion = try? signer.sign(claims: claims) else {
            return done(.failure(.refused(reason: "no assertion")))
        }
        state = .fetching([done])
        count += 1
        // A signed token has no character that a form would have to escape.
        let form = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=" + assertion
        let request = HTTPRequest(
            url: endpoint, headers: ["content-type: application/x-www-form-urlencoded"], body: Array(form.utf8),
            milliseconds: Self.requestMilliseconds)
        transfers.start(request) { [weak self] answer in self?.finish(answer) }
    }

    private func finish(_ answer: Result<HTTPAnswer, TransferFailure>) {
        guard case .fetching(let waiting) = state else { return }
        let result = read(answer)
        switch result {
        case .success(let token):
            let seconds = max(token.seconds - Self.marginSeconds, token.seconds / 2)
            state = .held(value: token.value, until: clock.monotonic() + seconds * 1_000_000_000)
        case .failure(let failure):
            if case .refused = failure {
                state = .refused(failure, until: clock.monotonic() + Self.refusedSeconds * 1_000_000_000)
            } else {
                state = .none
            }
        }
        for done in waiting { done(result.map(\.value)) }
    }

    private func read(
        _ answer: Result<HTTPAnswer, TransferFailure>
    ) -> Result<(value: String, seconds: Int64), AuthorizationFailure> {
        struct Grant: Decodable {
            var token: String
            var seconds: Int64

            enum CodingKeys: String, CodingKey {
                case token = "access_token"
                case seconds = "expires_in"
            }
        }
        struct Refusal: Decodable { var error: String? }
        switch answer {
        case .failure(.untrusted): return .failure(.refused(reason: TransferFailure.untrusted.reason))
        case .failure(let failure): return .failure(.later(reason: "access token: " + failure.reason, afterSeconds: 0))
        case .success(let answer) where answer.status == 200:
            guard let grant = TokenJSON.decode(Grant.self, from: answer.body),
                Words.isVisible(grant.token, bytes: 8_192), (1...86_400).contains(grant.seconds)
            else { return .failure(.later(reason: "access token: malformed", afterSeconds: 0)) }
            return .success((grant.token, grant.seconds))
        case .success(let answer) where answer.status == 429 || answer.status >= 500:
            return .failure(
                .later(reason: "access token: status \(answer.status)", afterSeconds: answer.retryAfterSeconds))
        case .success(let answer):
            let word = TokenJSON.decode(Refusal.self, from: answer.body)?.error
            return .failure(.refused(reason: "access token: " + Words.reason(word, status: answer.status)))
        }
    }
}

/// Google's service.
final class FCMProvider: PushProvider {
    /// Bytes of a message's data at most, keys and values.
    static let payloadBytes = 4_096
    private static let tokenBytes = 4_096
    /// What to wait after a 429 that does not say.
    private static let quotaSeconds: Int64 = 60

    private let url: String
    private let token: FCMAccessToken
    private let clock: PushClock

    init(_ configuration: FCMConfiguration, token: FCMAccessToken, clock: PushClock) throws(PushError) {
        let project = configuration.projectID
        // In a path.
        guard !project.isEmpty, project.utf8.count <= 128,
            project.utf8.allSatisfy({ Words.isLetterOrDigit($0) || $0 == UInt8(ascii: "-") })
        else { throw .malformed(field: "The FCM project") }
        url = configuration.endpoint + "/v1/projects/" + project + "/messages:send"
        self.token = token
        self.clock = clock
    }

    private struct Body: Encodable {
        struct Message: Encodable {
            struct Android: Encodable {
                var priority = "HIGH"
                var ttl: String
            }
            var token: String
            var data: [String: String]
            var android: Android
        }
        var message: Message
    }

    func flaw(of notification: PushNotification) -> PushOutcome? {
        guard case .fcm(let token) = notification.target, Words.isVisible(token.text, bytes: Self.tokenBytes) else {
            return .tokenInvalid(since: nil)
        }
        let isReserved = notification.data.keys.contains {
            $0 == "from" || $0 == "message_type" || $0.hasPrefix("google") || $0.hasPrefix("gcm")
        }
        if isReserved { return .rejected(reason: "reserved key") }
        let bytes = notification.data.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        return bytes > Self.payloadBytes ? .rejected(reason: "payload too large") : nil
    }

    func authorize(_ done: @escaping (Result<String, AuthorizationFailure>) -> Void) {
        token.value { done($0.map { "Bearer " + $0 }) }
    }

    func renew(_ authorization: String) -> Bool {
        token.forget(String(authorization.dropFirst("Bearer ".count)))
        return true
    }

    func request(
        for notification: PushNotification, id: String, authorization: String, milliseconds: Int64
    ) -> HTTPRequest {
        guard case .fcm(let token) = notification.target else {
            preconditionFailure("a message for another provider has a flaw, and is not sent")
        }
        let seconds = max(0, notification.expiresAt - clock.unixSeconds())
        let body = Body(
            message: .init(token: token.text, data: notification.data, android: .init(ttl: "\(seconds)s")))
        return HTTPRequest(
            url: url, headers: ["authorization: " + authorization, "content-type: application/json"],
            body: TokenJSON.encode(body) ?? [], milliseconds: milliseconds)
    }

    private struct Answer: Decodable {
        struct Failure: Decodable {
            struct Detail: Decodable {
                struct Violation: Decodable { var field: String? }
                var errorCode: String?
                var fieldViolations: [Violation]?
            }
            var status: String?
            var details: [Detail]?
        }
        var name: String?
        var error: Failure?
    }

    func verdict(on answer: HTTPAnswer) -> Verdict {
        let body = TokenJSON.decode(Answer.self, from: answer.body)
        if answer.status == 200 { return .finished(.accepted(id: body?.name)) }
        let details = body?.error?.details ?? []
        let code = details.lazy.compactMap(\.errorCode).first
        let reason = Words.reason(code ?? body?.error?.status, status: answer.status)
        switch (answer.status, reason) {
        case (404, "UNREGISTERED"): return .finished(.tokenInvalid(since: nil))
        case (400, "INVALID_ARGUMENT"):
            // Said of a malformed token, and of a malformed message: then the fields at fault are others.
            let fields = details.flatMap { $0.fieldViolations ?? [] }.compactMap(\.field)
            let isToken = code != nil && fields.allSatisfy { $0 == "message.token" }
            return .finished(isToken ? .tokenInvalid(since: nil) : .rejected(reason: reason))
        // A refusal for other keys than the access token is for good.
        case (401, "THIRD_PARTY_AUTH_ERROR"): return .finished(.rejected(reason: reason))
        case (401, _): return .unauthorized(reason: reason)
        case (429, _):
            let seconds = answer.retryAfterSeconds > 0 ? answer.retryAfterSeconds : Self.quotaSeconds
            return .again(reason: reason, afterSeconds: seconds, pauses: true)
        case (500..., _):
            return .again(reason: reason, afterSeconds: answer.retryAfterSeconds, pauses: answer.retryAfterSeconds > 0)
        default: return .finished(.rejected(reason: reason))
        }
    }
}
