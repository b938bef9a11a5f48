// Media read from the selected socket past libnice: for each readable socket libnice and GLib ask the kernel six times and walk through
// their sources, which in a room where few talk costs as much as all else about a packet. Nothing but SRTP and SRTCP from the
// very address that packets are sent to is taken; STUN, DTLS and whatever comes from elsewhere stays in the socket for libnice.
import CSupport

extension PeerTransport {
    /// How often libnice reads media in any case, in nanoseconds: media that it sees tell it that a path lives whose answers to
    /// requests for consent are late.
    static let libniceReads: Int64 = 2_000_000_000

    /// Takes the media that are next on the selected socket, within the turn's share. False where libnice is to look: at another
    /// datagram that is next, or at other sockets because on this one there was nothing.
    func takeMedia(_ agent: ICEAgent) -> Bool {
        guard !isForLibnice else {
            isForLibnice = false
            return false
        }
        var hasTaken = false
        while !agent.isExhausted {
            // Each packet's receiver may close the transport.
            guard state == .connected, srtp != nil, let path else { return hasTaken }
            let buffer = unsafe poller.datagram
            let count = unsafe withUnsafePointer(to: path.address) { from in
                unsafe majlis_take_media(path.descriptor, buffer.baseAddress, buffer.count, from)
            }
            guard count > 0 else { return count == 0 && hasTaken }
            hasTaken = true
            agent.countTaken()
            statistics.readDirectly &+= 1
            unsafe receiveMedia(UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]))
        }
        return true
    }
}
