// The floor under an SFU's egress: one packet fanned out to many destinations with nothing but what cannot be left out,
// a new header, AES-128-GCM by OpenSSL's EVP, and a sendto on an unconnected UDP socket. For benchmarks only.
#ifndef MAJLIS_FLOOR_H
#define MAJLIS_FLOOR_H

#include <stdint.h>

/// The load: each interval `packets_per_burst` packets of `packet_bytes` (before protection, 64 to 1400) go to each of
/// `destinations` sockets (at most 256) of loopback, which another thread empties.
struct majlis_floor_load {
    int destinations;
    int packet_bytes;
    int packets_per_burst;
    /// So many of them leave in one call, 1 to 16: more than one by UDP_SEGMENT.
    int packets_per_call;
    int64_t interval_nanoseconds;
    int bursts;
    /// Cores for the sending and for the emptying thread; negative: any.
    int sending_core;
    int receiving_core;
};

struct majlis_floor_result {
    int64_t packets_sent;
    int64_t packets_received;
    /// Time of the sending thread on its core, everything included.
    int64_t cpu_nanoseconds;
};

/// Runs the load; 0, or an errno.
int majlis_floor_run(const struct majlis_floor_load *load, struct majlis_floor_result *result);

/// Binds the calling thread to one core; 0, or an errno.
int majlis_pin(int core);

#endif
