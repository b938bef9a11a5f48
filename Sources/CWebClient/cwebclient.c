// The web client's files as bytes, by C23 #embed. The compiler writes embedded files into its dependency file, so that
// a changed page is built anew like a changed source. A new file needs its two lines here; `make test` compares the
// table with the folder.
#include "cwebclient.h"

static const unsigned char index_html[] = {
#embed "web/index.html"
};
static const unsigned char dial_html[] = {
#embed "web/dial.html"
};
static const unsigned char majlis_css[] = {
#embed "web/majlis.css"
};
static const unsigned char dial_css[] = {
#embed "web/dial.css"
};
static const unsigned char favicon_svg[] = {
#embed "web/favicon.svg"
};
static const unsigned char icons_svg[] = {
#embed "web/icons.svg"
};
static const unsigned char app_js[] = {
#embed "web/app.js"
};
static const unsigned char call_js[] = {
#embed "web/call.js"
};
static const unsigned char call_hold_js[] = {
#embed "web/call-hold.js"
};
static const unsigned char call_people_js[] = {
#embed "web/call-people.js"
};
static const unsigned char call_reports_js[] = {
#embed "web/call-reports.js"
};
static const unsigned char call_room_js[] = {
#embed "web/call-room.js"
};
static const unsigned char calls_js[] = {
#embed "web/calls.js"
};
static const unsigned char codecs_js[] = {
#embed "web/codecs.js"
};
static const unsigned char contacts_js[] = {
#embed "web/contacts.js"
};
static const unsigned char devices_js[] = {
#embed "web/devices.js"
};
static const unsigned char dial_call_js[] = {
#embed "web/dial-call.js"
};
static const unsigned char dial_js[] = {
#embed "web/dial.js"
};
static const unsigned char direct_js[] = {
#embed "web/direct.js"
};
static const unsigned char dom_js[] = {
#embed "web/dom.js"
};
static const unsigned char encryption_js[] = {
#embed "web/encryption.js"
};
static const unsigned char encryption_worker_js[] = {
#embed "web/encryption-worker.js"
};
static const unsigned char layers_js[] = {
#embed "web/layers.js"
};
static const unsigned char life_js[] = {
#embed "web/life.js"
};
static const unsigned char line_js[] = {
#embed "web/line.js"
};
static const unsigned char link_js[] = {
#embed "web/link.js"
};
static const unsigned char majlis_js[] = {
#embed "web/majlis.js"
};
static const unsigned char mos_js[] = {
#embed "web/mos.js"
};
static const unsigned char one_to_one_js[] = {
#embed "web/one-to-one.js"
};
static const unsigned char panel_js[] = {
#embed "web/panel.js"
};
static const unsigned char path_js[] = {
#embed "web/path.js"
};
static const unsigned char people_js[] = {
#embed "web/people.js"
};
static const unsigned char publications_js[] = {
#embed "web/publications.js"
};
static const unsigned char quality_js[] = {
#embed "web/quality.js"
};
static const unsigned char ring_js[] = {
#embed "web/ring.js"
};
static const unsigned char room_js[] = {
#embed "web/room.js"
};
static const unsigned char roster_js[] = {
#embed "web/roster.js"
};
static const unsigned char screen_share_js[] = {
#embed "web/screen-share.js"
};
static const unsigned char side_panel_js[] = {
#embed "web/side-panel.js"
};
static const unsigned char slot_sound_js[] = {
#embed "web/slot-sound.js"
};
static const unsigned char slot_wishes_js[] = {
#embed "web/slot-wishes.js"
};
static const unsigned char slots_js[] = {
#embed "web/slots.js"
};
static const unsigned char sound_js[] = {
#embed "web/sound.js"
};
static const unsigned char speakers_js[] = {
#embed "web/speakers.js"
};
static const unsigned char spotlight_js[] = {
#embed "web/spotlight.js"
};
static const unsigned char stage_js[] = {
#embed "web/stage.js"
};
static const unsigned char statistics_js[] = {
#embed "web/statistics.js"
};
static const unsigned char talk_js[] = {
#embed "web/talk.js"
};
static const unsigned char tiles_js[] = {
#embed "web/tiles.js"
};
static const unsigned char strings_js[] = {
#embed "web/strings.js"
};
static const unsigned char strings_ar_js[] = {
#embed "web/strings.ar.js"
};
static const unsigned char strings_en_js[] = {
#embed "web/strings.en.js"
};
static const unsigned char strings_id_js[] = {
#embed "web/strings.id.js"
};
static const unsigned char strings_ms_js[] = {
#embed "web/strings.ms.js"
};

const majlis_web_file majlis_web_files[] = {
    {"/index.html", "text/html; charset=utf-8", index_html, sizeof index_html},
    {"/dial.html", "text/html; charset=utf-8", dial_html, sizeof dial_html},
    {"/majlis.css", "text/css; charset=utf-8", majlis_css, sizeof majlis_css},
    {"/dial.css", "text/css; charset=utf-8", dial_css, sizeof dial_css},
    {"/favicon.svg", "image/svg+xml", favicon_svg, sizeof favicon_svg},
    {"/icons.svg", "image/svg+xml", icons_svg, sizeof icons_svg},
    {"/app.js", "text/javascript; charset=utf-8", app_js, sizeof app_js},
    {"/call.js", "text/javascript; charset=utf-8", call_js, sizeof call_js},
    {"/call-hold.js", "text/javascript; charset=utf-8", call_hold_js, sizeof call_hold_js},
    {"/call-people.js", "text/javascript; charset=utf-8", call_people_js, sizeof call_people_js},
    {"/call-reports.js", "text/javascript; charset=utf-8", call_reports_js, sizeof call_reports_js},
    {"/call-room.js", "text/javascript; charset=utf-8", call_room_js, sizeof call_room_js},
    {"/calls.js", "text/javascript; charset=utf-8", calls_js, sizeof calls_js},
    {"/codecs.js", "text/javascript; charset=utf-8", codecs_js, sizeof codecs_js},
    {"/contacts.js", "text/javascript; charset=utf-8", contacts_js, sizeof contacts_js},
    {"/devices.js", "text/javascript; charset=utf-8", devices_js, sizeof devices_js},
    {"/dial-call.js", "text/javascript; charset=utf-8", dial_call_js, sizeof dial_call_js},
    {"/dial.js", "text/javascript; charset=utf-8", dial_js, sizeof dial_js},
    {"/direct.js", "text/javascript; charset=utf-8", direct_js, sizeof direct_js},
    {"/dom.js", "text/javascript; charset=utf-8", dom_js, sizeof dom_js},
    {"/encryption.js", "text/javascript; charset=utf-8", encryption_js, sizeof encryption_js},
    {"/encryption-worker.js", "text/javascript; charset=utf-8", encryption_worker_js, sizeof encryption_worker_js},
    {"/layers.js", "text/javascript; charset=utf-8", layers_js, sizeof layers_js},
    {"/life.js", "text/javascript; charset=utf-8", life_js, sizeof life_js},
    {"/line.js", "text/javascript; charset=utf-8", line_js, sizeof line_js},
    {"/link.js", "text/javascript; charset=utf-8", link_js, sizeof link_js},
    {"/majlis.js", "text/javascript; charset=utf-8", majlis_js, sizeof majlis_js},
    {"/mos.js", "text/javascript; charset=utf-8", mos_js, sizeof mos_js},
    {"/one-to-one.js", "text/javascript; charset=utf-8", one_to_one_js, sizeof one_to_one_js},
    {"/panel.js", "text/javascript; charset=utf-8", panel_js, sizeof panel_js},
    {"/path.js", "text/javascript; charset=utf-8", path_js, sizeof path_js},
    {"/people.js", "text/javascript; charset=utf-8", people_js, sizeof people_js},
    {"/publications.js", "text/javascript; charset=utf-8", publications_js, sizeof publications_js},
    {"/quality.js", "text/javascript; charset=utf-8", quality_js, sizeof quality_js},
    {"/ring.js", "text/javascript; charset=utf-8", ring_js, sizeof ring_js},
    {"/room.js", "text/javascript; charset=utf-8", room_js, sizeof room_js},
    {"/roster.js", "text/javascript; charset=utf-8", roster_js, sizeof roster_js},
    {"/screen-share.js", "text/javascript; charset=utf-8", screen_share_js, sizeof screen_share_js},
    {"/side-panel.js", "text/javascript; charset=utf-8", side_panel_js, sizeof side_panel_js},
    {"/slot-sound.js", "text/javascript; charset=utf-8", slot_sound_js, sizeof slot_sound_js},
    {"/slot-wishes.js", "text/javascript; charset=utf-8", slot_wishes_js, sizeof slot_wishes_js},
    {"/slots.js", "text/javascript; charset=utf-8", slots_js, sizeof slots_js},
    {"/sound.js", "text/javascript; charset=utf-8", sound_js, sizeof sound_js},
    {"/speakers.js", "text/javascript; charset=utf-8", speakers_js, sizeof speakers_js},
    {"/spotlight.js", "text/javascript; charset=utf-8", spotlight_js, sizeof spotlight_js},
    {"/stage.js", "text/javascript; charset=utf-8", stage_js, sizeof stage_js},
    {"/statistics.js", "text/javascript; charset=utf-8", statistics_js, sizeof statistics_js},
    {"/talk.js", "text/javascript; charset=utf-8", talk_js, sizeof talk_js},
    {"/tiles.js", "text/javascript; charset=utf-8", tiles_js, sizeof tiles_js},
    {"/strings.js", "text/javascript; charset=utf-8", strings_js, sizeof strings_js},
    {"/strings.ar.js", "text/javascript; charset=utf-8", strings_ar_js, sizeof strings_ar_js},
    {"/strings.en.js", "text/javascript; charset=utf-8", strings_en_js, sizeof strings_en_js},
    {"/strings.id.js", "text/javascript; charset=utf-8", strings_id_js, sizeof strings_id_js},
    {"/strings.ms.js", "text/javascript; charset=utf-8", strings_ms_js, sizeof strings_ms_js},
};
const size_t majlis_web_file_count = sizeof majlis_web_files / sizeof majlis_web_files[0];
