// GLib, GObject and libnice in one module, and as inline functions what the importer cannot carry: function-like
// macros and variadic functions.
#pragma once
#include <agent.h>
#include <gio/gio.h>
#include <glib-object.h>
#include <glib-unix.h>
#include <glib.h>

static inline gulong majlis_signal_connect(gpointer object, const char *signal, GCallback callback, gpointer data) {
    return g_signal_connect(object, signal, callback, data);
}
static inline void majlis_set_boolean(gpointer object, const char *property, gboolean value) {
    g_object_set(object, property, value, NULL);
}
static inline void majlis_set_unsigned(gpointer object, const char *property, guint value) {
    g_object_set(object, property, value, NULL);
}
static inline gboolean majlis_get_boolean(gpointer object, const char *property) {
    gboolean value = FALSE;
    g_object_get(object, property, &value, NULL);
    return value;
}
static inline void majlis_signals_disconnect(gpointer object, gpointer data) {
    g_signal_handlers_disconnect_by_data(object, data);
}
