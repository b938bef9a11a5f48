#!/usr/bin/env python3
"""A link in user space between two network namespaces: whole IP packets go from one TUN device to the other with a rate, a queue,
delay, jitter and loss, as kernels without netem cannot. Knows nothing of what they carry.

    tun_link.py NAMESPACE_A NAMESPACE_B LOG

Reads lines of JSON from standard input: `{"ab": {"kilobits": 500, "queue": 300, "delay": 40, "jitter": 5, "loss": 2}}`, likewise `"ba"`;
what is not named stays. `kilobits` 0 is no limit; `queue` is the longest wait in ms, `delay` and `jitter` are ms, `loss` percent.
Jitter is a random walk between 0 and its value, so that packets keep their order. Every 10 ms it appends to LOG what waits from a to b:
seconds since 1970, ms of waiting, packets dropped so far. Ends with standard input.
"""

import collections
import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import struct
import subprocess
import sys
import time

ADDRESSES = ("10.99.73.1", "10.99.73.2")
SAMPLE = 0.010


def enter(namespace):
    """This thread lives in the namespace from now on."""
    with open(f"/run/netns/{namespace}") as handle:
        if ctypes.CDLL(None, use_errno=True).setns(handle.fileno(), 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")


def tun(namespace, own, other):
    """A TUN device that is up; its file descriptor."""
    enter(namespace)
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, 0x400454CA, struct.pack("16sH22x", b"link", 0x0001 | 0x1000))  # TUNSETIFF: TUN, no header
    for command in (["ip", "addr", "add", own, "peer", other, "dev", "link"],
                    ["ip", "link", "set", "dev", "link", "mtu", "1500", "txqueuelen", "1000", "up"]):
        subprocess.run(command, check=True)
    return device


class Direction:
    """One direction: packets wait, take their time on the line, and then their delay."""

    def __init__(self, out, seed):
        self.out = out
        self.chance = random.Random(seed)
        self.settings = {"kilobits": 0, "queue": 300, "delay": 0, "jitter": 0, "loss": 0}
        self.waiting = collections.deque()
        self.bytes = 0
        self.free_at = 0.0
        self.flying = []
        self.count = 0
        self.last_arrival = 0.0
        self.walk = 0.0
        self.dropped = 0

    def wait(self, now):
        """How many milliseconds a packet would wait that came now: of the one on the line only what is left of it."""
        if not self.waiting or not self.settings["kilobits"]:
            return 0.0
        return max(0.0, self.bytes * 8 / self.settings["kilobits"] - (now - self.free_at) * 1000)

    def take(self, packet, now):
        if self.settings["loss"] and self.chance.random() * 100 < self.settings["loss"]:
            return
        if self.wait(now) > self.settings["queue"]:
            self.dropped += 1
            return
        if not self.waiting:
            self.free_at = max(self.free_at, now)
        self.waiting.append(packet)
        self.bytes += len(packet)

    def run(self, now):
        """Lets go on what is due; the moment of what is due next."""
        while self.waiting:
            rate = self.settings["kilobits"]
            ends = self.free_at + (len(self.waiting[0]) * 8 / rate / 1000 if rate else 0)
            if ends > now:
                break
            packet = self.waiting.popleft()
            self.bytes -= len(packet)
            self.free_at = ends
            jitter = self.settings["jitter"]
            self.walk = min(max(self.walk + self.chance.uniform(-jitter, jitter) / 2, 0), jitter)
            self.last_arrival = max(self.last_arrival, ends + (self.settings["delay"] + self.walk) / 1000)
            self.count += 1
            heapq.heappush(self.flying, (self.last_arrival, self.count, packet))
        while self.flying and self.flying[0][0] <= now:
            try:
                os.write(self.out, heapq.heappop(self.flying)[2])
            except OSError:
                self.dropped += 1
        due = [self.flying[0][0]] if self.flying else []
        if self.waiting:
            rate = self.settings["kilobits"]
            due.append(self.free_at + (len(self.waiting[0]) * 8 / rate / 1000 if rate else 0))
        return min(due, default=now + 1)


def main():
    first, second, log = sys.argv[1:]
    a = tun(first, *ADDRESSES)
    b = tun(second, *reversed(ADDRESSES))
    if os.geteuid() == 0:
        os.nice(-10)
    ways = {"ab": Direction(b, 1), "ba": Direction(a, 2)}
    sources = {a: ways["ab"], b: ways["ba"]}
    print("ready", flush=True)
    text = b""
    sample_at = time.time()
    with open(log, "w") as lines:
        while True:
            now = time.time()
            due = min(*(way.run(now) for way in ways.values()), sample_at)
            readable, _, _ = select.select([a, b, 0], [], [], max(0, due - time.time()))
            now = time.time()
            for descriptor in readable:
                if descriptor == 0:
                    got = os.read(0, 65_536)
                    if not got:
                        return
                    text += got
                    while b"\n" in text:
                        line, text = text.split(b"\n", 1)
                        for way, settings in json.loads(line).items():
                            ways[way].settings.update(settings)
                    continue
                for _ in range(64):
                    try:
                        packet = os.read(descriptor, 65_536)
                    except BlockingIOError:
                        break
                    # IPv4 alone: what the kernel says by itself over IPv6 is none of the call's.
                    if packet[0] >> 4 == 4:
                        sources[descriptor].take(packet, now)
            if now >= sample_at:
                for way in ways.values():
                    way.run(now)
                lines.write(f"{now:.3f} {ways['ab'].wait(now):.1f} {ways['ab'].dropped}\n")
                lines.flush()
                sample_at = max(sample_at + SAMPLE, now)


if __name__ == "__main__":
    main()
