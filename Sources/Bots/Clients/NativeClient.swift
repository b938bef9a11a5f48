// A client with libnice's ICE, DTLS and SRTP against a server of this machine, one blocking step after another: for tests and
// scripts that say themselves what happens when. Many clients at once are Bot's.
package import EventLoop
import Glibc
package import Signalling
package import Transport

/// What a native client sends and receives.
package struct NativeMedia: Sendable {
    package static let microphone = "0", camera = "1"
    package var audioSlots = 2
    package var videoSlots = 2
    package var sends = true
    package init() {}
}

/// Takes what a client receives, on the loop's thread; the bytes are valid until return.
package protocol NativeClientObserver: AnyObject {
    /// An RTP packet, decrypted.
    func receivedRTP(_ packet: UnsafeRawBufferPointer)
    /// A compound RTCP packet, decrypted.
    func receivedRTCP(_ packet: UnsafeRawBufferPointer)
}

/// One client: a signalling session and one transport on a loop of its own.
package final class NativeClient: @unchecked Sendable {
    package let signalling: SignallingClient
    package let user: String
    package let loop: LoopThread
    package private(set) var endpoint: Endpoint?
    package private(set) var joined: ServerMessage.Joined?
    package let audioSSRC: UInt32
    package let videoSSRC: UInt32
    private var sequence: UInt16 = 0
    /// Named in the offer in place of the true one.
    package var fingerprintToClaim: String?
    /// Takes what arrives, on the loop, in place of `received`, which then keeps no packets. Set before `join`.
    package var observer: (any NativeClientObserver)?
    /// The offer of the join.
    package private(set) var offer = ""
    /// Changes the offer before it is sent.
    package var rewriteOffer: (String) -> String = { $0 }

    /// The transport's side, confined to the loop.
    package final class Endpoint: PeerTransportDelegate {
        package var transport: PeerTransport?
        let received: Lock<Received>
        let observer: (any NativeClientObserver)?
        init(received: Lock<Received>, observer: (any NativeClientObserver)?) {
            self.received = received
            self.observer = observer
        }

        package func transport(_ transport: PeerTransport, receivedRTP packet: UnsafeMutableRawBufferPointer) {
            if let observer { return unsafe observer.receivedRTP(UnsafeRawBufferPointer(packet)) }
            let bytes = unsafe Array(packet)
            received.withLock {
                $0.rtp.append(bytes)
                $0.times.append(MonotonicClock.now)
            }
        }
        package func transport(_ transport: PeerTransport, receivedRTCP packet: UnsafeMutableRawBufferPointer) {
            if let observer { return unsafe observer.receivedRTCP(UnsafeRawBufferPointer(packet)) }
            received.withLock { $0.rtcp += 1 }
        }
        package func transport(_ transport: PeerTransport, changedTo state: TransportState) {
            received.withLock { $0.state = state }
        }
    }

    /// What arrived.
    package struct Received: Sendable {
        package var rtp: [[UInt8]] = []
        /// When each of `rtp` came, in nanoseconds of the monotonic clock.
        package var times: [Int64] = []
        package var rtcp = 0
        package var state = TransportState.connecting
    }
    package let received = Lock(Received())

    /// The loop and poller of many clients.
    package final class Host: @unchecked Sendable {
        package let loop = LoopThread(name: "clients")
        package private(set) var poller: ICEPoller?
        package let context: DTLSContext

        package init() throws {
            context = try DTLSContext(identity: DTLSIdentity())
            loop.run { self.poller = try? ICEPoller(loop: self.loop) }
        }

        package func stop() {
            loop.run { self.poller?.close() }
            loop.stop()
        }
    }
    private let host: Host

    package init(_ host: Host, port: Int, user: String, token: String, device: String? = nil) throws {
        self.host = host
        self.user = user
        loop = host.loop
        audioSSRC = UInt32.random(in: 1...UInt32.max)
        videoSSRC = UInt32.random(in: 1...UInt32.max)
        signalling = try SignallingClient(port: port)
        try signalling.hello(token: token, device: device)
    }

    /// The offer's text.
    package static func offer(
        ufrag: String, password: String, fingerprint: String, candidates: [String], media: NativeMedia,
        audioSSRC: UInt32, videoSSRC: UInt32
    ) -> String {
        let count = (media.sends ? 2 : 0) + media.audioSlots + media.videoSlots
        var text = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
        text += "a=group:BUNDLE " + (0..<count).map(String.init).joined(separator: " ") + "\r\n"
        var mid = 0
        func section(_ kind: String, _ direction: String, _ ssrc: UInt32?) {
            let isAudio = kind == "audio"
            text += "m=\(kind) 9 UDP/TLS/RTP/SAVPF \(isAudio ? "111" : "96 97")\r\nc=IN IP4 0.0.0.0\r\n"
            text += "a=ice-ufrag:\(ufrag)\r\na=ice-pwd:\(password)\r\na=ice-options:trickle\r\n"
            text += "a=fingerprint:sha-256 \(fingerprint)\r\na=setup:actpass\r\na=mid:\(mid)\r\n"
            text += "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"
            text += "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n"
            text += "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
            text += "a=\(direction)\r\na=rtcp-mux\r\na=rtcp-rsize\r\n"
            if isAudio {
                text += "a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\n"
            } else {
                text +=
                    "a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\na=rtcp-fb:96 ccm fir\r\n"
                text += "a=rtcp-fb:96 transport-cc\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"
            }
            if let ssrc { text += "a=ssrc:\(ssrc) cname:test\r\n" }
            for candidate in candidates { text += "a=\(candidate)\r\n" }
            mid += 1
        }
        if media.sends {
            section("audio", "sendonly", audioSSRC)
            section("video", "sendonly", videoSSRC)
        }
        for _ in 0..<media.audioSlots { section("audio", "recvonly", nil) }
        for _ in 0..<media.videoSlots { section("video", "recvonly", nil) }
        return text
    }

    /// Joins the room; media is on its way when it returns, and there when `waitUntilConnected` does.
    @discardableResult
    package func join(
        room: String = "test", media: NativeMedia = NativeMedia(), device: String? = nil, encrypted: Bool? = nil
    ) throws -> ServerMessage.Joined {
        let described = Lock<(ufrag: String, password: String, fingerprint: String, candidates: [String])?>(nil)
        loop.run { [self] in
            guard let poller = host.poller else { return }
            let endpoint = Endpoint(received: received, observer: observer)
            let transport = try? PeerTransport(
                poller: poller,
                configuration: TransportConfiguration(
                    role: .client, localAddresses: ["127.0.0.1"], remoteAddresses: .everything),
                context: host.context, delegate: endpoint, token: 1)
            endpoint.transport = transport
            self.endpoint = endpoint
            guard let transport else { return }
            described.withLock {
                $0 = (
                    transport.localUfrag, transport.localPassword, transport.fingerprint.value,
                    transport.localCandidates
                )
            }
        }
        guard let own = described.withLock({ $0 }) else { throw SignallingClient.Failure.unexpected("no transport") }
        offer = rewriteOffer(
            Self.offer(
                ufrag: own.ufrag, password: own.password, fingerprint: fingerprintToClaim ?? own.fingerprint,
                candidates: own.candidates, media: media, audioSSRC: audioSSRC, videoSSRC: videoSSRC))
        let tracks: [ClientCommand.Track] =
            media.sends
            ? [
                .init(mid: NativeMedia.microphone, source: .microphone),
                .init(mid: NativeMedia.camera, source: .camera),
            ] : []
        let message = try signalling.ask(
            .join(
                .init(
                    room: room, device: device, offer: .init(type: .offer, sdp: offer), tracks: tracks,
                    encrypted: encrypted)))
        guard case .joined(let joined) = message else {
            if case .error(let error) = message { throw SignallingClient.Failure.refused(error) }
            throw SignallingClient.Failure.unexpected("\(message)")
        }
        self.joined = joined
        try connect(to: joined.answer.sdp)
        return joined
    }

    private func connect(to answer: String) throws {
        var ufrag = "", password = "", fingerprint = ""
        var candidates: [String] = []
        for line in answer.split(whereSeparator: \.isNewline) {
            func value(_ prefix: String) -> String? {
                line.hasPrefix(prefix) ? String(line.dropFirst(prefix.count)) : nil
            }
            if let text = value("a=ice-ufrag:") { ufrag = text }
            if let text = value("a=ice-pwd:") { password = text }
            if let text = value("a=fingerprint:sha-256 ") { fingerprint = text }
            if line.hasPrefix("a=candidate:") { candidates.append(String(line.dropFirst(2))) }
        }
        let (u, p, f, c) = (ufrag, password, fingerprint, candidates)
        loop.run { [self] in
            guard let transport = endpoint?.transport else { return }
            try? transport.setRemote(ufrag: u, password: p, fingerprints: [("sha-256", f)])
            for candidate in c { transport.addRemoteCandidate(candidate) }
        }
    }

    /// Waits until media can flow.
    package func waitUntilConnected(seconds: Int64 = 60) -> Bool {
        let end = MonotonicClock.now + seconds * 1_000_000_000
        while received.withLock({ $0.state }) != .connected {
            guard MonotonicClock.now < end else { return false }
            _ = poll(nil, 0, 2)
        }
        return true
    }

    /// Sends one RTP packet of 100 bytes of payload on the microphone's or the camera's track.
    package func send(audio: Bool, timestamp: UInt32, payload: [UInt8], marker: Bool = false) {
        sequence &+= 1
        let (ssrc, number) = (audio ? audioSSRC : videoSSRC, sequence)
        var packet: [UInt8] = [0x80, (marker ? 0x80 : 0) | (audio ? 111 : 96), UInt8(number >> 8), UInt8(number & 255)]
        for value in [timestamp, ssrc] {
            for shift in [24, 16, 8, 0] { packet.append(UInt8(value >> UInt32(shift) & 255)) }
        }
        packet += payload
        let bytes = packet
        loop.run { [self] in
            var room = bytes + [UInt8](repeating: 0, count: 160)
            unsafe room.withUnsafeMutableBytes { buffer in
                _ = unsafe endpoint?.transport?.sendRTP(buffer, count: bytes.count)
            }
        }
    }

    /// The transport, for the loop's thread alone; nil before `join` and after `close`.
    package var transport: PeerTransport? { endpoint?.transport }

    /// Ends the transport without a word to the server, and the socket too: what a killed client looks like.
    package func vanish() {
        close()
        signalling.socket.abort()
    }

    /// Ends the transport.
    package func close() {
        loop.run { [self] in
            endpoint?.transport?.close()
            endpoint?.transport = nil
            endpoint = nil
        }
    }
}
