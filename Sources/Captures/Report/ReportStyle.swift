// The style sheet of the report's page: light and dark, wide and narrow.

extension ReportPage {
    /// The style sheet.
    static let style = #"""
        :root{color-scheme:light dark;--bg:#f7f7f5;--card:#fff;--ink:#1d2125;--soft:#5c666f;--line:#dfe2e4;
        --accent:#1f6f5c;--good:#1b7a4b;--bad:#b3261e;--warn:#8a5a00;--track:#eceeef;--bar:46%;--sat:52%}
        @media (prefers-color-scheme:dark){:root{--bg:#15181a;--card:#1d2124;--ink:#e8eaec;--soft:#9aa5ae;
        --line:#32383d;--accent:#62c4ab;--good:#5fcf94;--bad:#ff8a80;--warn:#e6b455;--track:#272c30;
        --bar:42%;--sat:45%}}
        *{box-sizing:border-box}
        body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
        main{max-width:1180px;margin:0 auto;padding:20px 16px 60px}
        h1{font-size:22px;margin:0;overflow-wrap:anywhere}
        h2{font-size:16px;margin:0 0 10px}
        p{margin:4px 0}
        .soft{color:var(--soft)}
        .small{font-size:13px}
        .card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px;margin-top:16px}
        .top{display:flex;gap:10px 14px;align-items:center;flex-wrap:wrap}
        .badge{border:1px solid currentColor;border-radius:999px;padding:1px 12px;font-weight:600;font-size:14px}
        .good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}
        .facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:10px 18px}
        .facts b{display:block;font-size:18px;font-variant-numeric:tabular-nums;font-weight:600}
        .facts span{color:var(--soft);font-size:13px}
        code{font:13px/1.5 ui-monospace,monospace;overflow-wrap:anywhere}
        table{border-collapse:collapse;width:100%;font-size:14px}
        th{text-align:left;color:var(--soft);font-weight:500}
        td,th{padding:4px 10px 4px 0;border-bottom:1px solid var(--line);vertical-align:top}
        td{overflow-wrap:anywhere}
        td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
        td.t{white-space:nowrap;font-variant-numeric:tabular-nums}
        .scroll{overflow-x:auto}
        .row{display:grid;grid-template-columns:92px 1fr;gap:10px;align-items:center;min-height:24px}
        .row:has(.chart){margin-top:4px}
        .row.wide{grid-template-columns:1fr}
        .name{font-size:13px;color:var(--soft);white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
        .lane{position:relative;height:18px;background:var(--track);border-radius:4px;overflow:hidden;cursor:crosshair}
        .lane.video{height:22px}
        .lane.chart{height:44px}
        .lane.axis{height:18px;background:none;cursor:default;overflow:visible}
        .lane canvas,.lane svg{position:absolute;inset:0;width:100%;height:100%;display:block}
        .lane canvas{image-rendering:pixelated}
        .span{position:absolute;top:0;bottom:0;color:#fff;font-size:11px;line-height:18px;padding-left:5px;
        white-space:nowrap;overflow:hidden;min-width:1px;border-left:1px solid var(--card)}
        .video .span{line-height:22px}
        .wait{opacity:.55;
        background-image:repeating-linear-gradient(135deg,transparent 0 4px,rgba(255,255,255,.45) 4px 7px)}
        .tick{position:absolute;font-size:11px;color:var(--soft);transform:translateX(-50%);white-space:nowrap}
        .tick:first-child{transform:none}
        .tick:last-child{transform:translateX(-100%)}
        .lane .top-value{position:absolute;right:5px;top:1px;font-size:11px;color:var(--soft)}
        details{border-top:1px solid var(--line);padding:8px 0}
        details:first-of-type{border-top:0}
        .many{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:0 24px}
        .many details[open]{grid-column:1/-1}
        summary{cursor:pointer;font-weight:600;margin-bottom:4px}
        summary .soft{font-weight:400;font-size:13px}
        .filters{display:flex;gap:8px;flex-wrap:wrap;margin-bottom:10px}
        button,select,input{font:inherit;font-size:14px;color:var(--ink);background:var(--bg);
        border:1px solid var(--line);border-radius:7px;padding:4px 10px;min-height:34px;max-width:100%}
        input[type=search]{flex:1;min-width:160px}
        button{cursor:pointer}
        button[aria-pressed=true]{background:var(--accent);border-color:var(--accent);color:var(--card)}
        .chip{border-radius:999px;font-size:13px;min-height:30px;padding:2px 11px}
        .line{display:grid;grid-template-columns:72px 170px 1fr;gap:2px 12px;padding:4px 0;
        border-top:1px solid var(--line);font-size:14px}
        .line .t{font-variant-numeric:tabular-nums;color:var(--soft);text-align:right}
        .line .k{color:var(--accent);overflow-wrap:anywhere}
        .dot{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:6px}
        #tip{position:fixed;pointer-events:none;background:var(--ink);color:var(--bg);font-size:12px;border-radius:6px;
        padding:4px 8px;max-width:280px;display:none;z-index:2}
        @media (max-width:620px){.row{grid-template-columns:58px 1fr;gap:6px}.line{grid-template-columns:60px 1fr}
        .line .x{grid-column:1/-1}main{padding:14px 10px 40px}.card{padding:12px}
        .facts{grid-template-columns:1fr 1fr}}
        """#
}
