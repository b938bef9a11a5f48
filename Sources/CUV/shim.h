#pragma once
#include <sys/prctl.h>
#include <uv.h>

/// Names the calling thread (15 bytes are kept). prctl is variadic, which Swift does not import.
static inline void majlis_uv_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

#include <sys/syscall.h>
#include <unistd.h>

/// Binds the calling thread to one core (0 to 1023); 0, or -1 with `errno` set.
static inline int majlis_uv_bind_thread(int core) {
    unsigned long mask[1024 / (8 * sizeof(unsigned long))] = {0};
    if (core < 0 || core > 1023) return -1;
    mask[(unsigned)core / (8 * sizeof mask[0])] = 1ul << ((unsigned)core % (8 * sizeof mask[0]));
    return (int)syscall(SYS_sched_setaffinity, 0, sizeof mask, mask);
}
