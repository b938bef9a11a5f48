// ICE (RFC 8445, RFC 8838 trickle, RFC 7675 consent) for one peer, by libnice: the only file that knows libnice and GLib.
// It never calls out while libnice is emitting a signal: signals only go into `inbox` (but see `leaveFailed`). Received
// datagrams are the one exception: libnice hands them over unlocked, outside its signals.
//
// Pitfalls that shaped it: one GMainContext per agent (a shared one is walked whole for each packet); loopback is never
// gathered by itself, so local addresses are named; libnice drains a socket without a bound while a receive callback is
// attached, so the callback counts and takes itself off past its share; descriptors are libnice's, opened and closed
// inside its calls.
import CNice
import Glibc

/// What an agent tells.
enum ICEEvent: Equatable {
    case state(ICEState)
    /// The pair that packets travel on has changed.
    case selectedPair
}

/// The agent's state, of the one component there is.
enum ICEState: Equatable, Sendable {
    case disconnected
    case gathering
    case connecting
    case connected
    case ready
    case failed
}

/// Where egress goes: a descriptor that libnice owns, and the other side's address.
struct SelectedPath {
    var descriptor: Int32
    var address: sockaddr_storage
    var length: socklen_t
}

/// Takes what an agent receives.
protocol ICEDatagramReceiver: AnyObject {
    /// A datagram that is not STUN, from a validated address. The bytes may be changed; they are valid until return.
    func receive(_ datagram: UnsafeMutableRawBufferPointer)
}

/// One ICE agent with one stream and one component.
@safe final class ICEAgent {
    /// How many datagrams are taken in one turn of the loop; what is left waits in the socket.
    static let datagramsPerTurn = 64
    /// How many remote candidates are taken for one set of credentials.
    static let maximumRemoteCandidates = 64
    /// How long libnice 0.1.21 goes on without an answer to its requests for consent, in seconds. It has no setting for it.
    static let consentSeconds: Int64 = 10
    /// The socket buffers asked for, in bytes.
    static let socketBuffer: Int32 = 1 << 20

    private let context: OpaquePointer
    private let agent: OpaquePointer
    private let stream: UInt32
    private let configuration: TransportConfiguration
    private unowned let receiver: any ICEDatagramReceiver
    private(set) var inbox: [ICEEvent] = []
    private(set) var remoteCandidates = 0
    private var share = ICEAgent.datagramsPerTurn
    private var isClosed = false
    /// The other side's description.
    private var described: Described?
    /// Whether checks of a new description are under way: from its arrival until a pair works.
    private(set) var isChecking = false
    /// Whether a pair has ever worked.
    private var wasReady = false
    private var isLeavingFailed = false
    /// The path that was asked for last.
    private var lastPath: SelectedPath?

    private struct Described {
        let ufrag: String
        let password: String
        var candidates: [ICECandidate] = []
    }

    /// Makes the agent and gathers its host candidates, which is done when this returns.
    init(configuration: TransportConfiguration, receiver: any ICEDatagramReceiver) throws(TransportError) {
        let addresses = try configuration.resolvedLocalAddresses()
        guard let context = unsafe g_main_context_new() else { throw .libnice("g_main_context_new") }
        let options = NiceAgentOption(
            rawValue: NICE_AGENT_OPTION_ICE_TRICKLE.rawValue | NICE_AGENT_OPTION_CONSENT_FRESHNESS.rawValue)
        guard let agent = unsafe nice_agent_new_full(context, NICE_COMPATIBILITY_RFC5245, options) else {
            unsafe g_main_context_unref(context)
            throw .libnice("nice_agent_new_full")
        }
        let object = unsafe UnsafeMutableRawPointer(agent)
        unsafe majlis_set_boolean(object, "controlling-mode", configuration.role == .client ? 1 : 0)
        unsafe majlis_set_boolean(object, "upnp", 0)
        unsafe majlis_set_boolean(object, "ice-tcp", 0)
        var refused: String?
        for address in addresses {
            var local = NiceAddress()
            unsafe nice_address_init(&local)
            guard unsafe nice_address_set_from_string(&local, address.text) != 0,
                unsafe nice_agent_add_local_address(agent, &local) != 0
            else {
                refused = "a local address"
                break
            }
        }
        let stream = refused == nil ? unsafe nice_agent_add_stream(agent, 1) : 0
        guard stream != 0 else {
            unsafe g_object_unref(object)
            unsafe g_main_context_unref(context)
            throw .libnice(refused ?? "nice_agent_add_stream")
        }
        unsafe self.context = context
        unsafe self.agent = agent
        self.stream = stream
        self.configuration = configuration
        self.receiver = receiver
        // From here on `deinit` frees everything, also when this throws.
        connectSignals()
        if let range = configuration.portRange {
            unsafe nice_agent_set_port_range(agent, stream, 1, UInt32(range.lowerBound), UInt32(range.upperBound))
        }
        attach()
        guard unsafe nice_agent_gather_candidates(agent, stream) != 0 else {
            throw configuration.portRange == nil ? .libnice("nice_agent_gather_candidates") : .noFreePort
        }
        // An address that is configured but not this machine's gives no candidate, and no error of libnice's.
        guard !localCandidates.isEmpty else { throw .noLocalAddress }
        enlargeBuffers()
    }

    deinit {
        close()
        unsafe g_object_unref(UnsafeMutableRawPointer(agent))
        // What libnice has left for later (closing of sockets) is done before the context goes.
        for _ in 0..<16 where unsafe g_main_context_iteration(context, 0) == 0 { break }
        unsafe g_main_context_unref(context)
    }

    /// Closes the stream and its sockets. Not to be called from inside `receive`.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        inbox = []
        unsafe majlis_signals_disconnect(
            UnsafeMutableRawPointer(agent), Unmanaged.passUnretained(self).toOpaque())
        unsafe nice_agent_attach_recv(agent, stream, 1, context, nil, nil)
        unsafe nice_agent_remove_stream(agent, stream)
    }

    /// Asks for larger socket buffers: the default holds some 90 video packets, less than a key frame's burst. The
    /// kernel grants what `net.core.rmem_max` and `wmem_max` allow.
    private func enlargeBuffers() {
        for descriptor in descriptors {
            var size = Self.socketBuffer
            unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
            unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    // MARK: The turn

    /// Lets libnice do what is due: read its sockets, within this turn's share, and run its timers. The share counts from
    /// the last `beginTurn`.
    func iterate() {
        guard !isClosed else { return }
        unsafe g_main_context_iteration(context, 0)
    }

    /// Gives a new share of datagrams.
    func beginTurn() {
        guard share < Self.datagramsPerTurn, !isClosed else { return }
        let wasExhausted = share <= 0
        share = Self.datagramsPerTurn
        if wasExhausted { attach() }
    }

    /// Whether the share of this turn is used up.
    var isExhausted: Bool { share <= 0 }

    /// How many datagrams were taken since `beginTurn`.
    var takenInTurn: Int { Self.datagramsPerTurn - share }

    /// A datagram was taken, by libnice or from the selected socket past it.
    func countTaken() {
        share -= 1
        guard share <= 0, !isClosed else { return }
        unsafe nice_agent_attach_recv(agent, stream, 1, context, nil, nil)
    }

    /// The events since the last call.
    func takeEvents() -> [ICEEvent] {
        guard !inbox.isEmpty else { return [] }
        defer { inbox = [] }
        return inbox
    }

    private func attach() {
        unsafe nice_agent_attach_recv(
            agent, stream, 1, context,
            { _, _, _, length, bytes, data in
                guard let data = unsafe data, let bytes = unsafe bytes else { return }
                let agent = unsafe Unmanaged<ICEAgent>.fromOpaque(data).takeUnretainedValue()
                unsafe agent.received(UnsafeMutableRawBufferPointer(start: bytes, count: Int(length)))
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    private func received(_ datagram: UnsafeMutableRawBufferPointer) {
        countTaken()
        unsafe receiver.receive(datagram)
    }

    private func connectSignals() {
        let object = unsafe UnsafeMutableRawPointer(agent)
        let data = unsafe Unmanaged.passUnretained(self).toOpaque()
        typealias StateChanged =
            @convention(c) (OpaquePointer?, UInt32, UInt32, UInt32, UnsafeMutableRawPointer?) -> Void
        let stateChanged: StateChanged = { _, _, _, state, data in
            guard let data = unsafe data else { return }
            let agent = unsafe Unmanaged<ICEAgent>.fromOpaque(data).takeUnretainedValue()
            agent.stateChanged(to: ICEState(NiceComponentState(rawValue: state)))
        }
        typealias NewSelectedPair =
            @convention(c) (
                OpaquePointer?, UInt32, UInt32, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?,
                UnsafeMutableRawPointer?
            ) -> Void
        let newSelectedPair: NewSelectedPair = { _, _, _, _, _, data in
            guard let data = unsafe data else { return }
            unsafe Unmanaged<ICEAgent>.fromOpaque(data).takeUnretainedValue().append(.selectedPair)
        }
        _ = unsafe majlis_signal_connect(
            object, "component-state-changed", unsafeBitCast(stateChanged, to: GCallback.self), data)
        _ = unsafe majlis_signal_connect(
            object, "new-selected-pair-full", unsafeBitCast(newSelectedPair, to: GCallback.self), data)
    }

    private func stateChanged(to new: ICEState) {
        guard !isClosed, !isLeavingFailed else { return }
        switch new {
        case .failed: leaveFailed()
        case .connected, .ready:
            isChecking = false
            wasReady = true
            append(.state(new))
        case .gathering, .connecting, .disconnected: append(.state(new))
        }
    }

    /// Takes the component out of libnice's failed state at once, inside the signal. libnice 0.1.21 stops the process by
    /// an assertion when a check that was still under way is answered in that state (failed to connected is none of the
    /// transitions it knows), and consent to the old path runs out just when a restart looks for a new one. A restart of
    /// the stream forgets such checks.
    ///
    /// Where a pair has worked, the other side's credentials, its candidates and where its packets came from are checked
    /// anew: libnice has consent run out after ten seconds (`consentSeconds`), and the network may come back. What the
    /// silence means until then is `PeerTransport`'s.
    private func leaveFailed() {
        isLeavingFailed = true
        defer { isLeavingFailed = false }
        restartKeepingCredentials()
        guard let described else {
            append(.state(.failed))
            return
        }
        unsafe nice_agent_set_remote_credentials(agent, stream, described.ufrag, described.password)
        guard wasReady else {
            // Where no pair ever worked the other side's own checks, late as they come, still can make one.
            append(.state(.failed))
            return
        }
        append(.state(.disconnected))
        for candidate in described.candidates { _ = add(candidate) }
        if !isChecking { addLastPath() }
    }

    private func restartKeepingCredentials() {
        let own = localCredentials
        unsafe nice_agent_restart_stream(agent, stream)
        unsafe nice_agent_set_local_credentials(agent, stream, own.ufrag, own.password)
        remoteCandidates = 0
    }

    /// Has the address of the last path checked, which no candidate need have named. It passed checks before, so the policy
    /// of addresses is not asked.
    private func addLastPath() {
        guard let lastPath, let candidate = unsafe nice_candidate_new(NICE_CANDIDATE_TYPE_HOST) else { return }
        defer { unsafe nice_candidate_free(candidate) }
        unsafe candidate.pointee.transport = NICE_CANDIDATE_TRANSPORT_UDP
        unsafe candidate.pointee.component_id = 1
        unsafe candidate.pointee.stream_id = stream
        // A peer-reflexive candidate's (RFC 8445 §5.1.2.2).
        unsafe candidate.pointee.priority = 0x6EFF_FFFF
        unsafe withUnsafeMutableBytes(of: &candidate.pointee.foundation) { unsafe $0.copyBytes(from: "path".utf8) }
        unsafe withUnsafePointer(to: lastPath.address) { storage in
            unsafe storage.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe nice_address_set_from_sockaddr(&candidate.pointee.addr, $0)
            }
        }
        var node = unsafe GSList(data: UnsafeMutableRawPointer(candidate), next: nil)
        unsafe nice_agent_set_remote_candidates(agent, stream, 1, &node)
    }

    /// Forgets the other side's description and the checks under way; this side's credentials stay.
    func forgetRemote() {
        guard !isClosed else { return }
        restartKeepingCredentials()
        described = nil
        isChecking = false
    }

    private func append(_ event: ICEEvent) {
        guard !isClosed, inbox.last != event else { return }
        inbox.append(event)
    }

    // MARK: Descriptions

    /// The username fragment and password of this side.
    var localCredentials: (ufrag: String, password: String) {
        var ufrag: UnsafeMutablePointer<CChar>?
        var password: UnsafeMutablePointer<CChar>?
        guard !isClosed, unsafe nice_agent_get_local_credentials(agent, stream, &ufrag, &password) != 0,
            let ufrag = unsafe ufrag, let password = unsafe password
        else { return ("", "") }
        defer {
            unsafe g_free(ufrag)
            unsafe g_free(password)
        }
        return unsafe (String(cString: ufrag), String(cString: password))
    }

    /// The host candidates, with the addresses that clients are to know.
    var localCandidates: [ICECandidate] {
        guard !isClosed, let list = unsafe nice_agent_get_local_candidates(agent, stream, 1) else { return [] }
        var candidates: [ICECandidate] = []
        var next: UnsafeMutablePointer<GSList>? = unsafe list
        while let node = unsafe next {
            unsafe next = node.pointee.next
            guard let data = unsafe node.pointee.data else { continue }
            let candidate = unsafe data.assumingMemoryBound(to: NiceCandidate.self)
            if let read = unsafe read(candidate) { candidates.append(read) }
            unsafe nice_candidate_free(candidate)
        }
        unsafe g_slist_free(list)
        return candidates
    }

    private func read(_ candidate: UnsafeMutablePointer<NiceCandidate>) -> ICECandidate? {
        guard unsafe candidate.pointee.type == NICE_CANDIDATE_TYPE_HOST else { return nil }
        var storage = sockaddr_storage()
        let address: IPAddress? = unsafe withUnsafeMutablePointer(to: &storage) { storage in
            unsafe storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe nice_address_copy_to_sockaddr(&candidate.pointee.addr, address)
                return unsafe IPAddress(address)
            }
        }
        guard let address else { return nil }
        let foundation = unsafe withUnsafeBytes(of: candidate.pointee.foundation) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return unsafe ICECandidate(
            foundation: foundation, priority: candidate.pointee.priority,
            address: configuration.announced(for: address).text,
            port: UInt16(truncatingIfNeeded: nice_address_get_port(&candidate.pointee.addr)), kind: .host)
    }

    /// Takes the other side's credentials. False: they have not the form of RFC 8839 §5.4.
    func setRemoteCredentials(ufrag: String, password: String) -> Bool {
        guard !isClosed, Self.isIceText(ufrag, in: 4...256), Self.isIceText(password, in: 22...256) else {
            return false
        }
        remoteCandidates = 0
        described = Described(ufrag: ufrag, password: password)
        isChecking = true
        return unsafe nice_agent_set_remote_credentials(agent, stream, ufrag, password) != 0
    }

    private static func isIceText(_ text: String, in lengths: ClosedRange<Int>) -> Bool {
        let bytes = text.utf8
        return lengths.contains(bytes.count)
            && bytes.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
                    true
                // Not of the grammar, but real clients (aiortc, some gateways) write them.
                case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "="): true
                default: false
                }
            }
    }

    /// Takes a candidate of the other side, if the policy lets it be checked.
    func addRemoteCandidate(_ candidate: ICECandidate) -> RemoteCandidateOutcome {
        let outcome = add(candidate)
        if outcome == .accepted { described?.candidates.append(candidate) }
        return outcome
    }

    private func add(_ candidate: ICECandidate) -> RemoteCandidateOutcome {
        guard !isClosed else { return .closed }
        let (outcome, address) = configuration.remoteAddresses.judge(candidate)
        guard outcome == .accepted, let address else { return outcome }
        guard remoteCandidates < Self.maximumRemoteCandidates else { return .tooMany }
        let type =
            switch candidate.kind {
            case .host: NICE_CANDIDATE_TYPE_HOST
            case .serverReflexive: NICE_CANDIDATE_TYPE_SERVER_REFLEXIVE
            case .peerReflexive: NICE_CANDIDATE_TYPE_PEER_REFLEXIVE
            case .relayed: NICE_CANDIDATE_TYPE_RELAYED
            }
        guard let new = unsafe nice_candidate_new(type) else { return .malformed }
        defer { unsafe nice_candidate_free(new) }
        unsafe new.pointee.transport = NICE_CANDIDATE_TRANSPORT_UDP
        unsafe new.pointee.component_id = 1
        unsafe new.pointee.stream_id = stream
        unsafe new.pointee.priority = candidate.priority
        unsafe withUnsafeMutableBytes(of: &new.pointee.foundation) { bytes in
            // The last byte stays zero.
            for (index, byte) in candidate.foundation.utf8.prefix(bytes.count - 1).enumerated() {
                unsafe bytes[index] = byte
            }
        }
        guard unsafe nice_address_set_from_string(&new.pointee.addr, address.text) != 0 else { return .malformed }
        unsafe nice_address_set_port(&new.pointee.addr, UInt32(candidate.port))
        if let related = candidate.related, let base = IPAddress(related.address),
            unsafe nice_address_set_from_string(&new.pointee.base_addr, base.text) != 0
        {
            unsafe nice_address_set_port(&new.pointee.base_addr, UInt32(related.port))
        }
        var node = unsafe GSList(data: UnsafeMutableRawPointer(new), next: nil)
        guard unsafe nice_agent_set_remote_candidates(agent, stream, 1, &node) >= 0 else { return .malformed }
        remoteCandidates += 1
        return .accepted
    }

    /// Says that the other side has no more candidates.
    func endRemoteCandidates() {
        guard !isClosed else { return }
        unsafe nice_agent_peer_candidate_gathering_done(agent, stream)
    }

    /// Makes new credentials and forgets the other side's; the selected pair keeps carrying packets meanwhile.
    func restart() -> Bool {
        guard !isClosed, unsafe nice_agent_restart_stream(agent, stream) != 0 else { return false }
        remoteCandidates = 0
        described = nil
        isChecking = false
        return true
    }

    // MARK: Paths

    /// The descriptors that libnice reads for this agent now.
    var descriptors: [Int32] {
        guard !isClosed, let array = unsafe nice_agent_get_sockets(agent, stream, 1) else { return [] }
        defer { unsafe g_ptr_array_unref(array) }
        return unsafe (0..<Int(array.pointee.len)).compactMap { index in
            guard let socket = unsafe array.pointee.pdata[index] else { return nil }
            let descriptor = unsafe g_socket_get_fd(socket.assumingMemoryBound(to: GSocket.self))
            return descriptor >= 0 ? descriptor : nil
        }
    }

    /// Where packets go now; nil when no pair is selected. The descriptor is good until the agent fails, restarts onto
    /// another pair or closes: whoever keeps it asks again on each event.
    func selectedPath() -> SelectedPath? {
        guard !isClosed, let socket = unsafe nice_agent_get_selected_socket(agent, stream, 1) else { return nil }
        let descriptor = unsafe g_socket_get_fd(socket)
        unsafe g_object_unref(socket)
        var local: UnsafeMutablePointer<NiceCandidate>?
        var remote: UnsafeMutablePointer<NiceCandidate>?
        guard descriptor >= 0, unsafe nice_agent_get_selected_pair(agent, stream, 1, &local, &remote) != 0,
            let remote = unsafe remote
        else { return nil }
        var path = SelectedPath(descriptor: descriptor, address: sockaddr_storage(), length: 0)
        unsafe withUnsafeMutablePointer(to: &path.address) { storage in
            unsafe storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe nice_address_copy_to_sockaddr(&remote.pointee.addr, address)
            }
        }
        switch Int32(path.address.ss_family) {
        case AF_INET: path.length = socklen_t(MemoryLayout<sockaddr_in>.size)
        case AF_INET6: path.length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        default: return nil
        }
        lastPath = path
        return path
    }
}

extension ICEState {
    fileprivate init(_ state: NiceComponentState) {
        switch state {
        case NICE_COMPONENT_STATE_GATHERING: self = .gathering
        case NICE_COMPONENT_STATE_CONNECTING: self = .connecting
        case NICE_COMPONENT_STATE_CONNECTED: self = .connected
        case NICE_COMPONENT_STATE_READY: self = .ready
        case NICE_COMPONENT_STATE_FAILED: self = .failed
        default: self = .disconnected
        }
    }
}
