#define _GNU_SOURCE
#include "csupport.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

void majlis_thread_name(const char *name) { pthread_setname_np(pthread_self(), name); }

int majlis_epoll_create(void) {
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    return epoll < 0 ? -errno : epoll;
}

int majlis_epoll_set(int epoll, int fd, uint64_t data) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = data};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0) return 0;
    if (errno != EEXIST) return -errno;
    return epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) == 0 ? 0 : -errno;
}

int majlis_epoll_remove(int epoll, int fd) { return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) == 0 ? 0 : -errno; }

int majlis_epoll_ready(int epoll, uint64_t *ready, int capacity) {
    struct epoll_event events[64];
    int count = epoll_wait(epoll, events, capacity < 64 ? capacity : 64, 0);
    if (count < 0) return -errno;
    for (int i = 0; i < count; i++) ready[i] = events[i].data.u64;
    return count;
}

ssize_t majlis_send_segments(
    int fd, const void *to, uint32_t to_length, const void *parts, int count, uint16_t segment) {
    union {
        char bytes[CMSG_SPACE(sizeof(uint16_t))];
        struct cmsghdr aligned;
    } control = {0};
    struct msghdr message = {
        .msg_name = (void *)to,
        .msg_namelen = to_length,
        .msg_iov = (struct iovec *)parts,
        .msg_iovlen = (size_t)count,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_UDP;
    header->cmsg_type = UDP_SEGMENT;
    header->cmsg_len = CMSG_LEN(sizeof segment);
    memcpy(CMSG_DATA(header), &segment, sizeof segment);
    ssize_t sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}

int majlis_want_arrival_times(int fd) {
    int on = 1;
    return setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) == 0 ? 0 : -errno;
}

int majlis_receive_many(
    int fd, uint8_t *buffer, int stride, int capacity, int32_t *lengths, int64_t *arrivals, void *sources) {
    enum { most = 64 };
    struct mmsghdr messages[most];
    struct iovec parts[most];
    _Alignas(struct cmsghdr) char control[most][CMSG_SPACE(sizeof(struct timespec))];
    if (capacity > most) capacity = most;
    for (int i = 0; i < capacity; i++) {
        parts[i] = (struct iovec){.iov_base = buffer + (size_t)i * (size_t)stride, .iov_len = (size_t)stride};
        struct msghdr *header = &messages[i].msg_hdr;
        memset(header, 0, sizeof *header);
        header->msg_iov = &parts[i];
        header->msg_iovlen = 1;
        header->msg_control = control[i];
        header->msg_controllen = sizeof control[i];
        if (sources) {
            header->msg_name = (struct sockaddr_storage *)sources + i;
            header->msg_namelen = sizeof(struct sockaddr_storage);
        }
    }
    int count = recvmmsg(fd, messages, (unsigned)capacity, MSG_DONTWAIT, NULL);
    if (count < 0) return -errno;
    for (int i = 0; i < count; i++) {
        lengths[i] = (int32_t)messages[i].msg_len;
        arrivals[i] = 0;
        struct msghdr *header = &messages[i].msg_hdr;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
            if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS) continue;
            struct timespec at;
            memcpy(&at, CMSG_DATA(c), sizeof at);
            arrivals[i] = (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
        }
    }
    return count;
}

static int is_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b) {
    if (a->ss_family != b->ss_family) return 0;
    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *x = (const void *)a, *y = (const void *)b;
        return x->sin_port == y->sin_port && x->sin_addr.s_addr == y->sin_addr.s_addr;
    }
    const struct sockaddr_in6 *x = (const void *)a, *y = (const void *)b;
    return a->ss_family == AF_INET6 && x->sin6_port == y->sin6_port && x->sin6_scope_id == y->sin6_scope_id &&
        memcmp(&x->sin6_addr, &y->sin6_addr, sizeof x->sin6_addr) == 0;
}

ssize_t majlis_take_media(int fd, void *buffer, size_t capacity, const void *from) {
    struct sockaddr_storage source;
    socklen_t length = sizeof source;
    ssize_t count = recvfrom(
        fd, buffer, capacity, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT, (struct sockaddr *)&source, &length);
    if (count < 0) return errno == EAGAIN ? 0 : -1;
    if (count == 0 || (size_t)count > capacity || *(uint8_t *)buffer < 128 || *(uint8_t *)buffer > 191) return -1;
    if (!is_same(&source, from)) return -1;
    // It has been read; this takes it off.
    recv(fd, buffer, 0, MSG_DONTWAIT);
    return count;
}
