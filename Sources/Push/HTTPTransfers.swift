// HTTP/2 requests by libcurl on a loop (its multi interface, driven by descriptors and one timer). The only file that calls
// C; it knows nothing of push. Nothing that it is given or answers is logged.

internal import CCurl
import EventLoop
import Glibc

/// A POST request.
struct HTTPRequest {
    var url: String
    /// Header lines, as they are.
    var headers: [String]
    var body: [UInt8]
    var milliseconds: Int64
}

/// An answer, whatever its status.
struct HTTPAnswer {
    var status: Int
    /// The first `HTTPTransfers.bodyBytes` of it.
    var body: [UInt8]
    /// What Retry-After asks for, or 0.
    var retryAfterSeconds: Int64
    var openedConnections: Int
}

/// Why there is no answer.
enum TransferFailure: Error, Equatable {
    case timedOut
    /// The server's certificate is not to be trusted.
    case untrusted
    /// The connection could not be made, or ended.
    case disconnected
    case closed

    var reason: String {
        switch self {
        case .timedOut: "timed out"
        case .untrusted: "certificate not trusted"
        case .disconnected: "disconnected"
        case .closed: "closed"
        }
    }
}

/// Transfers on a loop. All its methods are for the loop's own thread.
@safe final class HTTPTransfers {
    /// Bytes of an answer that are kept.
    static let bodyBytes = 65_536
    private static let connectionsPerHost = 4
    private static let streamsPerConnection = 100
    private static let connectMilliseconds: Int64 = 5_000
    private static let isCurlReady =
        curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK && majlis_curl_has_http2() != 0

    private let loop: LoopThread
    private let authorityFile: String?
    private let proxy: String?
    private let multi: UnsafeMutableRawPointer
    private var timer: LoopTimer?
    private var watches: [Int32: DescriptorWatch] = [:]
    /// By the address of curl's handle.
    private var transfers: [UInt: Transfer] = [:]
    private var isOpen = true

    init(on loop: LoopThread, authorityFile: String?, proxy: String?) throws(PushError) {
        self.loop = loop
        self.authorityFile = authorityFile
        self.proxy = proxy
        guard Self.isCurlReady, let multi = unsafe curl_multi_init() else { throw .curlUnusable }
        unsafe self.multi = multi
        // curl is told to leave signals alone, so a connection that the other side closed must not end the process.
        var pipe = sigset_t()
        unsafe sigemptyset(&pipe)
        unsafe sigaddset(&pipe, SIGPIPE)
        unsafe pthread_sigmask(SIG_BLOCK, &pipe, nil)
        timer = LoopTimer(on: loop) { [weak self] in self?.act(on: CURL_SOCKET_TIMEOUT, mask: 0) }
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe majlis_curl_multi_prepare(multi, Self.connectionsPerHost, Self.streamsPerConnection)
        unsafe majlis_curl_multi_set_callbacks(
            multi,
            { _, descriptor, what, context, _ in
                guard let context = unsafe context else { return 0 }
                unsafe Unmanaged<HTTPTransfers>.fromOpaque(context).takeUnretainedValue().watch(descriptor, what)
                return 0
            },
            { _, milliseconds, context in
                guard let context = unsafe context else { return 0 }
                unsafe Unmanaged<HTTPTransfers>.fromOpaque(context).takeUnretainedValue().arm(milliseconds)
                return 0
            }, context)
    }

    deinit { precondition(!isOpen, "transfers are closed before they go") }

    /// Begins a request; `done` is called once, from inside this call only where nothing can be begun any more.
    func start(_ request: HTTPRequest, done: @escaping (Result<HTTPAnswer, TransferFailure>) -> Void) {
        guard isOpen, let easy = unsafe curl_easy_init() else {
            done(.failure(.closed))
            return
        }
        let transfer = unsafe Transfer(easy, done: done)
        transfers[UInt(bitPattern: easy)] = transfer
        var code = unsafe majlis_curl_prepare(
            easy, request.url, authorityFile, proxy, Int(clamping: request.milliseconds),
            Int(clamping: min(request.milliseconds, Self.connectMilliseconds)))
        if code == CURLE_OK {
            code = unsafe request.body.withUnsafeBytes {
                unsafe majlis_curl_set_body(easy, $0.baseAddress, $0.count)
            }
        }
        for line in request.headers { unsafe transfer.headers = curl_slist_append(transfer.headers, line) }
        if code == CURLE_OK { code = unsafe majlis_curl_set_headers(easy, transfer.headers) }
        if code == CURLE_OK {
            code = unsafe majlis_curl_set_write(
                easy,
                { bytes, size, count, context in
                    guard let bytes = unsafe bytes, let context = unsafe context else { return 0 }
                    let transfer = unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
                    let total = size * count
                    // What is above the limit is passed over: nobody reads so much, and the status still counts.
                    let kept = min(total, HTTPTransfers.bodyBytes - transfer.body.count)
                    unsafe transfer.body.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: kept))
                    return total
                }, Unmanaged.passUnretained(transfer).toOpaque())
        }
        guard code == CURLE_OK, unsafe curl_multi_add_handle(multi, easy) == CURLM_OK else {
            transfers[UInt(bitPattern: easy)] = nil
            done(.failure(.closed))
            return
        }
    }

    /// Ends everything: what is under way is answered with `closed`.
    func close() {
        guard isOpen else { return }
        isOpen = false
        let pending = transfers.values
        for transfer in pending { unsafe curl_multi_remove_handle(multi, transfer.easy) }
        transfers = [:]
        // Closes the connections, and so the watches, by the callback.
        unsafe curl_multi_cleanup(multi)
        for watch in watches.values { watch.close() }
        watches = [:]
        timer?.close()
        for transfer in pending { transfer.done(.failure(.closed)) }
    }

    // MARK: What curl asks for. These are called from inside curl and never call it.

    private func watch(_ descriptor: Int32, _ what: Int32) {
        if what == CURL_POLL_REMOVE {
            watches.removeValue(forKey: descriptor)?.close()
            return
        }
        if watches[descriptor] == nil {
            watches[descriptor] = try? DescriptorWatch(on: loop, descriptor: descriptor) { [weak self] readiness in
                var mask: Int32 = 0
                if readiness.contains(.readable) { mask |= CURL_CSELECT_IN }
                if readiness.contains(.writable) { mask |= CURL_CSELECT_OUT }
                if readiness.contains(.failed) { mask |= CURL_CSELECT_ERR }
                self?.act(on: descriptor, mask: mask)
            }
        }
        // Where it cannot be watched the request times out.
        watches[descriptor]?.wait(for: Readiness(rawValue: what & (CURL_POLL_IN | CURL_POLL_OUT)))
    }

    private func arm(_ milliseconds: Int) {
        if milliseconds < 0 { timer?.stop() } else { timer?.start(after: Int64(milliseconds)) }
    }

    // MARK: What the loop reports

    private func act(on descriptor: Int32, mask: Int32) {
        guard isOpen else { return }
        var running: Int32 = 0
        unsafe curl_multi_socket_action(multi, descriptor, mask, &running)
        var finished: [(Transfer, Result<HTTPAnswer, TransferFailure>)] = []
        var result = CURLE_OK
        while let easy = unsafe majlis_curl_next_done(multi, &result) {
            unsafe curl_multi_remove_handle(multi, easy)
            guard let transfer = transfers.removeValue(forKey: UInt(bitPattern: easy)) else { continue }
            finished.append((transfer, Self.answer(of: transfer, result)))
        }
        for (transfer, answer) in finished { transfer.done(answer) }
    }

    private static func answer(
        of transfer: Transfer, _ result: CURLcode
    ) -> Result<HTTPAnswer, TransferFailure> {
        switch result {
        case CURLE_OK:
            return .success(
                HTTPAnswer(
                    status: unsafe majlis_curl_status(transfer.easy), body: transfer.body,
                    retryAfterSeconds: unsafe majlis_curl_retry_after(transfer.easy),
                    openedConnections: unsafe majlis_curl_connections(transfer.easy)))
        case CURLE_OPERATION_TIMEDOUT: return .failure(.timedOut)
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR,
            CURLE_SSL_INVALIDCERTSTATUS:
            return .failure(.untrusted)
        default: return .failure(.disconnected)
        }
    }
}

/// A request under way, with curl's handle and what that refers to.
@safe private final class Transfer {
    let easy: UnsafeMutableRawPointer
    let done: (Result<HTTPAnswer, TransferFailure>) -> Void
    var headers: UnsafeMutablePointer<curl_slist>?
    var body: [UInt8] = []

    init(_ easy: UnsafeMutableRawPointer, done: @escaping (Result<HTTPAnswer, TransferFailure>) -> Void) {
        unsafe self.easy = easy
        self.done = done
    }

    deinit {
        unsafe curl_easy_cleanup(easy)
        unsafe curl_slist_free_all(headers)
    }
}
