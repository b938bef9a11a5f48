#define _GNU_SOURCE
#include "csupport.h"

#include <pthread.h>

void majlis_thread_name(const char *name) { pthread_setname_np(pthread_self(), name); }
