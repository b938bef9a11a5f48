// The gateway's parts that need no socket: the wheel, the budget, address keys, names and dates.
import Glibc
import Testing

@testable import Gateway

@Suite("The timing wheel")
struct TimingWheelTests {
    private func entry(_ number: UInt32) -> WheelEntry {
        WheelEntry(id: ConnectionID(index: number, generation: 1), token: 0)
    }

    @Test("an entry comes up at its tick and at no other")
    func due() {
        var wheel = TimingWheel()
        for (number, ticks) in [(0, 1), (1, 5), (2, 5), (3, 255)] as [(UInt32, Int)] {
            wheel.schedule(entry(number), after: ticks)
        }
        var seen: [Int: [UInt32]] = [:]
        for tick in 1...600 {
            let due = wheel.advance().map(\.id.index)
            if !due.isEmpty { seen[tick] = due }
        }
        #expect(seen == [1: [0], 5: [1, 2], 255: [3]])
    }

    @Test("what is not ahead comes at the next tick, what lies beyond the wheel comes early", arguments: [-5, 0, 1])
    func bounds(_ ticks: Int) {
        var wheel = TimingWheel()
        wheel.schedule(entry(1), after: ticks)
        wheel.schedule(entry(2), after: Int.max)
        #expect(wheel.advance().map(\.id.index) == [1])
        var tick = 1
        while wheel.advance().isEmpty { tick += 1 }
        #expect(tick + 1 == TimingWheel.slotCount - 1)
    }
}

@Suite("The frame budget")
struct FrameBudgetTests {
    @Test("a burst of four seconds' worth passes, then the rate alone")
    func burst() {
        var budget = FrameBudget(perSecond: 10, now: 0)
        var taken = 0
        while budget.take(at: 0) { taken += 1 }
        #expect(taken == 40)
        for second in 1...5 {
            taken = 0
            while budget.take(at: Int64(second) * 1_000_000_000) { taken += 1 }
            #expect(taken == 10)
        }
        taken = 0
        while budget.take(at: 1_000_000_000_000) { taken += 1 }
        #expect(taken == 40)
    }

    @Test("a clock that stands still or goes back gives nothing")
    func backwards() {
        var budget = FrameBudget(perSecond: 1, now: 10_000_000_000)
        while budget.take(at: 10_000_000_000) {}
        let isGiven = budget.take(at: 5_000_000_000)
        #expect(!isGiven)
    }
}

@Suite("Address keys")
struct AddressKeyTests {
    private func key(_ text: String) -> AddressKey {
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) { bytes in
            let isSix = text.contains(":")
            bytes.storeBytes(of: sa_family_t(isSix ? AF_INET6 : AF_INET), as: sa_family_t.self)
            #expect(inet_pton(isSix ? AF_INET6 : AF_INET, text, bytes.baseAddress.map { $0 + (isSix ? 8 : 4) }) == 1)
        }
        return AddressKey(storage)
    }

    @Test("an IPv6 /64 is one address, an IPv4 address one of its own, in IPv6 clothes too")
    func keys() {
        #expect(key("2001:db8:1:2::1") == key("2001:db8:1:2:ffff::9"))
        #expect(key("2001:db8:1:2::1") != key("2001:db8:1:3::1"))
        #expect(key("192.0.2.1") == key("::ffff:192.0.2.1"))
        #expect(key("192.0.2.1") != key("192.0.2.2"))
        #expect(key("::1") != key("0.0.0.0"))
    }

    @Test("a key prints no address")
    func silent() {
        let text = "\(key("192.0.2.1")) \(String(describing: key("2001:db8::1")))"
        #expect(text == "address address")
    }
}

@Suite("Names, reasons and dates")
struct NamesTests {
    @Test("plain paths", arguments: ["/a", "/a/b.js", "/Ünïcode.html", "/a b"])
    func plain(_ path: String) { #expect(WebFiles.isPlain(path)) }

    @Test(
        "paths that are not plain",
        arguments: [
            "", "/", "a", "/..", "/../a", "/a/../b", "/.a", "/a/.b", "//a", "/a//b", "/a\\b", "/a\u{0}b", "/a\nb",
            "/a/",
        ])
    func notPlain(_ path: String) { #expect(!WebFiles.isPlain(path)) }

    @Test("a path of more than a kilobyte is not plain")
    func long() { #expect(!WebFiles.isPlain("/" + String(repeating: "a", count: 1_024))) }

    @Test("the tag tells files apart by their bytes and their length")
    func tags() {
        let tags = [[], [0], [0, 0], [1], [0, 1], [1, 0]].map { (bytes: [UInt8]) in WebFiles.tag(of: bytes.span) }
        #expect(Set(tags).count == 6)
        #expect(tags.allSatisfy { $0.hasPrefix("\"") && $0.hasSuffix("\"") })
    }

    @Test("dates are those of RFC 9110 section 5.6.7")
    func dates() {
        #expect(httpDate(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(httpDate(0) == "Thu, 01 Jan 1970 00:00:00 GMT")
        #expect(httpDate(1_709_164_800) == "Thu, 29 Feb 2024 00:00:00 GMT")
    }

    @Test("a close reason keeps to 123 bytes and to whole characters")
    func reasons() {
        #expect(closeReasonBytes("short") == Array("short".utf8))
        #expect(closeReasonBytes(String(repeating: "a", count: 200)).count == 123)
        #expect(closeReasonBytes(String(repeating: "\u{1F600}", count: 40)).count == 120)
    }
}
