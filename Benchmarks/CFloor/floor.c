#define _GNU_SOURCE
#include "floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { maximum_destinations = 256, maximum_segments = 16, header_bytes = 28, tag_bytes = 16, buffer_bytes = 1500 };

struct destination {
    int sender;
    int receiver;
    struct sockaddr_in address;
    EVP_CIPHER_CTX *cipher;
    uint32_t ssrc;
    uint16_t sequence;
};

struct floor {
    struct majlis_floor_load load;
    struct majlis_floor_result result;
    struct destination destinations[maximum_destinations];
    _Atomic int is_done;
    int failure;
};

int majlis_pin(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    return sched_setaffinity(0, sizeof set, &set) == 0 ? 0 : errno;
}

static int64_t nanoseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int open_destination(struct floor *floor, int index) {
    struct destination *to = &floor->destinations[index];
    socklen_t length = sizeof to->address;
    int size = 1 << 20;
    to->address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    to->sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    to->receiver = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (to->sender < 0 || to->receiver < 0) return errno;
    if (bind(to->sender, (struct sockaddr *)&to->address, length) != 0) return errno;
    if (bind(to->receiver, (struct sockaddr *)&to->address, length) != 0) return errno;
    setsockopt(to->sender, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    setsockopt(to->receiver, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (getsockname(to->receiver, (struct sockaddr *)&to->address, &length) != 0) return errno;
    uint8_t key[16];
    memset(key, index, sizeof key);
    to->ssrc = 1000 + index;
    to->cipher = EVP_CIPHER_CTX_new();
    return to->cipher && EVP_EncryptInit_ex(to->cipher, EVP_aes_128_gcm(), NULL, key, NULL) == 1 ? 0 : ENOMEM;
}

// By the clock and not by readiness: what waking a receiver costs is not the floor's.
static void *empty_sockets(void *argument) {
    struct floor *floor = argument;
    uint8_t bytes[2048];
    if (floor->load.receiving_core >= 0) majlis_pin(floor->load.receiving_core);
    for (int is_last = 0; !is_last;) {
        is_last = atomic_load(&floor->is_done);
        for (int i = 0; i < floor->load.destinations; i++)
            while (recv(floor->destinations[i].receiver, bytes, sizeof bytes, 0) > 0) floor->result.packets_received++;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return NULL;
}

static void put(uint8_t *at, uint64_t value, int count) {
    for (int i = 0; i < count; i++) at[i] = (uint8_t)(value >> 8 * (count - 1 - i));
}

// A new header and protection; what is sent lies in `bytes` afterwards.
static int protect_one(struct destination *to, uint8_t *bytes, const uint8_t *packet, int length) {
    uint8_t vector[12] = {0};
    int written;
    memcpy(bytes, packet, length);
    to->sequence++;
    put(bytes + 2, to->sequence, 2);
    put(bytes + 4, to->sequence * 960u, 4);
    put(bytes + 8, to->ssrc, 4);
    put(vector + 2, to->ssrc, 4);
    put(vector + 10, to->sequence, 2);
    if (EVP_EncryptInit_ex(to->cipher, NULL, NULL, NULL, vector) != 1 ||
        EVP_EncryptUpdate(to->cipher, NULL, &written, bytes, header_bytes) != 1 ||
        EVP_EncryptUpdate(to->cipher, bytes + header_bytes, &written, bytes + header_bytes, length - header_bytes) != 1 ||
        EVP_EncryptFinal_ex(to->cipher, bytes + length, &written) != 1 ||
        EVP_CIPHER_CTX_ctrl(to->cipher, EVP_CTRL_AEAD_GET_TAG, tag_bytes, bytes + length) != 1)
        return EINVAL;
    return 0;
}

// Several packets of one destination in one call.
static int send_some(struct destination *to, const uint8_t *packet, int length, int count) {
    static uint8_t bytes[maximum_segments][buffer_bytes];
    struct iovec parts[maximum_segments];
    for (int i = 0; i < count; i++) {
        int failure = protect_one(to, bytes[i], packet, length);
        if (failure) return failure;
        parts[i] = (struct iovec){.iov_base = bytes[i], .iov_len = length + tag_bytes};
    }
    if (count == 1) {
        ssize_t sent = sendto(
            to->sender, bytes[0], length + tag_bytes, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to->address,
            sizeof to->address);
        return sent < 0 ? errno : 0;
    }
    union {
        char bytes[CMSG_SPACE(sizeof(uint16_t))];
        struct cmsghdr aligned;
    } control = {0};
    struct msghdr message = {
        .msg_name = &to->address,
        .msg_namelen = sizeof to->address,
        .msg_iov = parts,
        .msg_iovlen = count,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    uint16_t segment = length + tag_bytes;
    header->cmsg_level = SOL_UDP;
    header->cmsg_type = UDP_SEGMENT;
    header->cmsg_len = CMSG_LEN(sizeof segment);
    memcpy(CMSG_DATA(header), &segment, sizeof segment);
    return sendmsg(to->sender, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? errno : 0;
}

static void *send_bursts(void *argument) {
    struct floor *floor = argument;
    uint8_t packet[buffer_bytes];
    if (floor->load.sending_core >= 0) majlis_pin(floor->load.sending_core);
    memset(packet, 7, sizeof packet);
    packet[0] = 0x80;
    int64_t next = nanoseconds(CLOCK_MONOTONIC);
    int64_t began = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    for (int burst = 0; burst < floor->load.bursts && !floor->failure; burst++) {
        for (int i = 0; i < floor->load.packets_per_burst; i += floor->load.packets_per_call)
            for (int to = 0; to < floor->load.destinations; to++) {
                int left = floor->load.packets_per_burst - i;
                int count = left < floor->load.packets_per_call ? left : floor->load.packets_per_call;
                int failure = send_some(&floor->destinations[to], packet, floor->load.packet_bytes, count);
                if (failure == 0) floor->result.packets_sent += count;
                else if (failure != EAGAIN && failure != ENOBUFS) floor->failure = failure;
            }
        next += floor->load.interval_nanoseconds;
        struct timespec until = {.tv_sec = next / 1000000000, .tv_nsec = next % 1000000000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
    floor->result.cpu_nanoseconds = nanoseconds(CLOCK_THREAD_CPUTIME_ID) - began;
    return NULL;
}

int majlis_floor_run(const struct majlis_floor_load *load, struct majlis_floor_result *result) {
    static struct floor floor;
    if (load->destinations < 1 || load->destinations > maximum_destinations || load->packet_bytes < 64 ||
        load->packet_bytes > 1400 || load->packets_per_call < 1 || load->packets_per_call > maximum_segments)
        return EINVAL;
    memset(&floor, 0, sizeof floor);
    floor.load = *load;
    for (int i = 0; i < load->destinations && !floor.failure; i++) floor.failure = open_destination(&floor, i);
    pthread_t sending, receiving;
    if (!floor.failure) floor.failure = pthread_create(&receiving, NULL, empty_sockets, &floor);
    if (!floor.failure) {
        floor.failure = pthread_create(&sending, NULL, send_bursts, &floor);
        if (!floor.failure) pthread_join(sending, NULL);
        atomic_store(&floor.is_done, 1);
        pthread_join(receiving, NULL);
    }
    for (int i = 0; i < load->destinations; i++) {
        struct destination *to = &floor.destinations[i];
        if (to->sender > 0) close(to->sender);
        if (to->receiver > 0) close(to->receiver);
        EVP_CIPHER_CTX_free(to->cipher);
    }
    *result = floor.result;
    return floor.failure;
}
