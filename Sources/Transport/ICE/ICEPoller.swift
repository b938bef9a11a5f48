// All ICE agents of one worker on its loop: their descriptors in one epoll descriptor that one libuv watch looks at, and
// a sweep for libnice's timers. It bounds what one turn takes in. It knows no libnice: agents are iterated through
// `PeerTransport`.
//
// Why one epoll descriptor: libnice opens and closes sockets inside its own calls, and a number that comes back would
// make a second libuv watch of it fail. Data of the set is slot and generation, so a late event of a removed agent is
// seen to be one.
import CSupport
public import EventLoop
import Glibc

/// Drives the agents of one loop. All its methods are for the loop's own thread.
@safe public final class ICEPoller {
    /// How many datagrams one turn takes in; the rest waits in the sockets for the next turn.
    public static let datagramsPerTurn = 256
    /// The longest datagram that is read past libnice: more than any network's.
    static let datagramBytes = 4_096
    /// The sweep's interval in milliseconds while an agent is connecting.
    static let connectingSweep: Int64 = 10
    /// Connected agents are swept each so many sweeps, and the interval is as much longer when none is connecting: what
    /// they wait for (consent, keep-alives) is timed in seconds, and a sweep walks through all of libnice's sources.
    static let connectedSweeps = 20

    /// Which transport an event belongs to.
    struct Key: Equatable {
        var slot: UInt32
        var generation: UInt32
        var data: UInt64 { UInt64(generation) << 32 | UInt64(slot) }
    }

    private struct Slot {
        var generation: UInt32 = 1
        var transport: PeerTransport?
    }

    /// The loop it lives on.
    public let loop: LoopThread
    private let epoll: Int32
    private var watch: DescriptorWatch?
    private var timer: LoopTimer?
    private var restTimer: LoopTimer?
    private var rest: Int64 = 0
    private var interval: Int64 = 0
    private var sweeps = 0
    private var slots: [Slot] = []
    private var freeSlots: [UInt32] = []
    private var leftOver: [UInt64] = []
    private var throttled: [Int] = []
    private var ready = [UInt64](repeating: 0, count: 64)
    private var depth = 0
    /// Where a transport reads a datagram to; it is used up before the next is read.
    let datagram = UnsafeMutableRawBufferPointer.allocate(byteCount: ICEPoller.datagramBytes, alignment: 16)
    private var retired: [ICEAgent] = []
    private var isClosed = false

    /// How many transports it drives.
    public private(set) var count = 0

    /// Makes the poller and watches its descriptor.
    public init(loop: LoopThread) throws(TransportError) {
        self.loop = loop
        epoll = majlis_epoll_create()
        loop.checkIsolated()
        guard epoll >= 0 else {
            isClosed = true
            throw .system(call: "epoll_create1", code: -epoll)
        }
        do {
            let watch = try DescriptorWatch(on: loop, descriptor: epoll) { [unowned self] _ in _ = turn() }
            watch.wait(for: .readable)
            self.watch = watch
        } catch {
            Glibc.close(epoll)
            isClosed = true
            throw .system(call: "watching the agents' descriptors", code: EBADF)
        }
        timer = LoopTimer(on: loop) { [unowned self] in sweep() }
        restTimer = LoopTimer(on: loop) { [unowned self] in turnAfterRest() }
    }

    /// Closes all transports and the poller.
    public func close() {
        guard !isClosed else { return }
        for slot in slots { slot.transport?.close() }
        isClosed = true
        timer?.close()
        restTimer?.close()
        watch?.close()
        Glibc.close(epoll)
    }

    deinit {
        precondition(isClosed, "an ICE poller is closed before it is dropped: the loop still calls it")
        unsafe datagram.deallocate()
    }

    // MARK: Transports

    func add(_ transport: PeerTransport) throws(TransportError) -> Key {
        loop.checkIsolated()
        guard !isClosed else { throw .closed }
        let slot: UInt32
        if let free = freeSlots.popLast() {
            slot = free
        } else {
            slot = UInt32(slots.count)
            slots.append(Slot())
        }
        slots[Int(slot)].transport = transport
        count += 1
        hurry()
        return Key(slot: slot, generation: slots[Int(slot)].generation)
    }

    /// Takes the agent's descriptors as they are now: after gathering, a restart, or a new candidate.
    func refresh(_ key: Key, descriptors: [Int32]) {
        guard !isClosed else { return }
        for descriptor in descriptors { _ = majlis_epoll_set(epoll, descriptor, key.data) }
    }

    /// Forgets the transport; its agent is closed now, or after the turn that is under way.
    func remove(_ key: Key, agent: ICEAgent) {
        let index = Int(key.slot)
        guard slots.indices.contains(index), slots[index].generation == key.generation else { return }
        if !isClosed {
            // Out of the set before libnice closes them and the numbers come back.
            for descriptor in agent.descriptors { _ = majlis_epoll_remove(epoll, descriptor) }
        }
        slots[index].transport = nil
        slots[index].generation &+= 1
        freeSlots.append(key.slot)
        count -= 1
        if depth > 0 { retired.append(agent) } else { agent.close() }
    }

    /// Sweeps often from now on, because an agent is connecting.
    func hurry() {
        guard !isClosed, interval != Self.connectingSweep else { return }
        interval = Self.connectingSweep
        timer?.start(after: interval, repeating: interval)
    }

    // MARK: The turn

    /// From now on lets so many milliseconds go by from one turn to the next, whatever comes: more is found by each. 0: a turn as
    /// soon as something has come. Not to be called within a turn.
    public func rest(milliseconds: Int64) {
        loop.checkIsolated()
        guard !isClosed, milliseconds != rest else { return }
        rest = milliseconds
        watch?.wait(for: milliseconds > 0 ? [] : .readable)
        if milliseconds > 0 {
            restTimer?.start(after: milliseconds, repeating: milliseconds)
        } else {
            restTimer?.stop()
        }
    }

    private func turnAfterRest() {
        // What one turn had no room for does not wait as long again: the loop sends what was taken in, and comes back.
        if turn() { restTimer?.start(after: 0, repeating: rest) }
    }

    /// Takes in what has come, up to a turn's share; whether there is probably more.
    private func turn() -> Bool {
        enter()
        defer { leave() }
        var budget = Self.datagramsPerTurn
        // Those that the last turn had no room for come first.
        let waiting = leftOver
        leftOver.removeAll(keepingCapacity: true)
        let resumed = throttled
        throttled.removeAll(keepingCapacity: true)
        for index in resumed { slots[index].transport?.beginTurn() }
        serve(waiting[...], &budget)
        guard budget > 0 else { return true }
        let found = unsafe majlis_epoll_ready(epoll, &ready, Int32(ready.count))
        guard found > 0 else { return false }
        serve(ready[..<Int(found)], &budget)
        return Int(found) == ready.count || !leftOver.isEmpty || !throttled.isEmpty
    }

    private func serve(_ events: ArraySlice<UInt64>, _ budget: inout Int) {
        for (offset, data) in events.enumerated() {
            guard budget > 0 else {
                leftOver.append(contentsOf: events.dropFirst(offset))
                return
            }
            let index = Int(UInt32(truncatingIfNeeded: data))
            guard slots.indices.contains(index), slots[index].generation == UInt32(truncatingIfNeeded: data >> 32),
                let transport = slots[index].transport
            else { continue }
            budget -= transport.serve()
            if transport.isThrottled { throttled.append(index) }
        }
    }

    private func sweep() {
        enter()
        defer { leave() }
        let now = MonotonicClock.now
        sweeps += 1
        let all = interval != Self.connectingSweep || sweeps % Self.connectedSweeps == 0
        var connecting = false
        for index in slots.indices {
            guard let transport = slots[index].transport else { continue }
            if all || transport.isConnecting {
                transport.sweep(at: now)
                if transport.isThrottled { throttled.append(index) }
            }
            if transport.isConnecting { connecting = true }
        }
        let wanted: Int64
        if count == 0 {
            wanted = 0
        } else {
            wanted = connecting ? Self.connectingSweep : Self.connectingSweep * Int64(Self.connectedSweeps)
        }
        guard wanted != interval else { return }
        interval = wanted
        if wanted == 0 { timer?.stop() } else { timer?.start(after: wanted, repeating: wanted) }
    }

    private func enter() { depth += 1 }

    /// Agents closed while libnice was on the stack are closed now that it is not.
    private func leave() {
        depth -= 1
        guard depth == 0 else { return }
        while let agent = retired.popLast() { agent.close() }
    }

    /// Runs what may call libnice, so that a close inside it waits for its end.
    func within(_ body: () -> Void) {
        enter()
        body()
        leave()
    }
}
