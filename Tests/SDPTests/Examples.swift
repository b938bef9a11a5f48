// Session descriptions of the standards' own examples, and small ones to change.

enum Examples {
    /// RFC 8829 §7.1, the first offer (lines that the RFC folds are unfolded).
    static let jsepOffer = """
        v=0
        o=- 4962303333179871722 1 IN IP4 0.0.0.0
        s=-
        t=0 0
        a=ice-options:trickle ice2
        a=group:BUNDLE a1 v1
        a=group:LS a1 v1
        m=audio 10100 UDP/TLS/RTP/SAVPF 96 0 8 97 98
        c=IN IP4 203.0.113.100
        a=mid:a1
        a=sendrecv
        a=rtpmap:96 opus/48000/2
        a=rtpmap:0 PCMU/8000
        a=rtpmap:8 PCMA/8000
        a=rtpmap:97 telephone-event/8000
        a=rtpmap:98 telephone-event/48000
        a=fmtp:97 0-15
        a=fmtp:98 0-15
        a=maxptime:120
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level
        a=msid:47017fee-b6c1-4162-929c-a25110252400
        a=ice-ufrag:ETEn
        a=ice-pwd:OtSK0WpNtpUjkY4+86js7ZQl
        a=fingerprint:sha-256 19:E2:1C:3B:4B:9F:81:E6:B8:5C:F4:A5:A8:D8:73:04:BB:05:2F:70:9F:04:A9:0E:05:E9:26:33:E8:70:88:A2
        a=setup:actpass
        a=tls-id:91bbf309c0990a6bec11e38ba2933cee
        a=rtcp:10101 IN IP4 203.0.113.100
        a=rtcp-mux
        a=rtcp-rsize
        a=candidate:1 1 udp 2113929471 203.0.113.100 10100 typ host
        a=candidate:1 2 udp 2113929470 203.0.113.100 10101 typ host
        a=end-of-candidates
        m=video 10102 UDP/TLS/RTP/SAVPF 100 101 102 103
        c=IN IP4 203.0.113.100
        a=mid:v1
        a=sendrecv
        a=rtpmap:100 VP8/90000
        a=rtpmap:101 H264/90000
        a=fmtp:101 packetization-mode=1;profile-level-id=42e01f
        a=rtpmap:102 rtx/90000
        a=fmtp:102 apt=100
        a=rtpmap:103 rtx/90000
        a=fmtp:103 apt=101
        a=imageattr:100 recv [x=[48:1920],y=[48:1080],q=1.0]
        a=imageattr:101 recv [x=[48:1920],y=[48:1080],q=1.0]
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
        a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id
        a=rtcp-fb:100 ccm fir
        a=rtcp-fb:100 nack
        a=rtcp-fb:100 nack pli
        a=msid:47017fee-b6c1-4162-929c-a25110252400
        a=ice-ufrag:BGKk
        a=ice-pwd:mqyWsAjvtKwTGnvhPztQ9mIf
        a=fingerprint:sha-256 19:E2:1C:3B:4B:9F:81:E6:B8:5C:F4:A5:A8:D8:73:04:BB:05:2F:70:9F:04:A9:0E:05:E9:26:33:E8:70:88:A2
        a=setup:actpass
        a=rtcp-mux
        a=rtcp-rsize

        """

    /// RFC 8853 §5.6.1's kind of offer: two streams to send, the second with two alternatives, one to receive.
    static let simulcastOffer = """
        v=0
        o=alice 2362969037 2362969040 IN IP4 192.0.2.156
        s=Simulcast-Enabled Client
        c=IN IP4 192.0.2.156
        t=0 0
        m=audio 49200 RTP/AVP 0
        a=rtpmap:0 PCMU/8000
        m=video 49300 RTP/AVP 97 98 99
        a=rtpmap:97 H264/90000
        a=rtpmap:98 H264/90000
        a=rtpmap:99 VP8/90000
        a=fmtp:97 profile-level-id=42c01f;max-fs=3600;max-mbps=108000
        a=fmtp:98 profile-level-id=42c00b;max-fs=240;max-mbps=3600
        a=fmtp:99 max-fs=240; max-fr=30
        a=rid:1 send pt=97;max-width=1280;max-height=720
        a=rid:2 send pt=98;max-width=320;max-height=180
        a=rid:3 send pt=99;max-width=320;max-height=180
        a=rid:4 recv pt=97
        a=simulcast:send 1;2,~3 recv 4
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id

        """

    /// RFC 9143 §7.2.2.
    static let bundleOffer = """
        v=0
        o=alice 2890844526 2890844526 IN IP6 2001:db8::3
        s=
        c=IN IP6 2001:db8::3
        t=0 0
        a=group:BUNDLE foo bar
        m=audio 10000 RTP/AVP 0 8 97
        b=AS:200
        a=mid:foo
        a=rtcp-mux
        a=rtpmap:0 PCMU/8000
        a=rtpmap:8 PCMA/8000
        a=rtpmap:97 iLBC/8000
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid
        m=video 0 RTP/AVP 31 32
        b=AS:1000
        a=mid:bar
        a=bundle-only
        a=rtpmap:31 H261/90000
        a=rtpmap:32 MPV/90000
        a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid

        """

    /// The least that is a description, and lines after it.
    static func session(_ lines: String...) -> String {
        (["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"] + lines).joined(separator: "\r\n") + "\r\n"
    }
}
