// What libwebsockets calls: one function for every event, sorted here to the gateway's methods.
import CWebSockets
import EventLoop

/// The callback of both protocols. A result other than 0 has libwebsockets close the connection.
func gatewayCallback(
    _ wsi: OpaquePointer?, _ reason: lws_callback_reasons, _ user: UnsafeMutableRawPointer?,
    _ bytes: UnsafeMutableRawPointer?, _ count: Int
) -> Int32 {
    guard let wsi = unsafe wsi, let context = unsafe lws_get_context(wsi), let data = unsafe lws_context_user(context),
        let gateway = unsafe Unmanaged<Library>.fromOpaque(data).takeUnretainedValue().gateway,
        let connection = unsafe gateway.connection(of: wsi)
    else { return 0 }
    switch reason {
    case LWS_CALLBACK_HTTP: return unsafe gateway.requested(connection, wsi)
    case LWS_CALLBACK_HTTP_BODY:
        let piece = unsafe UnsafeRawBufferPointer(start: bytes, count: bytes == nil ? 0 : count)
        return unsafe gateway.bodyCame(connection, piece)
    case LWS_CALLBACK_HTTP_BODY_COMPLETION: return unsafe gateway.bodyEnded(connection, wsi)
    case LWS_CALLBACK_HTTP_WRITEABLE: return unsafe gateway.continueResponse(connection, wsi)
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
        let wanted = unsafe bytes.map { unsafe String(cString: $0.assumingMemoryBound(to: CChar.self)) }
        return unsafe gateway.upgradeAsked(connection, wsi, to: wanted ?? "")
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION:
        // The first protocol is HTTP's: chosen when a client names none.
        guard let chosen = unsafe lws_get_protocol(wsi), let name = unsafe chosen.pointee.name else { return -1 }
        return unsafe String(cString: name) == gateway.configuration.subprotocol ? 0 : -1
    case LWS_CALLBACK_ESTABLISHED: return gateway.established(connection)
    case LWS_CALLBACK_RECEIVE:
        let buffer = unsafe UnsafeRawBufferPointer(start: bytes, count: bytes == nil ? 0 : count)
        return unsafe gateway.received(connection, wsi, buffer)
    case LWS_CALLBACK_RECEIVE_PONG:
        connection.lastHeard = MonotonicClock.now
        return 0
    case LWS_CALLBACK_SERVER_WRITEABLE: return unsafe gateway.writable(connection, wsi)
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        unsafe gateway.clientCloses(connection, UnsafeRawBufferPointer(start: bytes, count: bytes == nil ? 0 : count))
        return 0
    case LWS_CALLBACK_CLOSED, LWS_CALLBACK_CLOSED_HTTP:
        gateway.ended(connection)
        return 0
    case LWS_CALLBACK_WSI_DESTROY:
        gateway.forget(connection)
        return 0
    default: return 0
    }
}

extension Gateway {
    /// How many messages one callback writes at most, so that one connection does not hold up the others.
    private static let messagesPerTurn = 16

    func established(_ connection: Connection) -> Int32 {
        guard connection.stage != .ended else { return -1 }
        let now = MonotonicClock.now
        connection.stage = .open
        connection.lastHeard = now
        // Spread over half the interval, so that clients that all came at once are not all pinged at once.
        let heartbeat = nanoseconds(configuration.heartbeatSeconds)
        connection.lastPing = now - heartbeat / 2 * Int64(connection.id.index & 63) / 64
        connection.isTold = true
        schedule(connection, at: min(connection.lastPing + heartbeat, now + nanoseconds(configuration.silenceSeconds)))
        delegate?.gatewayOpened(connection.id, address: connection.address)
        return 0
    }

    // MARK: Receiving

    func received(_ connection: Connection, _ wsi: OpaquePointer, _ bytes: UnsafeRawBufferPointer) -> Int32 {
        guard connection.stage != .ended else { return -1 }
        guard connection.stage == .open else { return 0 }
        let now = MonotonicClock.now
        connection.lastHeard = now
        if unsafe lws_frame_is_binary(wsi) != 0 {
            return unsafe refuse(connection, wsi, code: CloseCode.binary, reason: "only text frames are understood")
        }
        let stillToCome = unsafe Int(clamping: lws_remaining_packet_payload(wsi))
        if stillToCome == 0 {
            connection.fragments += 1
            guard connection.frames.take(at: now) else {
                return unsafe refuse(connection, wsi, code: CloseCode.tooManyMessages, reason: "too many messages")
            }
        }
        guard connection.fragments <= configuration.maximumFragments else {
            return unsafe refuse(connection, wsi, code: CloseCode.tooLarge, reason: "too many fragments")
        }
        let room = connection.maximumMessage - connection.message.count
        guard bytes.count <= room, stillToCome <= room - bytes.count else {
            return unsafe refuse(connection, wsi, code: CloseCode.tooLarge, reason: "message too large")
        }
        unsafe connection.message.append(contentsOf: bytes)
        guard unsafe lws_is_final_fragment(wsi) != 0 else {
            if connection.messageStarted == nil { connection.messageStarted = now }
            return 0
        }
        connection.messageStarted = nil
        var message: [UInt8] = []
        swap(&message, &connection.message)
        connection.fragments = 0
        guard String(validating: message, as: UTF8.self) != nil else {
            return unsafe refuse(connection, wsi, code: CloseCode.notUTF8, reason: "not UTF-8")
        }
        delegate?.gatewayReceived(connection.id, message: message)
        return 0
    }

    /// Closes from within a callback; the result is for libwebsockets.
    private func refuse(_ connection: Connection, _ wsi: OpaquePointer, code: UInt16, reason: String) -> Int32 {
        connection.dropBuffers()
        beginClosing(connection, code: code, reason: reason)
        unsafe giveReason(connection, wsi)
        return -1
    }

    func clientCloses(_ connection: Connection, _ payload: UnsafeRawBufferPointer) {
        guard connection.stage == .open else { return }
        let code: UInt16 = unsafe payload.count >= 2 ? UInt16(payload[0]) << 8 | UInt16(payload[1]) : 1_005
        let reason = unsafe String(decoding: payload.dropFirst(2).prefix(123), as: UTF8.self)
        connection.closure = Closure(code: code, reason: reason, isByClient: true)
        connection.stage = .closing
        connection.dropBuffers()
        setDeadline(connection, after: configuration.closingSeconds)
    }

    // MARK: Sending

    func writable(_ connection: Connection, _ wsi: OpaquePointer) -> Int32 {
        // libwebsockets calls this only when it has nothing left of an earlier write.
        connection.inFlightBytes = 0
        switch connection.stage {
        case .ended: return -1
        case .open, .closing: break
        case .waiting, .responding, .reading, .asked, .answered, .discarding: return 0
        }
        if connection.isPingDue, connection.stage == .open {
            connection.isPingDue = false
            // Not empty: libwebsockets does not tell of the pong to an empty ping.
            var ping = [UInt8](repeating: 0, count: Int(majlis_lws_head_room)) + Array("majlis".utf8)
            if unsafe write(&ping, to: wsi, LWS_WRITE_PING) == false { return -1 }
        }
        var budget = Self.messagesPerTurn
        while budget > 0, unsafe lws_partial_buffered(wsi) == 0, var buffer = connection.takeOutput() {
            budget -= 1
            connection.inFlightBytes = buffer.count
            if unsafe write(&buffer, to: wsi, LWS_WRITE_TEXT) == false { return -1 }
        }
        if unsafe lws_partial_buffered(wsi) == 0 {
            connection.inFlightBytes = 0
            if connection.closing != nil, !connection.hasOutput {
                closeSoon(connection)
                return 0
            }
        }
        // Asked for also when libwebsockets has buffered a part: called once that is gone, it counts as taken.
        if connection.hasOutput || connection.inFlightBytes > 0 { unsafe lws_callback_on_writable(wsi) }
        return 0
    }

    /// Writes a buffer that begins with the head room; false: the connection is broken.
    func write(_ buffer: inout [UInt8], to wsi: OpaquePointer, _ kind: lws_write_protocol) -> Bool {
        let headRoom = Int(majlis_lws_head_room)
        return unsafe buffer.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, buffer.count >= headRoom else { return false }
            return unsafe lws_write(wsi, base + headRoom, buffer.count - headRoom, kind) >= 0
        }
    }
}

/// A close reason as it travels: at most 123 bytes, cut between characters.
func closeReasonBytes(_ reason: String) -> [UInt8] {
    var bytes: [UInt8] = []
    for character in reason.unicodeScalars {
        let more = Array(String(character).utf8)
        if bytes.count + more.count > 123 { break }
        bytes += more
    }
    return bytes
}
