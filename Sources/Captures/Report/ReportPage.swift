// The report's page without its data. Styles and script are in it, so that it opens from a disk without any network.

/// What stands before and behind the data.
enum ReportPage {
    /// Up to the data, which is JSON without `<`, `>` and `&`.
    static let head = opening + style + body

    /// From the data on.
    static let tail = "</script>\n<script>" + script + receiversScript + listScript + "</script></body></html>\n"

    private static let opening = #"""
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
        <meta http-equiv="Content-Security-Policy"
         content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
        <link rel="icon" href="data:,"><title>Replay</title><style>
        """#

    private static let body = #"""
        </style></head>
        <body><main id="main">
        <header><div class="top"><h1 id="title"></h1><span id="badge" class="badge"></span></div>
        <p id="origin" class="soft small"></p></header>
        <section class="card"><div id="facts" class="facts"></div>
        <p class="small soft">digest <code id="digest"></code></p></section>
        <section id="difference" class="card" hidden></section>
        <section id="whatif" class="card" hidden></section>
        <section class="card"><h2>Who spoke</h2>
        <p class="soft small">Height: how loud. The line below: on how many receivers’ slots.</p>
        <div id="speech"></div></section>
        <section class="card"><h2>What each receiver was sent</h2>
        <p class="soft small">A bar has the colour and the number of the publisher that the slot shows; the higher, the higher
        the layer; striped while a key frame is waited for. A row opens with a click or the space bar.</p>
        <div id="receivers"></div></section>
        <section class="card"><h2>Drops</h2><div id="drops"></div></section>
        <section class="card" id="decisions"><h2>Decisions and commands</h2>
        <div id="kinds" class="filters" role="group" aria-label="kinds"></div>
        <div class="filters" id="search"><select id="peer" aria-label="peer"></select>
        <input id="text" type="search" placeholder="Search" aria-label="search"><button id="clear" hidden>Clear</button></div>
        <p id="count" class="soft small" aria-live="polite"></p><div id="lines"></div>
        <p><button id="more" hidden>Show more</button></p></section>
        </main>
        <div id="cursor"><label for="moment" id="when">0 s</label><input id="moment" type="range" min="0" value="0"
        aria-label="moment"><span id="then" class="small"></span><button id="around">Decisions around it</button></div>
        <div id="tip"></div><noscript>This page draws itself with a script that is in it.</noscript>
        <script type="application/json" id="data">
        """#
}
