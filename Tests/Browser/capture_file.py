"""Reads what a capture holds (docs/captures.md) independently of the Swift code, as far as recorded calls are checked:
packets by peer and direction, commands, decisions by name."""

import collections
import struct

CUSTOM, ENHANCED, INTERFACE, SECTION = 0x0BAD, 6, 1, 0x0A0D0D0A
ENTERPRISE = 32473
KINDS = [None, "opened", "command", "advanced", "flushed", "digest", "decision", "checkpoint", "comment", "gap", "odd"]
COMMANDS = ["addParticipant", "applyPlan", "peerConnected", "peerDisconnected", "removeParticipant", "setMuted",
            "setSlotWishes"]
DECISIONS = ["streamBound", "streamEvicted", "streamRestarted", "layerAlive", "layerDead", "slotAssigned",
             "unsupportedCodec", "waitingForKeyFrame", "switched", "keyFrameRequested", "keyFrameSuppressed",
             "nackListOverflowed", "timestampCorrected", "receiverFrozen", "layerSwitched", "layersChanged", "estimateChanged",
             "probeStarted", "layerAllocated", "layersNeeded"]


class CaptureFile:
    """Counts of one capture."""

    def __init__(self, path):
        self.size = path.stat().st_size
        self.events = collections.Counter()
        self.commands = collections.Counter()
        self.decisions = collections.Counter()
        self.packets_in = collections.Counter()  # by peer
        self.bytes_in = self.bytes_kept = 0  # of received RTP packets: on the wire, and in the file
        self.first = self.last = None
        self._read(path.read_bytes())

    @property
    def seconds(self):
        return (self.last - self.first) / 1e9 if self.first is not None else 0.0

    @property
    def people(self):
        return self.commands["addParticipant"]

    def _read(self, data):
        offset, peers = 0, []
        while offset + 12 <= len(data):
            kind, length = struct.unpack_from("<II", data, offset)
            assert length >= 12 and offset + length <= len(data), f"a block at {offset} is {length} bytes long"
            body = data[offset + 8:offset + length - 4]
            if kind == SECTION:
                peers = []
            elif kind == INTERFACE:
                peers.append(self._peer(body))
            elif kind == ENHANCED:
                self._packet(body, peers)
            elif kind == CUSTOM and body[:6] == struct.pack("<I", ENTERPRISE) + b"Mj":
                self._event(body[7], body[8:])
            offset += length
        assert offset == len(data), "the file ends within a block"

    def _peer(self, body):
        offset = 8
        while offset + 4 <= len(body):
            code, length = struct.unpack_from("<HH", body, offset)
            value = body[offset + 4:offset + 4 + length]
            if code == 2989:
                return struct.unpack_from("<I", value, length - 4)[0]
            offset += 4 + (length + 3 & ~3)
        return None

    def _packet(self, body, peers):
        interface, high, low, captured, original = struct.unpack_from("<IIIII", body, 0)
        data = body[20:20 + captured]
        options = body[20 + (captured + 3 & ~3):]
        flags = struct.unpack_from("<I", options, 4)[0] if options[:4] == struct.pack("<HH", 2, 4) else 0
        port = struct.unpack_from(">H", data, 22)[0]
        inbound = flags & 3 == 1
        self.events[("rtp" if port == 5004 else "rtcp") + (" in" if inbound else " out")] += 1
        if not inbound:
            return
        at = (high << 32) | low
        self.first = at if self.first is None else self.first
        self.last = at
        if port == 5004:
            self.packets_in[peers[interface]] += 1
            self.bytes_kept += captured - 28
            self.bytes_in += original - 28

    def _event(self, kind, body):
        name = KINDS[kind]
        self.events[name] += 1
        if name == "command":
            self.commands[COMMANDS[body[8]]] += 1
        elif name == "decision":
            number = body[0]
            self.decisions[DECISIONS[number] if number < len(DECISIONS) else f"decision {number}"] += 1
