// libopus, and as inline functions the variadic controls that the importer cannot carry.
#pragma once
#include <opus.h>

static inline int majlis_opus_encoder_set(OpusEncoder *encoder, int request, opus_int32 value) {
    return opus_encoder_ctl(encoder, request, value);
}
static inline int majlis_opus_decoder_reset(OpusDecoder *decoder) { return opus_decoder_ctl(decoder, OPUS_RESET_STATE); }

// Whether the encoder heard a voice: the flags of SILK's frames, which are the first bits of each Opus frame (RFC 6716 4.2.3).
// 1 for a voice, 0 for none, -1 for no Opus packet and for CELT alone, which has no such flags.
static inline int majlis_opus_voice(const unsigned char *packet, opus_int32 length) {
    const unsigned char *frames[48];
    opus_int16 sizes[48];
    unsigned char toc;
    int count = opus_packet_parse(packet, length, &toc, frames, sizes, 0);
    if (count < 1 || toc & 0x80) return -1;
    // One SILK frame of 20 ms at most: two in 40 ms, three in 60, which SILK alone has.
    int duration = toc >> 3 & 3;
    int flags = toc >> 3 < 12 && duration >= 2 ? duration : 1;
    for (int frame = 0; frame < count; frame++) {
        if (sizes[frame] > 0 && frames[frame][0] >> (8 - flags)) return 1;
    }
    return 0;
}
static inline int majlis_opus_encoder_reset(OpusEncoder *encoder) { return opus_encoder_ctl(encoder, OPUS_RESET_STATE); }
