// libcurl, and as inline functions its variadic setters and getters, which the importer cannot carry.
#pragma once
#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

typedef size_t (*majlis_curl_write)(char *bytes, size_t size, size_t count, void *context);
typedef int (*majlis_curl_socket)(CURL *easy, curl_socket_t descriptor, int what, void *context, void *watched);
typedef int (*majlis_curl_timer)(CURLM *multi, long milliseconds, void *context);

/// A connection that a network silently forgot ends after seconds, not after the kernel's quarter of an hour: a request that
/// times out leaves an HTTP/2 connection open, and every later one would go the same way.
static inline int majlis_curl_limit_silence(void *context, curl_socket_t descriptor, curlsocktype purpose) {
    unsigned int milliseconds = 8000;
    (void)context;
    (void)purpose;
    setsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof milliseconds);
    return CURL_SOCKOPT_OK;
}
/// What every transfer has in common. The server's certificate is always verified, against `authorities` (a file in PEM)
/// or the machine's own; the environment's proxies are not asked.
static inline CURLcode majlis_curl_prepare(
    CURL *easy, const char *url, const char *authorities, const char *proxy, long milliseconds, long connect_milliseconds) {
    CURLcode code = CURLE_OK;
#define MAJLIS_SET(option, value) \
    if (code == CURLE_OK) code = curl_easy_setopt(easy, option, value)
    MAJLIS_SET(CURLOPT_URL, url);
    MAJLIS_SET(CURLOPT_PROTOCOLS_STR, "https");
    MAJLIS_SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    MAJLIS_SET(CURLOPT_PIPEWAIT, 1L);
    MAJLIS_SET(CURLOPT_SSL_VERIFYPEER, 1L);
    MAJLIS_SET(CURLOPT_SSL_VERIFYHOST, 2L);
    MAJLIS_SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (authorities) {
        MAJLIS_SET(CURLOPT_CAINFO, authorities);
        MAJLIS_SET(CURLOPT_CAPATH, (char *)0);
    }
    MAJLIS_SET(CURLOPT_PROXY, proxy ? proxy : "");
    MAJLIS_SET(CURLOPT_FOLLOWLOCATION, 0L);
    MAJLIS_SET(CURLOPT_NOSIGNAL, 1L);
    MAJLIS_SET(CURLOPT_TCP_KEEPALIVE, 1L);
    MAJLIS_SET(CURLOPT_TCP_KEEPIDLE, 30L);
    MAJLIS_SET(CURLOPT_TCP_KEEPINTVL, 5L);
    MAJLIS_SET(CURLOPT_SOCKOPTFUNCTION, majlis_curl_limit_silence);
    MAJLIS_SET(CURLOPT_MAXAGE_CONN, 3600L);
    MAJLIS_SET(CURLOPT_TIMEOUT_MS, milliseconds);
    MAJLIS_SET(CURLOPT_CONNECTTIMEOUT_MS, connect_milliseconds);
    MAJLIS_SET(CURLOPT_POST, 1L);
#undef MAJLIS_SET
    return code;
}
static inline CURLcode majlis_curl_set_headers(CURL *easy, struct curl_slist *list) {
    return curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
}
/// curl copies the bytes.
static inline CURLcode majlis_curl_set_body(CURL *easy, const void *bytes, size_t count) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)count);
    return code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, bytes ? bytes : "");
}
static inline CURLcode majlis_curl_set_write(CURL *easy, majlis_curl_write write, void *context) {
    CURLcode code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, write);
    return code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_WRITEDATA, context);
}
static inline long majlis_curl_status(CURL *easy) {
    long status = 0;
    return curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK ? status : 0;
}
/// Seconds of the answer's Retry-After (RFC 9110 section 10.2.3, both of its forms), or 0.
static inline int64_t majlis_curl_retry_after(CURL *easy) {
    curl_off_t seconds = 0;
    return curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK ? (int64_t)seconds : 0;
}
/// Connections that this transfer opened: 0 when it used one that was there.
static inline long majlis_curl_connections(CURL *easy) {
    long count = 0;
    return curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &count) == CURLE_OK ? count : 0;
}
/// One connection carries many requests at once, and stays for the next ones.
static inline CURLMcode majlis_curl_multi_prepare(CURLM *multi, long connections_per_host, long streams) {
    CURLMcode code = curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    if (code == CURLM_OK) code = curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, connections_per_host);
    return code != CURLM_OK ? code : curl_multi_setopt(multi, CURLMOPT_MAX_CONCURRENT_STREAMS, streams);
}
/// Whether this libcurl speaks HTTP/2.
static inline int majlis_curl_has_http2(void) {
    return (curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_HTTP2) != 0;
}
static inline CURLMcode majlis_curl_multi_set_callbacks(
    CURLM *multi, majlis_curl_socket socket, majlis_curl_timer timer, void *context) {
    CURLMcode code = curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket);
    if (code == CURLM_OK) code = curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, context);
    if (code == CURLM_OK) code = curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer);
    return code != CURLM_OK ? code : curl_multi_setopt(multi, CURLMOPT_TIMERDATA, context);
}
/// Takes the next finished transfer: its handle and, in `result`, how it ended; NULL when there is none.
static inline CURL *majlis_curl_next_done(CURLM *multi, CURLcode *result) {
    int left = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &left))) {
        if (message->msg != CURLMSG_DONE) continue;
        *result = message->data.result;
        return message->easy_handle;
    }
    return NULL;
}
