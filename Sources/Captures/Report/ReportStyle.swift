// The style sheet of the report's page: light and dark, wide and narrow, on paper.

extension ReportPage {
    /// The style sheet.
    static let style = #"""
        :root{color-scheme:light dark;--bg:#f7f7f5;--card:#fff;--ink:#1d2125;--soft:#5c666f;--line:#dfe2e4;
        --accent:#1f6f5c;--second:#a3541a;--good:#1b7a4b;--bad:#b3261e;--warn:#8a5a00;--track:#eef0f1;--grid:#dde1e3;
        --x:0;--tick:25%}
        @media (prefers-color-scheme:dark){:root{--bg:#15181a;--card:#1d2124;--ink:#e8eaec;--soft:#9aa5ae;
        --line:#32383d;--accent:#62c4ab;--second:#f0a060;--good:#5fcf94;--bad:#ff8a80;--warn:#e6b455;--track:#262b2f;
        --grid:#343b40}}
        *{box-sizing:border-box}
        body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,sans-serif;
        -webkit-print-color-adjust:exact;print-color-adjust:exact}
        main{max-width:1180px;margin:0 auto;padding:20px 16px 40px}
        h1{font-size:22px;margin:0;overflow-wrap:anywhere}
        h2{font-size:16px;margin:0 0 6px}
        p{margin:4px 0 8px}
        .soft{color:var(--soft)}
        .small{font-size:13px}
        .card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px;margin-top:16px}
        .top{display:flex;gap:10px 14px;align-items:center;flex-wrap:wrap}
        .badge{border:1px solid currentColor;border-radius:999px;padding:1px 12px;font-weight:600;font-size:14px}
        .good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}
        p.warn{border-left:3px solid currentColor;padding-left:10px}
        .facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(125px,1fr));gap:10px 18px;margin-bottom:8px}
        .facts b{display:block;font-size:18px;font-variant-numeric:tabular-nums;font-weight:600}
        .facts span{color:var(--soft);font-size:13px}
        code{font:13px/1.5 ui-monospace,monospace;overflow-wrap:anywhere}
        table{border-collapse:collapse;width:100%;font-size:14px}
        th{text-align:left;color:var(--soft);font-weight:500}
        td,th{padding:4px 10px 4px 0;border-bottom:1px solid var(--line);vertical-align:top}
        td{overflow-wrap:anywhere}
        td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
        .counts td:first-child{overflow-wrap:normal}
        td.t{white-space:nowrap;font-variant-numeric:tabular-nums}
        .scroll{overflow-x:auto}
        .row{display:grid;grid-template-columns:96px 1fr;gap:10px;align-items:center;min-height:24px;break-inside:avoid}
        .row.wide{grid-template-columns:1fr}
        .name{font-size:13px;color:var(--soft);white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
        .name i{font-style:normal;color:var(--second)}
        .lane{position:relative;height:20px;background:var(--track);border-radius:4px;overflow:hidden;cursor:crosshair;
        background-image:linear-gradient(to right,var(--grid) 1px,transparent 1px);background-size:var(--tick) 100%;
        background-position:-1px 0}
        .lane canvas.sharp{image-rendering:pixelated}
        .lane.video{height:26px;margin:1px 0}
        .lane.chart{height:48px;margin:3px 0}
        .lane.axis{height:18px;background:none;cursor:default;overflow:visible}
        .lane canvas,.lane svg{position:absolute;inset:0;width:100%;height:100%;display:block}
        .cursor .lane:not(.axis):not(.spark)::after{content:'';position:absolute;top:0;bottom:0;width:1px;
        left:calc(var(--x)*100%);background:var(--ink)}
        .label{position:absolute;top:0;bottom:0;color:#fff;font-size:11px;line-height:20px;padding-left:6px;
        white-space:nowrap;overflow:hidden;pointer-events:none;text-shadow:0 0 2px rgba(0,0,0,.55)}
        .video .label{line-height:26px}
        .heard{height:5px;margin-top:2px}
        .pair{padding:2px 0}
        .tick{position:absolute;font-size:11px;color:var(--soft);transform:translateX(-50%);white-space:nowrap}
        .tick.first{transform:none}
        .tick.last{transform:translateX(-100%)}
        .scale{display:block;font-size:11px;line-height:15px;font-variant-numeric:tabular-nums}
        .area{fill:var(--accent);opacity:.13}
        .curve{fill:none;stroke:var(--accent);stroke-width:1.5;vector-effect:non-scaling-stroke;stroke-linejoin:round}
        .curve.second{stroke:var(--second);stroke-dasharray:5 3}
        .grid,summary{display:grid;grid-template-columns:minmax(150px,1.5fr) minmax(120px,2fr) repeat(5,minmax(74px,.7fr));
        gap:12px;align-items:center}
        .grid{border-bottom:1px solid var(--line);padding-bottom:2px}
        .grid button{background:none;border:0;padding:2px 0;min-height:0;font-size:13px;color:var(--soft);text-align:right}
        .grid button:first-child{text-align:left}
        .grid button[aria-pressed=true]{color:var(--accent);font-weight:600;background:none}
        details{border-bottom:1px solid var(--line);break-inside:avoid}
        details[open]{padding-bottom:10px}
        summary{cursor:pointer;padding:5px 0;font-size:14px;list-style:none;font-variant-numeric:tabular-nums}
        summary::-webkit-details-marker{display:none}
        summary b{font-weight:600}
        summary>span{text-align:right;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
        summary>.who{text-align:left}
        summary>.who::before{content:'';display:inline-block;border:5px solid transparent;border-left-color:var(--soft);
        border-right:0;margin-right:8px}
        details[open]>summary>.who::before{transform:rotate(90deg)}
        .lane.spark{height:18px;cursor:pointer;background-image:none}
        .dot{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:6px}
        .filters{display:flex;gap:8px;flex-wrap:wrap;margin-bottom:10px}
        button,select,input{font:inherit;font-size:14px;color:var(--ink);background:var(--bg);
        border:1px solid var(--line);border-radius:7px;padding:4px 10px;min-height:34px;max-width:100%}
        input[type=search]{flex:1;min-width:160px}
        button{cursor:pointer}
        :focus-visible{outline:2px solid var(--accent);outline-offset:2px}
        button[aria-pressed=true]{background:var(--accent);border-color:var(--accent);color:var(--card)}
        .chip{border-radius:999px;font-size:13px;min-height:30px;padding:2px 11px}
        .line{display:grid;grid-template-columns:72px 170px 1fr;gap:2px 12px;padding:4px 0;
        border-top:1px solid var(--line);font-size:14px;break-inside:avoid}
        .line .t{font-variant-numeric:tabular-nums;color:var(--soft);text-align:right}
        .line .k{color:var(--accent);overflow-wrap:anywhere}
        .line .x{overflow-wrap:anywhere}
        .line.same{border-top-color:transparent}.line.same .t{opacity:.35}
        #cursor{position:sticky;bottom:0;display:flex;gap:6px 14px;align-items:center;background:var(--card);
        border-top:1px solid var(--line);padding:8px max(16px,calc((100vw - 1148px)/2));z-index:1}
        #when{font-variant-numeric:tabular-nums;font-weight:600;min-width:72px}
        #moment{flex:1 1 200px;max-width:420px;padding:0;accent-color:var(--accent);min-height:20px}
        #then{flex:2 1 200px;white-space:nowrap;overflow:hidden;text-overflow:ellipsis;color:var(--soft)}
        #tip{position:fixed;pointer-events:none;background:var(--ink);color:var(--bg);font-size:12px;border-radius:6px;
        padding:4px 8px;max-width:280px;display:none;z-index:2}
        @media (max-width:760px){.grid,summary{grid-template-columns:minmax(96px,1.3fr) repeat(3,minmax(58px,1fr));gap:8px}
        .wide-only{display:none!important}}
        @media (max-width:620px){.row{grid-template-columns:74px 1fr;gap:6px}.line{grid-template-columns:60px 1fr}
        .line .x{grid-column:1/-1}main{padding:14px 10px 30px}.card{padding:12px}
        .facts{grid-template-columns:repeat(3,1fr)}.facts b{font-size:16px}
        #cursor{flex-wrap:wrap;padding:6px 10px}#when{min-width:58px}#moment{flex-basis:60px}#around{padding:2px 8px;min-height:30px;font-size:13px}
        #then{order:9;flex-basis:100%}}
        @media print{:root{color-scheme:light;--bg:#fff;--card:#fff;--ink:#1d2125;--soft:#5c666f;--line:#dfe2e4;
        --accent:#1f6f5c;--second:#a3541a;--good:#1b7a4b;--bad:#b3261e;--warn:#8a5a00;--track:#f3f4f5;--grid:#dde1e3}
        body{background:#fff;font-size:12px}main{max-width:none;padding:0}#cursor,#tip,#search,#kinds,#more,#clear{
        display:none!important}.card{border:0;padding:0;margin-top:14px}.lane:not(.axis){border:1px solid var(--grid)}}
        """#
}
