// Sending several packets of one peer at once: protected in place, and cut apart by the kernel where it does that. Whatever the
// kernel says to it, each packet is sent once.
import CSupport
import Glibc

extension PeerTransport {
    /// Protects the packets of a burst in place and sends them in their order, in one call where the kernel takes it; forgets
    /// them.
    public func send(_ burst: PacketBurst) -> BurstOutcome {
        defer { burst.removeAll() }
        var outcome = BurstOutcome()
        guard burst.count > 0 else { return outcome }
        guard let srtp, let path else {
            statistics.sendNotConnected &+= UInt64(burst.count)
            outcome.dropped = burst.count
            return outcome
        }
        let isTogether = burst.count > 1 && burst.largest + srtp.profile.tagLength <= largestSegment
        if isTogether { burst.pad() }
        let ready = protect(burst, srtp)
        outcome.dropped = burst.count - ready
        if isTogether, ready > 1, sendTogether(burst, ready, path, &outcome) { return outcome }
        for index in 0..<ready {
            let vector = unsafe burst.vectors[index]
            let datagram = unsafe UnsafeRawBufferPointer(start: vector.iov_base, count: vector.iov_len)
            outcome.calls += 1
            if case .sent = unsafe sendMedia(datagram) {
                outcome.sent += 1
                outcome.bytes += datagram.count - srtp.profile.tagLength
            } else {
                outcome.dropped += 1
            }
        }
        statistics.sendCalls &+= UInt64(ready)
        return outcome
    }

    /// Protects the packets of a burst; gives how many could be, in the burst's vectors.
    @inline(__always) private func protect(_ burst: PacketBurst, _ srtp: SRTPSession) -> Int {
        var ready = 0
        for index in 0..<burst.count {
            let packet = unsafe burst.packet(index)
            do throws(SRTPFailure) {
                let length = try unsafe srtp.protectRTP(packet.bytes, count: packet.count)
                unsafe burst.vectors[ready] = iovec(iov_base: packet.bytes.baseAddress, iov_len: length)
                ready += 1
            } catch {
                _ = refused(error)
            }
        }
        return ready
    }

    /// Sends protected packets, of one size but the last, in one call; false when each is to be sent by itself.
    private func sendTogether(
        _ burst: PacketBurst, _ ready: Int, _ path: SelectedPath, _ outcome: inout BurstOutcome
    ) -> Bool {
        let segment = unsafe burst.vectors[0].iov_len
        var sent = -Int(segmentsError)
        segmentsError = 0
        if sent == 0 { sent = Self.send(burst, ready, path, segment) }
        outcome.calls += 1
        statistics.sendCalls &+= 1
        if sent >= 0 {
            statistics.packetsSent &+= UInt64(ready)
            statistics.bytesSent &+= UInt64(sent)
            outcome.sent += ready
            outcome.bytes += burst.bytes
            return true
        }
        switch Int32(truncatingIfNeeded: -sent) {
        case EIO, EINVAL:
            // The device or the socket cannot: never again on this path.
            largestSegment = 0
        case EMSGSIZE:
            largestSegment = segment - 1
        case EAGAIN, ENOBUFS:
            statistics.sendBlocked &+= UInt64(ready)
            outcome.dropped += ready
            return true
        default:
            statistics.sendErrors &+= UInt64(ready)
            outcome.dropped += ready
            return true
        }
        statistics.segmentsRefused &+= 1
        return false
    }

    private static func send(_ burst: PacketBurst, _ ready: Int, _ path: SelectedPath, _ segment: Int) -> Int {
        unsafe withUnsafePointer(to: path.address) { storage in
            unsafe storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe majlis_send_segments(
                    path.descriptor, address, path.length, burst.vectors, Int32(ready),
                    UInt16(truncatingIfNeeded: segment))
            }
        }
    }
}
