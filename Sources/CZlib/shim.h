// zlib, and as an inline function what its macros keep from the importer.
#pragma once
#include <stdint.h>
#include <string.h>
#include <zlib.h>

/// The most bytes that `majlis_gzip` can need for `count` bytes.
static inline size_t majlis_gzip_bound(size_t count) { return compressBound(count) + 32; }

/// Compresses in the gzip format (RFC 1952), as small as zlib can; the bytes written, or 0 when they do not fit.
static inline size_t majlis_gzip(const uint8_t *bytes, size_t count, uint8_t *out, size_t capacity) {
    z_stream stream;
    memset(&stream, 0, sizeof stream);
    if (count > UINT32_MAX || capacity > UINT32_MAX) return 0;
    // 15 bits of window, and 16 for gzip's own head and tail.
    if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK) return 0;
    stream.next_in = (Bytef *)bytes;
    stream.avail_in = (uInt)count;
    stream.next_out = out;
    stream.avail_out = (uInt)capacity;
    int result = deflate(&stream, Z_FINISH);
    size_t written = stream.total_out;
    deflateEnd(&stream);
    return result == Z_STREAM_END ? written : 0;
}
