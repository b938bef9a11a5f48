// The kernel calls that Swift's Glibc overlay does not carry. No logic lives here.
#pragma once
#include <stdint.h>
#include <sys/types.h>

/// Names the calling thread (15 bytes are kept).
void majlis_thread_name(const char *name);
