// Counts every allocation of the program it is linked into, by standing in for the C library's allocation functions.
// For benchmarks only; counts of all threads together. Also a library to preload: with MAJLIS_ALLOCATION_COUNT=FILE in the
// environment the count, 8 bytes, is in that file.
#ifndef MAJLIS_ALLOCATION_COUNT_H
#define MAJLIS_ALLOCATION_COUNT_H

#include <stdint.h>

/// The number of allocations (malloc, calloc, realloc and the aligned kinds) since the program began.
uint64_t majlis_allocation_count(void);

#endif
