// libvpx for VP8, and as inline functions the macros and variadic controls that the importer cannot carry.
#pragma once
#include <stdint.h>
#include <vpx/vp8cx.h>
#include <vpx/vp8dx.h>
#include <vpx/vpx_codec.h>
#include <vpx/vpx_decoder.h>
#include <vpx/vpx_encoder.h>

static inline vpx_codec_err_t majlis_vp8_encoder_defaults(vpx_codec_enc_cfg_t *configuration) {
    return vpx_codec_enc_config_default(vpx_codec_vp8_cx(), configuration, 0);
}
static inline vpx_codec_err_t majlis_vp8_encoder_init(vpx_codec_ctx_t *codec, const vpx_codec_enc_cfg_t *configuration) {
    return vpx_codec_enc_init(codec, vpx_codec_vp8_cx(), configuration, 0);
}
static inline vpx_codec_err_t majlis_vp8_decoder_init(vpx_codec_ctx_t *codec, const vpx_codec_dec_cfg_t *configuration) {
    return vpx_codec_dec_init(codec, vpx_codec_vp8_dx(), configuration, 0);
}
static inline vpx_codec_err_t majlis_vp8_set(vpx_codec_ctx_t *codec, int control, int value) {
    return vpx_codec_control_(codec, control, value);
}
/// The next whole frame that the encoder has put out, or null; `key` is set for a key frame.
static inline const void *majlis_vp8_next_frame(vpx_codec_ctx_t *codec, vpx_codec_iter_t *place, size_t *length, int *key) {
    const vpx_codec_cx_pkt_t *packet;
    while ((packet = vpx_codec_get_cx_data(codec, place))) {
        if (packet->kind != VPX_CODEC_CX_FRAME_PKT) continue;
        *length = packet->data.frame.sz;
        *key = (packet->data.frame.flags & VPX_FRAME_IS_KEY) != 0;
        return packet->data.frame.buf;
    }
    return NULL;
}
/// Size and kind of a VP8 frame, before it is decoded; 0 when it can be read.
static inline int majlis_vp8_peek(const uint8_t *bytes, unsigned length, unsigned *width, unsigned *height, int *key) {
    vpx_codec_stream_info_t info = {.sz = sizeof info};
    vpx_codec_err_t status = vpx_codec_peek_stream_info(vpx_codec_vp8_dx(), bytes, length, &info);
    *width = info.w;
    *height = info.h;
    *key = (int)info.is_kf;
    return (int)status;
}
