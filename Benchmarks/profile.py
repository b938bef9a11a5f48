"""Where a server's time goes under a load of `ServerBenchmarks --hold`: samples of perf, in groups and by function. It judges nothing;
docs/performance.md explains what it prints.

    python3 Benchmarks/profile.py [LOAD [SECONDS]]

Needs root, perf, and release builds of majlis and ServerBenchmarks."""

import collections
import pathlib
import re
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(__file__).resolve().parents[1] / ".build" / "release"

# A sample belongs to the first group of which a pattern is found in its stack, from the inside out where `leaf` is true: what
# runs there itself; else anywhere: what it is done for.
GROUPS = [
    ("kernel: what receivers' sockets cost on loopback", False, r"__netif_receive_skb|process_backlog"),
    ("kernel: sending UDP", False, r"sys_sendto|sys_sendmsg|sys_sendmmsg|udp_sendmsg"),
    ("kernel: receiving UDP", False, r"sys_recvfrom|sys_recvmsg|sys_recvmmsg"),
    ("kernel: waiting and waking (epoll, poll, futex, eventfd)", False,
     r"sys_epoll|sys_poll|sys_ppoll|sys_futex|eventfd_write|schedule"),
    ("kernel: the rest", True, r"\(\[kernel|\(\[guest|\(\[unknown\]\)$"),
    # strcmp: OpenSSL 3 finds parameters by their names.
    ("AES-GCM (OpenSSL)", True, r"libcrypto|EVP_|aesni_gcm|gcm_|AES_|CRYPTO_|strcmp"),
    ("SRTP in, SRTCP both ways (libsrtp2, NSS)", True, r"libsrtp|libfreebl|libnss|libsoftokn|libnspr|srtp_"),
    ("Opus (levels)", True, r"libopus|opus_|silk_|celt_"),
    ("ICE (libnice, GLib)", True, r"libnice|libglib|libgio|libgobject|nice_|g_main_"),
    ("memory: malloc, free, copying", True, r"malloc|_int_free|cfree|\bfree\b|memmove|memcpy|memset"),
    ("Swift's runtime (retain, release, exclusivity)", True, r"\bswift_|swift::"),
    ("the core: MediaCore", True, r"9MediaCore|MediaCore\."),
    ("protecting and sending: Transport", True, r"9Transport|Transport\."),
    ("the turn: Server", True, r"6Server|Server\."),
    ("the loop: EventLoop, libuv", True, r"9EventLoop|EventLoop\.|uv_|libuv"),
    ("libc: entries of system calls, the clock, locks", True, r"libc\.so|\[vdso\]|libpthread"),
    ("the rest", True, r""),
]


def samples(text):
    """The stacks of `perf script`, each a list of functions, the innermost first."""
    stack = []
    for line in text.splitlines():
        frame = re.match(r"\s+[0-9a-f]+ (.*)", line)
        if frame:
            stack.append(frame[1])
        elif not line.strip() and stack:
            yield stack
            stack = []
    if stack:
        yield stack


def group(stack):
    for name, is_leaf, pattern in GROUPS:
        if any(re.search(pattern, frame) for frame in (stack[:1] if is_leaf else stack)):
            return name
    return GROUPS[-1][0]


def main(load="audio20", seconds=10):
    hold = subprocess.Popen([BUILD / "ServerBenchmarks", "--hold", load, "--seconds", str(seconds + 6)],
                            stdout=subprocess.PIPE, text=True)
    lines = []
    for line in hold.stdout:
        lines.append(line.rstrip())
        process = re.search(r"the server is process (\d+)", line)
        if process:
            break
    else:
        sys.exit("\n".join(lines) or "the load did not begin")
    time.sleep(2)
    with tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(folder) / "perf.data"
        subprocess.run(["perf", "record", "-q", "-F", "997", "-g", "-e", "cpu-clock", "-p", process[1], "-o", data,
                        "--", "sleep", str(seconds)], check=True, stdout=subprocess.DEVNULL)
        script = subprocess.run(["perf", "script", "-i", data, "-F", "ip,sym,dso"], capture_output=True, text=True).stdout
    lines += [line.rstrip() for line in hold.stdout]
    hold.wait()
    print("\n".join(lines[-3:]))
    groups, functions = collections.Counter(), collections.Counter()
    for stack in samples(script):
        groups[group(stack)] += 1
        functions[stack[0]] += 1
    total = sum(groups.values()) or 1
    print(f"\n{total} samples in {seconds} s: {100 * total / 997 / seconds:.1f} % of a core")
    for name, count in groups.most_common():
        print(f"{100 * count / total:6.1f} %  {name}")
    print("\nby function:")
    for name, count in functions.most_common(60):
        print(f"{100 * count / total:6.1f} %  {name[:150]}")


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:3]))
