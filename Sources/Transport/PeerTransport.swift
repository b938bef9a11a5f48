// One peer's transport: ICE, DTLS and SRTP put together (RFC 8829 §5, RFC 5764, RFC 7983). It knows no room and no SDP,
// and parses nothing of RTP but the first bytes that tell it from RTCP.
//
// DTLS and RTP are taken only from addresses that ICE has validated: libnice verifies the source of what it hands over
// against its valid pairs, so a datagram from anywhere else never reaches OpenSSL or libsrtp. Egress follows the selected
// pair alone: the source of a media packet never moves it.
import EventLoop
import Glibc

/// Where a transport is.
public enum TransportState: Equatable, Sendable {
    /// ICE or DTLS is under way.
    case connecting
    /// Media can flow.
    case connected
    /// It was connected, and the path is doubted (packets go on) or ICE has none at the moment; it may come back.
    case disconnected
    /// It failed. After `iceFailed` an ICE restart may bring it back; otherwise it is to be closed.
    case failed(TransportFailure)
    /// It is closed.
    case closed
}

/// Why a transport failed.
public enum TransportFailure: Equatable, Sendable {
    /// No pair of candidates works, or consent ran out: the other side is gone or its network changed.
    case iceFailed
    /// ICE took longer than it may.
    case iceTimedOut
    /// DTLS failed.
    case dtls(DTLSFailure)
    /// The other side has closed the DTLS association.
    case closedByPeer
}

/// Takes what a transport has to tell, on the loop's thread, inside the loop's turn. It may close the transport and call
/// others from inside.
public protocol PeerTransportDelegate: AnyObject {
    /// An RTP packet that passed authentication, decrypted. The bytes are valid until return and may be changed.
    func transport(_ transport: PeerTransport, receivedRTP packet: UnsafeMutableRawBufferPointer)
    /// A compound RTCP packet that passed authentication, decrypted. The bytes are valid until return.
    func transport(_ transport: PeerTransport, receivedRTCP packet: UnsafeMutableRawBufferPointer)
    /// The state has changed. At `connected` the keys are there and packets can be sent.
    func transport(_ transport: PeerTransport, changedTo state: TransportState)
}

/// One peer's transport. All its methods are for the loop's own thread. It must be closed: until then the poller and it
/// hold each other, and it holds its delegate.
public final class PeerTransport: ICEDatagramReceiver {
    /// How long ICE may take from the beginning, from `setRemote` or from a restart, in nanoseconds.
    public static let iceTimeout: Int64 = 30_000_000_000

    /// The number its owner gave it.
    public let token: UInt64
    /// Where it is.
    public private(set) var state = TransportState.connecting
    /// What it has counted.
    public internal(set) var statistics = TransportStatistics()
    /// The fingerprint for this side's description.
    public var fingerprint: Fingerprint { context.identity.fingerprint }
    /// The profile in use; nil before `connected`.
    public var profile: SRTPProfile? { srtp?.profile }

    let poller: ICEPoller
    private let role: TransportRole
    private let context: DTLSContext
    private var delegate: (any PeerTransportDelegate)?
    private var agent: ICEAgent?
    private var key: ICEPoller.Key?
    private var iceState = ICEState.gathering
    private var dtls: DTLSEndpoint?
    private(set) var srtp: SRTPSession?
    private(set) var path: SelectedPath?
    /// The largest segment that several packets are sent in at once on the path: 0 where the kernel refused.
    var largestSegment = 0
    /// What the next call with several packets is taken to fail with instead of being made, 0 for nothing: for tests.
    var segmentsError: Int32 = 0
    private var remoteCredentials: (ufrag: String, password: String)?
    private var remoteFingerprints: [Fingerprint] = []
    private var iceDeadline: Int64?
    /// When consent to a path that is doubted is over.
    private var consentDeadline: Int64?
    private let doubtedTime: Int64
    private(set) var isThrottled = false
    /// Whether what comes next is read by libnice in any case, and when that was so last.
    var isForLibnice = false
    private var libniceReadAt: Int64 = 0

    /// Makes the transport and gathers its candidates.
    public init(
        poller: ICEPoller, configuration: TransportConfiguration, context: DTLSContext,
        delegate: any PeerTransportDelegate, token: UInt64
    ) throws(TransportError) {
        self.poller = poller
        self.context = context
        self.delegate = delegate
        self.token = token
        role = configuration.role
        doubtedTime = configuration.doubtedTime
        let agent = try ICEAgent(configuration: configuration, receiver: self)
        self.agent = agent
        let key = try poller.add(self)
        self.key = key
        iceDeadline = MonotonicClock.now &+ Self.iceTimeout
        poller.refresh(key, descriptors: agent.descriptors)
    }

    deinit { precondition(agent == nil || key == nil, "a transport is closed before it is dropped") }

    // MARK: Descriptions

    /// This side's ICE username fragment.
    public var localUfrag: String { agent?.localCredentials.ufrag ?? "" }
    /// This side's ICE password.
    public var localPassword: String { agent?.localCredentials.password ?? "" }
    /// This side's candidates, `candidate:…`. They are all there from the beginning and stay: no others follow.
    public var localCandidates: [String] { agent?.localCandidates.map(\.text) ?? [] }

    /// Takes the other side's description, before this side's is written. Credentials that differ from those before are an ICE restart of the other
    /// side's: this side then has new credentials too. Other fingerprints than before are refused.
    public func setRemote(
        ufrag: String, password: String, fingerprints: [(algorithm: String, value: String)]
    ) throws(TransportError) {
        guard let agent, state != .closed else { throw .closed }
        let usable = fingerprints.compactMap { Fingerprint(algorithm: $0.algorithm, value: $0.value) }
        guard !usable.isEmpty else { throw .invalidRemoteDescription("no usable fingerprint") }
        if dtls == nil {
            dtls = try DTLSEndpoint(
                context: context, role: role == .server ? .server : .client, remoteFingerprints: usable)
            remoteFingerprints = usable
        } else if !usable.contains(where: { new in remoteFingerprints.contains { $0.matches(new) } }) {
            throw .invalidRemoteDescription("the fingerprint has changed")
        }
        if let remoteCredentials {
            if remoteCredentials == (ufrag, password) { return }
            restartICE()
        }
        var taken = false
        poller.within { taken = agent.setRemoteCredentials(ufrag: ufrag, password: password) }
        guard taken else { throw .invalidRemoteDescription("ICE credentials") }
        remoteCredentials = (ufrag, password)
        iceDeadline = MonotonicClock.now &+ Self.iceTimeout
        poller.hurry()
        afterLibnice()
    }

    /// Takes a candidate of the other side, `candidate:…`; an empty one ends them.
    @discardableResult
    public func addRemoteCandidate(_ text: String) -> RemoteCandidateOutcome {
        guard let agent, state != .closed else { return .closed }
        if text.isEmpty {
            poller.within { agent.endRemoteCandidates() }
            afterLibnice()
            return .endOfCandidates
        }
        guard let candidate = ICECandidate(text) else { return .malformed }
        var outcome = RemoteCandidateOutcome.malformed
        poller.within { outcome = agent.addRemoteCandidate(candidate) }
        afterLibnice()
        return outcome
    }

    /// Begins an ICE restart (RFC 8445 §9): new credentials for this side's next description, answered here; the other
    /// side's are forgotten. DTLS and SRTP go on, and packets keep to the old path until a new one is found.
    @discardableResult
    public func restartICE() -> (ufrag: String, password: String) {
        guard let agent, state != .closed else { return ("", "") }
        poller.within { _ = agent.restart() }
        remoteCredentials = nil
        iceDeadline = MonotonicClock.now &+ Self.iceTimeout
        if case .failed(let failure) = state, failure == .iceFailed || failure == .iceTimedOut {
            iceState = .connecting
            change(to: srtp == nil ? .connecting : .disconnected)
        }
        poller.hurry()
        afterLibnice()
        return agent.localCredentials
    }

    // MARK: Sending

    /// Protects the RTP packet in the first `count` bytes in place and sends it on the selected path, without waiting.
    /// The buffer needs `profile.tagLength` (at most 16) bytes more; its contents are not the packet any more afterwards.
    @discardableResult
    public func sendRTP(_ bytes: UnsafeMutableRawBufferPointer, count: Int) -> SendOutcome {
        guard let srtp, path != nil else { return notConnected() }
        do throws(SRTPFailure) {
            let length = try unsafe srtp.protectRTP(bytes, count: count)
            return unsafe sendMedia(UnsafeRawBufferPointer(rebasing: bytes[..<length]))
        } catch {
            return refused(error)
        }
    }

    /// Protects the RTCP packet in the first `count` bytes in place and sends it. The buffer needs
    /// `profile.rtcpOverhead` (at most 20) bytes more.
    @discardableResult
    public func sendRTCP(_ bytes: UnsafeMutableRawBufferPointer, count: Int) -> SendOutcome {
        guard let srtp, path != nil else { return notConnected() }
        do throws(SRTPFailure) {
            let length = try unsafe srtp.protectRTCP(bytes, count: count)
            return unsafe sendMedia(UnsafeRawBufferPointer(rebasing: bytes[..<length]))
        } catch {
            return refused(error)
        }
    }

    /// Sends bytes as they are on the selected path: for tests of what a peer without keys can do.
    func sendUnprotected(_ bytes: [UInt8]) { _ = unsafe bytes.withUnsafeBytes { unsafe send($0) } }

    private func notConnected() -> SendOutcome {
        statistics.sendNotConnected &+= 1
        return .notConnected
    }

    func refused(_ failure: SRTPFailure) -> SendOutcome {
        statistics.sendRefused &+= 1
        return .refused(failure)
    }

    func sendMedia(_ datagram: UnsafeRawBufferPointer) -> SendOutcome {
        let outcome = unsafe send(datagram)
        if case .sent = outcome {
            statistics.packetsSent &+= 1
            statistics.bytesSent &+= UInt64(datagram.count)
        }
        return outcome
    }

    private func send(_ datagram: UnsafeRawBufferPointer) -> SendOutcome {
        // A copy: the address of the property itself would cost an exclusive access, tracked at run time, for each packet.
        guard let path else { return .notConnected }
        let sent = unsafe withUnsafePointer(to: path.address) { storage in
            unsafe storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe sendto(
                    path.descriptor, datagram.baseAddress, datagram.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL), address,
                    path.length)
            }
        }
        if sent >= 0 { return .sent }
        switch errno {
        case EAGAIN, ENOBUFS:
            statistics.sendBlocked &+= 1
            return .blocked
        default:
            statistics.sendErrors &+= 1
            return .failed(errno)
        }
    }

    // MARK: The end

    /// Ends it: the other side gets a close alert, sockets are closed, keys freed. Closing twice is nothing. The delegate
    /// hears nothing more.
    public func close() {
        guard let agent, state != .closed else { return }
        delegate = nil
        dtls?.close()
        flushDTLS()
        state = .closed
        // The descriptor is libnice's and its number comes back: nothing may be sent on it from here on.
        path = nil
        consentDeadline = nil
        dtls = nil
        srtp = nil
        if let key { poller.remove(key, agent: agent) }
        key = nil
        self.agent = nil
    }

    // MARK: What the poller calls

    /// Whether it needs frequent sweeps.
    var isConnecting: Bool {
        switch state {
        case .connecting, .disconnected: true
        case .connected: iceState != .ready
        case .failed, .closed: false
        }
    }

    /// Reads what is there, within the share; answers how many datagrams it was.
    func serve() -> Int {
        guard let agent else { return 0 }
        let before = agent.takenInTurn
        // What is left behind media, or lies on another socket, is libnice's.
        if !takeMedia(agent) { agent.iterate() }
        let taken = agent.takenInTurn - before
        if agent.isExhausted { isThrottled = true } else { agent.beginTurn() }
        afterLibnice()
        return max(taken, 1)
    }

    /// Gives a throttled agent its share of the new turn.
    func beginTurn() {
        isThrottled = false
        agent?.beginTurn()
    }

    /// libnice's timers, DTLS's timers, deadlines.
    func sweep(at now: Int64) {
        guard let agent else { return }
        if now &- libniceReadAt >= Self.libniceReads {
            libniceReadAt = now
            isForLibnice = true
        }
        agent.iterate()
        if agent.isExhausted { isThrottled = true }
        afterLibnice()
        if let dtls, state != .closed {
            dtls.advance(to: now)
            afterDTLS()
        }
        if let consentDeadline, now >= consentDeadline { endConsent() }
        if let iceDeadline, now >= iceDeadline, state != .closed {
            self.iceDeadline = nil
            if iceState != .ready, iceState != .connected { fail(.iceTimedOut) }
        }
    }

    // MARK: Receiving

    func receive(_ datagram: UnsafeMutableRawBufferPointer) {
        guard state != .closed, let first = unsafe datagram.first else { return }
        switch first {
        case 128...191: unsafe receiveMedia(datagram)
        case 20...63: unsafe receiveDTLS(datagram)
        default: statistics.malformed &+= 1
        }
    }

    private func receiveDTLS(_ datagram: UnsafeMutableRawBufferPointer) {
        statistics.dtlsReceived &+= 1
        guard let dtls else { return }
        unsafe dtls.receive(UnsafeRawBufferPointer(datagram), at: MonotonicClock.now)
        afterDTLS()
    }

    func receiveMedia(_ datagram: UnsafeMutableRawBufferPointer) {
        guard datagram.count >= 2 else {
            statistics.malformed &+= 1
            return
        }
        guard let srtp else {
            statistics.beforeKeys &+= 1
            return
        }
        // RFC 5761 §4: RTCP packet types, which would be RTP payload types 64…95 with the marker bit.
        let isRTCP = unsafe (192...223).contains(datagram[1])
        do throws(SRTPFailure) {
            let length = try unsafe isRTCP ? srtp.unprotectRTCP(datagram) : srtp.unprotectRTP(datagram)
            statistics.packetsReceived &+= 1
            statistics.bytesReceived &+= UInt64(datagram.count)
            let packet = unsafe UnsafeMutableRawBufferPointer(rebasing: datagram[..<length])
            if isRTCP {
                unsafe delegate?.transport(self, receivedRTCP: packet)
            } else {
                unsafe delegate?.transport(self, receivedRTP: packet)
            }
        } catch {
            switch error {
            case .authentication: statistics.authenticationFailures &+= 1
            case .replayed, .tooOld: statistics.replays &+= 1
            case .tooManySources: statistics.excessSources &+= 1
            default: statistics.malformed &+= 1
            }
        }
    }

    // MARK: What follows from libnice and OpenSSL

    /// Takes in what libnice signalled during a call.
    private func afterLibnice() {
        guard let agent else { return }
        for event in agent.takeEvents() {
            guard state != .closed else { return }
            switch event {
            case .selectedPair: refreshPath()
            case .state(let new):
                iceState = new
                switch new {
                case .connected, .ready: refreshPath()
                case .failed: fail(.iceFailed)
                case .disconnected: doubtPath()
                case .gathering, .connecting: break
                }
            }
        }
    }

    /// libnice has heard no answer to its requests for consent for ten seconds, and checks the pair anew. Consent lasts longer
    /// (RFC 7675 §5.1), and so does the path: a network that is away for a while costs what was sent meanwhile and nothing else.
    private func doubtPath() {
        guard path != nil, consentDeadline == nil else { return }
        consentDeadline = MonotonicClock.now &+ doubtedTime
        if srtp != nil, state == .connected { change(to: .disconnected) }
    }

    /// Nothing more may be sent on the path.
    private func endConsent() {
        consentDeadline = nil
        path = nil
        // A restart that is under way looks for a new path, and has its own time for that.
        guard let agent, remoteCredentials != nil, !agent.isChecking else { return }
        poller.within { agent.forgetRemote() }
        fail(.iceFailed)
        afterLibnice()
    }

    private func refreshPath() {
        guard let agent, let new = agent.selectedPath() else { return }
        path = new
        consentDeadline = nil
        largestSegment = SegmentationOffload.isAvailable ? Int(UInt16.max) : 0
        if let key { poller.refresh(key, descriptors: agent.descriptors) }
        if iceState == .ready { iceDeadline = nil }
        dtls?.start(at: MonotonicClock.now)
        flushDTLS()
        updateState()
    }

    private func afterDTLS() {
        flushDTLS()
        guard let dtls else { return }
        switch dtls.state {
        case .connected:
            guard srtp == nil else { return }
            guard let keys = dtls.takeKeys(), let session = try? SRTPSession(keys: keys) else {
                return fail(.dtls(.keyExport))
            }
            srtp = session
            updateState()
        case .failed(let failure): fail(.dtls(failure))
        case .closed: fail(.closedByPeer)
        case .new, .handshaking: break
        }
    }

    private func flushDTLS() {
        guard path != nil, let dtls else { return }
        for datagram in dtls.takeOutgoing() {
            _ = unsafe datagram.withUnsafeBytes { unsafe send($0) }
        }
    }

    private func updateState() {
        guard srtp != nil, path != nil, iceState == .connected || iceState == .ready else { return }
        switch state {
        case .connecting, .disconnected: change(to: .connected)
        case .failed(.iceFailed), .failed(.iceTimedOut): change(to: .connected)
        case .connected, .failed, .closed: break
        }
    }

    private func fail(_ failure: TransportFailure) {
        switch state {
        case .failed, .closed: return
        case .connecting, .connected, .disconnected: break
        }
        path = nil
        iceDeadline = nil
        consentDeadline = nil
        change(to: .failed(failure))
    }

    private func change(to new: TransportState) {
        guard state != new, state != .closed else { return }
        state = new
        delegate?.transport(self, changedTo: new)
    }
}
