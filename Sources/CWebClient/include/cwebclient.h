// The web client's files, embedded in the binary so that it serves them wherever it runs.
#pragma once
#include <stddef.h>

/// One embedded file.
typedef struct majlis_web_file {
    const char *path;          ///< as requested, e.g. "/index.html"
    const char *content_type;  ///< the value of Content-Type
    const unsigned char *bytes;
    size_t count;
} majlis_web_file;

/// The files, `majlis_web_file_count` of them.
extern const majlis_web_file majlis_web_files[];
extern const size_t majlis_web_file_count;

/// One of them; an array of unknown size is not imported into Swift.
static inline majlis_web_file majlis_web_file_at(size_t index) { return majlis_web_files[index]; }
