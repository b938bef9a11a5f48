// Apple's push service: VoIP messages, the provider token, and what the answers mean ("Sending notification requests to
// APNs", "Establishing a token-based connection to APNs", "Handling notification responses from APNs"). Sends nothing itself.

import EventLoop
import Tokens

/// The provider token: an ES256 JWT, the same for every connection. Apple refuses one older than an hour, and refuses to be
/// given another within 20 minutes.
final class APNsProviderToken {
    static let youngestSeconds: Int64 = 20 * 60
    static let oldestSeconds: Int64 = 40 * 60

    private struct Claims: Encodable {
        var iss: String
        var iat: Int64
    }

    private let signer: TokenSigner
    private let teamID: String
    private let clock: PushClock
    private var current: (value: String, madeAt: Int64)?
    private(set) var count = 0

    init(_ configuration: APNsConfiguration, clock: PushClock) throws(PushError) {
        guard Words.isVisible(configuration.keyID, bytes: 64) else {
            throw .malformed(field: "The APNs key identifier")
        }
        guard Words.isVisible(configuration.teamID, bytes: 64) else { throw .malformed(field: "The APNs team") }
        do throws(TokenKeyError) {
            let key = try TokenKey(pem: configuration.privateKey.text, algorithm: .es256, name: configuration.keyID)
            signer = try TokenSigner(key: key)
        } catch {
            throw .keyUnusable(provider: "APNs", error)
        }
        teamID = configuration.teamID
        self.clock = clock
    }

    /// The token in use, made anew when it has become old; nil when OpenSSL fails.
    func value() -> String? {
        if let current, ageSeconds(current.madeAt) < Self.oldestSeconds { return current.value }
        guard let value = try? signer.sign(claims: Claims(iss: teamID, iat: clock.unixSeconds())) else { return nil }
        current = (value, clock.monotonic())
        count += 1
        return value
    }

    /// Apple calls this one expired: whether there is or may be another now.
    func renew(_ value: String) -> Bool {
        guard let current, current.value == value else { return true }
        guard ageSeconds(current.madeAt) >= Self.youngestSeconds else { return false }
        self.current = nil
        return true
    }

    private func ageSeconds(_ madeAt: Int64) -> Int64 { (clock.monotonic() - madeAt) / 1_000_000_000 }
}

/// Apple's production service, or the one for applications under development.
final class APNsProvider: PushProvider {
    /// Bytes of a VoIP message at most.
    static let payloadBytes = 4_096
    static let collapseIDBytes = 64

    private let endpoint: String
    private let topic: String
    private let token: APNsProviderToken

    init(endpoint: String, bundleID: String, token: APNsProviderToken) throws(PushError) {
        guard Words.isVisible(bundleID, bytes: 256) else { throw .malformed(field: "The APNs bundle identifier") }
        self.endpoint = endpoint
        topic = bundleID + ".voip"
        self.token = token
    }

    /// The application's own keys beside an empty `aps`.
    private struct Payload: Encodable {
        struct Key: CodingKey {
            var stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        var data: [String: String]

        func encode(to encoder: any Encoder) throws {
            var object = encoder.container(keyedBy: Key.self)
            for (key, value) in data { try object.encode(value, forKey: Key(stringValue: key)) }
            try object.encode([String: String](), forKey: Key(stringValue: "aps"))
        }
    }

    private static func isToken(_ text: String) -> Bool {
        // In a path: nothing but hexadecimal digits may come into it.
        !text.isEmpty && text.utf8.count <= 256
            && text.utf8.allSatisfy { Words.isLetterOrDigit($0) && ($0 | 0x20 <= 0x66 || $0 <= 0x39) }
    }

    func flaw(of notification: PushNotification) -> PushOutcome? {
        guard case .apns(let token, _) = notification.target, Self.isToken(token.text) else {
            return .tokenInvalid(since: nil)
        }
        guard Words.isVisible(notification.call, bytes: Self.collapseIDBytes) else {
            return .rejected(reason: "malformed call")
        }
        guard notification.data["aps"] == nil else { return .rejected(reason: "reserved key") }
        let payload = TokenJSON.encode(Payload(data: notification.data))
        return (payload?.count ?? .max) > Self.payloadBytes ? .rejected(reason: "PayloadTooLarge") : nil
    }

    func authorize(_ done: @escaping (Result<String, AuthorizationFailure>) -> Void) {
        guard let value = token.value() else { return done(.failure(.refused(reason: "no provider token"))) }
        done(.success("bearer " + value))
    }

    func renew(_ authorization: String) -> Bool { token.renew(String(authorization.dropFirst("bearer ".count))) }

    func request(
        for notification: PushNotification, id: String, authorization: String, milliseconds: Int64
    ) -> HTTPRequest {
        guard case .apns(let token, _) = notification.target else {
            preconditionFailure("a message for another provider has a flaw, and is not sent")
        }
        return HTTPRequest(
            url: endpoint + "/3/device/" + token.text,
            headers: [
                "authorization: " + authorization, "apns-push-type: voip", "apns-topic: " + topic,
                "apns-id: " + id, "apns-expiration: \(notification.expiresAt)", "apns-priority: 10",
                "apns-collapse-id: " + notification.call, "content-type: application/json",
            ],
            body: TokenJSON.encode(Payload(data: notification.data)) ?? [], milliseconds: milliseconds)
    }

    func verdict(on answer: HTTPAnswer) -> Verdict {
        struct Answer: Decodable {
            var reason: String?
            var timestamp: Int64?
        }
        if answer.status == 200 { return .finished(.accepted(id: nil)) }
        let body = TokenJSON.decode(Answer.self, from: answer.body)
        let reason = Words.reason(body?.reason, status: answer.status)
        switch (answer.status, reason) {
        case (410, _): return .finished(.tokenInvalid(since: body?.timestamp))
        case (400, "BadDeviceToken"), (400, "DeviceTokenNotForTopic"): return .finished(.tokenInvalid(since: nil))
        case (403, "ExpiredProviderToken"): return .unauthorized(reason: reason)
        // Too many for one device: the others go on. A provider token renewed too often concerns all.
        case (429, _):
            return .again(
                reason: reason, afterSeconds: answer.retryAfterSeconds,
                pauses: reason == "TooManyProviderTokenUpdates")
        case (500..., _):
            return .again(reason: reason, afterSeconds: answer.retryAfterSeconds, pauses: answer.retryAfterSeconds > 0)
        default: return .finished(.rejected(reason: reason))
        }
    }
}
