/** The style of the overview as a file. Mail programs know less of CSS than browsers: colours for the dark are given by a media query. */
export const HTML_STYLE = `
:root{color-scheme:light dark;--page:#f7f8f8;--card:#fff;--rule:#dde2e2;--text:#1c2426;--soft:#566367;
--good:#176345;--good-soft:#e4f3ea;--look:#7a4b00;--look-soft:#fdf1dc;--bad:#a3231f;--bad-soft:#fdeae8;
--c0:#17624f;--c1:#a64b00;--c2:#3a4fb0;--c3:#96246e;--c4:#5c6100;--c5:#4a4f52}
@media (prefers-color-scheme:dark){:root{--page:#15181a;--card:#1c2023;--rule:#30373a;--text:#e3e8e8;--soft:#9caaad;
--good:#74d3a6;--good-soft:#18352a;--look:#f0bd62;--look-soft:#3a2c12;--bad:#ff9b94;--bad-soft:#421d1b;
--c0:#6fcdb3;--c1:#ffb067;--c2:#a9b8ff;--c3:#f29ad2;--c4:#d2d667;--c5:#c4cbce}}
*{box-sizing:border-box}
body{max-width:1120px;margin:0 auto;padding:20px 16px 40px;background:var(--page);color:var(--text);font:14px/1.45 system-ui,sans-serif;overflow-wrap:anywhere}
h1{margin:0;font-size:20px}h2{margin:24px 0 8px;font-size:15px}
header p{margin:2px 0 16px;color:var(--soft)}
strong{overflow-wrap:break-word}table strong{white-space:nowrap}
small{font-size:12px;color:var(--soft)}
.notice{margin:0 0 16px;padding:10px 14px;border-radius:8px}.notice ul{margin:4px 0 0;padding-left:18px}
.good{background:var(--good-soft);color:var(--good)}.look{background:var(--look-soft);color:var(--look)}.bad{background:var(--bad-soft);color:var(--bad)}
.badge{display:inline-block;padding:0 7px;border-radius:10px;font-size:12px;line-height:20px;white-space:nowrap}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(250px,1fr));gap:10px 20px;margin:0;padding:12px 14px;border:1px solid var(--rule);border-radius:8px;background:var(--card)}
dt{font-size:12px;color:var(--soft)}dd{margin:0}
table{width:100%;border:1px solid var(--rule);border-spacing:0;border-radius:8px;background:var(--card);font-variant-numeric:tabular-nums}
th,td{padding:6px 12px;text-align:left;vertical-align:baseline}th{font-size:12px;font-weight:500;color:var(--soft);white-space:nowrap}
td{border-top:1px solid var(--rule)}.number{text-align:right;white-space:nowrap}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,340px),1fr));gap:16px;margin-top:16px}
section.card{min-width:0;padding:14px 16px;border:1px solid var(--rule);border-radius:8px;background:var(--card)}section.card h2{margin-top:0}
.legend{display:flex;flex-wrap:wrap;gap:2px 14px;margin:0 0 8px;padding:0;list-style:none;font-size:12px;color:var(--soft)}
.plot{display:block;width:100%;max-width:560px;height:auto}.plot text{font-size:13px;fill:var(--soft)}.plot .grid{stroke:var(--rule)}
[class^=line-] path{fill:none;stroke:var(--c);stroke-width:2}[class^=line-] circle{fill:var(--c)}
.line-0{--c:var(--c0)}.line-1{--c:var(--c1)}.line-2{--c:var(--c2)}.line-3{--c:var(--c3)}.line-4{--c:var(--c4)}.line-5{--c:var(--c5)}
.line-1 path{stroke-dasharray:8 4}.line-2 path{stroke-dasharray:2 3}.line-3 path{stroke-dasharray:12 3 2 3}.line-4 path{stroke-dasharray:5 2}.line-5 path{stroke-dasharray:1 4}
summary{width:fit-content;margin-top:8px;font-size:12px;color:var(--soft);cursor:pointer}
details table{margin-top:8px}
@media (max-width:960px){table{position:relative}thead{position:absolute;display:block;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}table,tbody,tr,td{display:block}
tr{padding:8px 12px}tr+tr{border-top:1px solid var(--rule)}
td,td.number{display:grid;grid-template-columns:110px minmax(0,1fr);padding:2px 0;border:0;text-align:left;white-space:normal}
td::before{content:attr(data-head);font-size:12px;line-height:20px;color:var(--soft)}table strong{white-space:normal}td>*{grid-column:2;justify-self:start}}
@media print{details>*{display:none}}
`
