// libcurl, and as inline functions its variadic setters and getters, which the importer cannot carry.
#pragma once
#include <curl/curl.h>

typedef size_t (*majlis_curl_write)(char *bytes, size_t size, size_t count, void *context);
typedef int (*majlis_curl_socket)(CURL *easy, curl_socket_t descriptor, int what, void *context, void *watched);
typedef int (*majlis_curl_timer)(CURLM *multi, long milliseconds, void *context);

static inline CURLcode majlis_curl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode majlis_curl_set_text(CURL *easy, CURLoption option, const char *text) {
    return curl_easy_setopt(easy, option, text);
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
static inline CURLMcode majlis_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
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
