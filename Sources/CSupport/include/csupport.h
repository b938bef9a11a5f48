// The kernel calls that Swift's Glibc overlay does not carry. No logic lives here.
#pragma once
#include <stdint.h>
#include <sys/types.h>

/// Names the calling thread (15 bytes are kept).
void majlis_thread_name(const char *name);

/// A new epoll descriptor, closed on exec; below zero: minus errno.
int majlis_epoll_create(void);
/// Watches `fd` for reading, level-triggered, or changes its data when it is watched already; 0 or minus errno.
int majlis_epoll_set(int epoll, int fd, uint64_t data);
/// Stops watching `fd`; 0 or minus errno.
int majlis_epoll_remove(int epoll, int fd);
/// The data of at most `capacity` (64 are kept) descriptors that are readable now, without waiting; minus errno.
int majlis_epoll_ready(int epoll, uint64_t *ready, int capacity);

/// Sends `count` parts as datagrams of `segment` bytes each, the last one of what is left, in one call and without waiting
/// (UDP_SEGMENT); the bytes sent, or minus errno. `to` is a `sockaddr`, `parts` are `iovec`: headers of the system's that this
/// one included would be its own for Swift.
ssize_t majlis_send_segments(
    int fd, const void *to, uint32_t to_length, const void *parts, int count, uint16_t segment);
/// Asks the kernel to say when each datagram arrived; 0 or minus errno.
int majlis_want_arrival_times(int fd);
/// Takes at most `capacity` (64 are kept) datagrams that are there, without waiting: datagram i lies at `buffer + i * stride`
/// with its length (of what fits), its arrival in nanoseconds of CLOCK_REALTIME (0 where the kernel does not say), and
/// where `sources` is not null its sender in `sources[i]`, a `sockaddr_storage`. Answers how many, or minus errno.
int majlis_receive_many(
    int fd, uint8_t *buffer, int stride, int capacity, int32_t *lengths, int64_t *arrivals, void *sources);
/// Takes the next datagram of a socket, without waiting, where it is one of SRTP or SRTCP (its first byte is 128 to 191, RFC 7983)
/// from `from`, a `sockaddr`, and fits `capacity`: its length. 0: there is none. Below zero: another is next, and stays.
ssize_t majlis_take_media(int fd, void *buffer, size_t capacity, const void *from);
