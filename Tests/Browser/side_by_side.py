#!/usr/bin/env python3
"""Plays the same impaired link under two calls, Chromium to Chromium, and Chromium through Majlis to Chromium, and writes a report
with both beside each other.

    .build/venv/bin/python Tests/Browser/side_by_side.py [SCENARIO ...] [--runs 3] [--out FOLDER]

Only the way to the receiver is impaired. The direct call is libwebrtc's own sending: one encoding of at most 1,200 kb/s, which follows
what it estimates. The other one has three layers of 100, 350 and 1,200 kb/s, of which the server forwards what it estimates.
Needs root, a server that was built (or MAJLIS_BINARY), Debian's chromium, iproute2 and nftables, and /dev/net/tun.
"""

import argparse
import contextlib
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from playwright.sync_api import sync_playwright

import direct_call
import link_world
import rig
import side_by_side_report
import tun_link
from capture_world import nft
from link_world import goes_by, namespace, sends_three, source, star

SIZE = [960, 540]
WARM_UP = 15

# Name: what it is called, whether the link is in user space, and its phases: seconds, then what changes. A tbf has `kilobits` and `loss`,
# a link in user space what tun_link.py takes.
SCENARIOS = {
    "steps": ("tbf: 1.5 Mb/s, 500 kb/s, 1.5 Mb/s", False, [
        (20, {"kilobits": 1_500}), (20, {"kilobits": 500}), (30, {"kilobits": 1_500})]),
    "loss-2": ("tbf 2 Mb/s, nft loses 2 %", False, [(40, {"kilobits": 2_000, "loss": 2})]),
    "loss-10": ("tbf 2 Mb/s, nft loses 10 %", False, [(40, {"kilobits": 2_000, "loss": 10})]),
    "delay-steps": ("user space, 40 ms each way: 1.5 Mb/s, 500 kb/s, 1.5 Mb/s", True, [
        (20, {"kilobits": 1_500, "delay": 40}), (20, {"kilobits": 500}), (30, {"kilobits": 1_500})]),
    "jitter": ("user space, 40 ms each way, 15 ms of jitter, 1 % loss, 1 Mb/s", True, [
        (40, {"kilobits": 1_000, "delay": 40, "jitter": 15, "loss": 1})]),
    "narrow": ("user space, 20 ms each way, 150 kb/s", True, [(40, {"kilobits": 150, "delay": 20})]),
}


class QueueWatch(threading.Thread):
    """What waits in a device's queue, looked at every 10 ms over netlink: `(seconds since 1970, ms of waiting)`."""

    def __init__(self, space, device):
        super().__init__(daemon=True)
        self.space, self.device, self.kilobits = space, device, 0
        self.samples = []
        self.ends = threading.Event()

    def run(self):
        tun_link.enter(self.space)
        index = socket.if_nametoindex(self.device)
        # RTM_GETQDISC, a dump: the kernel answers with all of the namespace's.
        request = struct.pack("=IHHII", 36, 38, 0x301, 1, 0) + struct.pack("=BBHiIII", 0, 0, 0, index, 0, 0, 0)
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
            link.bind((0, 0))
            while not self.ends.wait(0.010):
                link.send(request)
                waiting, done = 0, False
                while not done:
                    answer = link.recv(65_536)
                    found, done = self.backlog(answer, index)
                    waiting = max(waiting, found)
                self.samples.append((time.time(), waiting * 8 / self.kilobits if self.kilobits else 0))

    @staticmethod
    def backlog(answer, index):
        most, at = 0, 0
        while at + 16 <= len(answer):
            length, kind = struct.unpack_from("=IH", answer, at)
            if kind in (2, 3):
                return most, True
            if kind == 36 and struct.unpack_from("=i", answer, at + 20)[0] == index:
                place = at + 36
                while place + 4 <= at + length:
                    size, name = struct.unpack_from("=HH", answer, place)
                    if name == 3:  # TCA_STATS: bytes (64), packets, drops, overlimits, bps, pps, qlen, backlog
                        most = max(most, struct.unpack_from("=I", answer, place + 4 + 32)[0])
                    place += (size + 3) & ~3
            at += (length + 3) & ~3
        return most, False


class KernelLink:
    """A cable with a token bucket and random loss towards the receiver, and the queue in front of it."""

    def __init__(self, stack):
        self.hub, arms = stack.enter_context(star(["anna", "bela"]))
        self.sender, self.receiver = arms["anna"].namespace, arms["bela"].namespace
        self.server_space, self.address, self.arm = self.hub, link_world.SERVER_ADDRESS, arms["bela"]
        self.watch = QueueWatch(self.hub, self.arm.device)
        self.watch.start()

    def change(self, kilobits=None, loss=None):
        if kilobits is not None:
            self.arm.narrow(kilobits)
            self.watch.kilobits = kilobits
        if loss is not None:
            nft(self.receiver, "table ip loss\ndelete table ip loss\ntable ip loss {\nchain in { type filter hook input priority 0; policy accept;\n"
                f"ip protocol udp numgen random mod 100 < {loss} drop\n}}\n}}\n")

    def queue(self):
        return list(self.watch.samples)

    def close(self):
        self.watch.ends.set()
        self.watch.join(2)


class UserLink:
    """A link in user space."""

    def __init__(self, stack):
        prefix = f"majlis-{os.getpid()}"
        near, far = (stack.enter_context(namespace(f"{prefix}-{side}")) for side in ("near", "far"))
        self.sender = self.server_space = near
        self.receiver, self.address = far, tun_link.ADDRESSES[0]
        self.log = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="majlis-tun-"))) / "log"
        self.process = subprocess.Popen([sys.executable, tun_link.__file__, near, far, str(self.log)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n", "the link in user space did not come up"

    def change(self, delay=None, **settings):
        change = {"ab": {**settings, **({} if delay is None else {"delay": delay})}}
        if delay is not None:
            change["ba"] = {"delay": delay}
        self.process.stdin.write(json.dumps(change) + "\n")
        self.process.stdin.flush()

    def queue(self):
        rows = [line.split() for line in self.log.read_text().splitlines()]
        return [(float(row[0]), float(row[1])) for row in rows if len(row) == 3]

    def close(self):
        self.process.stdin.close()
        self.process.wait(5)


def play(kind, scenario, playwright, keep=None):
    """One run: `kind` is `direct` or `majlis`. What was seen."""
    _, in_user_space, phases = SCENARIOS[scenario]
    with contextlib.ExitStack() as stack:
        link = UserLink(stack) if in_user_space else KernelLink(stack)
        stack.callback(link.close)
        link.change(**phases[0][1])
        chromium = rig.Chromium(playwright)
        stack.callback(chromium.close)
        if kind == "direct":
            anna = direct_call.open_page(chromium, chromium.launch(namespace=link.sender, loopback=False), "anna", SIZE)
            bela = direct_call.open_page(chromium, chromium.launch(namespace=link.receiver, loopback=False), "bela")
            direct_call.connect(anna, bela)
        else:
            captures = {"record": "headers", "folder": str(keep), "flightRecorder": False} if keep else {}
            server = stack.enter_context(rig.Server(
                "side-by-side", namespace=link.server_space, host=link.address, captures=captures))
            browsers = [chromium.launch(namespace=space, origin=server.origin, loopback=False)
                        for space in (link.sender, link.receiver)]
            anna = chromium.open(browsers[0], server.link("anna", "garden", autojoin=1), "anna", init=source(SIZE)).joined()
            bela = chromium.open(browsers[1], server.link("bela", "garden", autojoin=1), "bela", size=(1280, 900),
                                 init=source()).joined(40)
            sends_three(anna)
        anna.evaluate("() => voice.speak(600)")
        bela.evaluate(link_world.WATCH)
        goes_by(bela, WARM_UP)
        seen = {"kind": kind, "scenario": scenario, "at": time.time(), "phases": [], "load": os.getloadavg()[0]}
        for seconds, change in phases:
            began = time.time()
            link.change(**change)
            sent = anna.evaluate(link_world.SENT)
            goes_by(bela, seconds)
            ended = time.time()
            more = anna.evaluate(link_world.SENT)
            layers = {rid: (more[rid]["bytes"] - sent.get(rid, {"bytes": 0})["bytes"]) * 8 / 1000 / (ended - began) for rid in more}
            seen["phases"].append({"from": began, "until": ended, "layers": layers, **change})
        seen["watched"] = bela.evaluate("() => watched")
        drawn = anna.evaluate("() => drawn")
        seen["stalls"] = [[a, b] for a, b in zip(drawn, drawn[1:]) if b - a > 250]
        seen["queue"] = link.queue()
        return seen


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--runs", type=int, default=3, help="how often each call is played")
    parser.add_argument("--out", default=str(rig.ROOT / ".build" / "side-by-side"), help="the folder for the report")
    parser.add_argument("--captures", help="an own private folder in which the server records its rooms")
    chosen = parser.parse_args()
    if unknown := [one for one in chosen.scenarios if one not in SCENARIOS]:
        parser.error(f"there is no scenario {unknown[0]}; there are {', '.join(SCENARIOS)}")
    out = pathlib.Path(chosen.out)
    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        for number in range(chosen.runs):
            for scenario in chosen.scenarios or SCENARIOS:
                for kind in ("direct", "majlis"):
                    for _ in range(2):
                        try:
                            seen = play(kind, scenario, playwright, chosen.captures)
                            break
                        except Exception as error:  # a busy machine may spoil a call
                            print(f"{scenario}, {kind}: {error}", flush=True)
                    else:
                        continue
                    name = f"{scenario}-{kind}-{int(time.time())}.json"
                    (out / name).write_text(json.dumps(seen))
                    print(side_by_side_report.line(side_by_side_report.Run(seen)), flush=True)
    print(side_by_side_report.write(out, SCENARIOS))


if __name__ == "__main__":
    main()
