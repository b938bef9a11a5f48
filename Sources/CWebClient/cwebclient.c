#include "cwebclient.h"

static const unsigned char index_html[] = {
#embed "web/index.html"
};

const majlis_web_file majlis_web_files[] = {
    {"/index.html", "text/html; charset=utf-8", index_html, sizeof index_html},
};
const size_t majlis_web_file_count = sizeof majlis_web_files / sizeof majlis_web_files[0];
