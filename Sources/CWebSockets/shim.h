#pragma once
#include <libwebsockets.h>
#include <stdint.h>
#include <sys/socket.h>

/// LWS_PRE and two option bits as constants: the macros are not imported.
enum { majlis_lws_head_room = LWS_PRE };

/// The context's creation info with every field that is not a plain number left zero, and the foreign loop in place.
/// `loops` must live as long as the context.
static inline void majlis_lws_prepare(struct lws_context_creation_info *info, void **loops, void *user) {
    info->port = CONTEXT_PORT_NO_LISTEN_SERVER;
    info->gid = -1;
    info->uid = -1;
    info->options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
    info->foreign_loops = loops;
    info->user = user;
}

/// The creation info of a client's context, on a loop of its own.
static inline void majlis_lws_prepare_client(struct lws_context_creation_info *info, void *user) {
    info->port = CONTEXT_PORT_NO_LISTEN;
    info->gid = -1;
    info->uid = -1;
    info->options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    info->user = user;
}

/// Turns TLS on: version 1.2 and later, HTTP/1.1 only.
static inline void majlis_lws_use_tls(struct lws_context_creation_info *info) {
    info->options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    info->ssl_options_set = SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_RENEGOTIATION;
}

/// Closes the connection inside this call. Never inside one of its own callbacks.
static inline void majlis_lws_kill(struct lws *wsi) { lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC); }

/// accept4 that gives a non-blocking, close-on-exec descriptor; Swift's Glibc does not have it.
int accept4(int, struct sockaddr *, socklen_t *, int);
static inline int majlis_accept(int listener, struct sockaddr_storage *address, socklen_t *size) {
    return accept4(listener, (struct sockaddr *)address, size, 02000000 | 04000);
}

/// The XSI strerror_r; its plain name is GNU's other function where _GNU_SOURCE is set.
int __xpg_strerror_r(int, char *, size_t);
static inline int majlis_error_text(int code, char *text, size_t count) { return __xpg_strerror_r(code, text, count); }
