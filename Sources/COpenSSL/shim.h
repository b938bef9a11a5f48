// OpenSSL 3, and as inline functions the control macros that the importer cannot carry.
#pragma once
#include <stdint.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/srtp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

static inline int majlis_SSL_CTX_set_min_proto(SSL_CTX *context, int version) {
    return (int)SSL_CTX_set_min_proto_version(context, version);
}
static inline int majlis_SSL_CTX_set_max_proto(SSL_CTX *context, int version) {
    return (int)SSL_CTX_set_max_proto_version(context, version);
}
static inline int majlis_SSL_CTX_set1_groups_list(SSL_CTX *context, const char *list) {
    return (int)SSL_CTX_set1_groups_list(context, list);
}
static inline void majlis_SSL_CTX_set_dtls_options(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
}
static inline void majlis_SSL_CTX_set_max_cert_list(SSL_CTX *context, long bytes) {
    SSL_CTX_set_max_cert_list(context, bytes);
}
static inline int majlis_DTLS_set_link_mtu(SSL *ssl, long mtu) { return (int)DTLS_set_link_mtu(ssl, mtu); }
/// Below zero: no timer is armed; otherwise the microseconds until DTLSv1_handle_timeout is due.
static inline int64_t majlis_DTLS_timeout_us(SSL *ssl) {
    struct timeval left;
    if (!DTLSv1_get_timeout(ssl, &left)) return -1;
    return (int64_t)left.tv_sec * 1000000 + left.tv_usec;
}
static inline int majlis_DTLS_handle_timeout(SSL *ssl) { return (int)DTLSv1_handle_timeout(ssl); }

// HMAC-SHA1 with its pads taken in once per key: EVP_MAC sets them up for every packet, which costs as much as the hash
// of a video packet. The low-level SHA-1 is deprecated in favour of EVP, which cannot do this.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
static inline void majlis_hmac_sha1_pads(const uint8_t *key, size_t length, SHA_CTX *inner, SHA_CTX *outer) {
    uint8_t pad[64];
    for (size_t i = 0; i < 64; i++) pad[i] = (uint8_t)((i < length ? key[i] : 0) ^ 0x36);
    SHA1_Init(inner);
    SHA1_Update(inner, pad, 64);
    for (size_t i = 0; i < 64; i++) pad[i] ^= 0x36 ^ 0x5c;
    SHA1_Init(outer);
    SHA1_Update(outer, pad, 64);
    OPENSSL_cleanse(pad, sizeof pad);
}
/// The first 10 bytes of the HMAC-SHA1 of `data` followed by the 32-bit `word` in network order (RFC 3711 §4.2).
static inline void majlis_hmac_sha1_80(
    const SHA_CTX *inner, const SHA_CTX *outer, const uint8_t *data, size_t length, uint32_t word, uint8_t *tag) {
    uint8_t digest[SHA_DIGEST_LENGTH];
    uint8_t tail[4] = {(uint8_t)(word >> 24), (uint8_t)(word >> 16), (uint8_t)(word >> 8), (uint8_t)word};
    SHA_CTX state = *inner;
    SHA1_Update(&state, data, length);
    SHA1_Update(&state, tail, 4);
    SHA1_Final(digest, &state);
    state = *outer;
    SHA1_Update(&state, digest, sizeof digest);
    SHA1_Final(digest, &state);
    for (int i = 0; i < 10; i++) tag[i] = digest[i];
}
#pragma clang diagnostic pop
