/** The style of a report: light or dark as the system is, one column on a phone, and no file beside it. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: light-dark(#f6f6f3, #131518);
  --panel: light-dark(#ffffff, #1b1e22);
  --text: light-dark(#1a1d21, #e9e7e2);
  --muted: light-dark(#585e66, #a6acb4);
  --line: light-dark(#dddcd6, #33383f);
  --link: light-dark(#1f5fa8, #82b7f2);
  --values: light-dark(#c3cfdd, #3a4857);
  --curve: light-dark(#b8480f, #f2935c);
  --levels: light-dark(#1d7d70, #58c0af);
  --good: light-dark(#1d6f3f, #6fce93);
  --bad: light-dark(#a1261b, #ff9c8f);
  font: 16px/1.5 system-ui, sans-serif;
  color: var(--text);
  background: var(--paper);
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem 1rem 4rem }
h1, h2, h3, .name { overflow-wrap: anywhere }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem }
h2 { font-size: 1.35rem; margin: 3rem 0 .5rem; padding-top: 1rem; border-top: 2px solid var(--text) }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .25rem }
.layer h3 { margin-top: 0 }
p { margin: 0 0 1rem; max-width: 46rem }
a { color: var(--link) }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px }
.muted, figcaption, caption { color: var(--muted) }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; padding: 0; margin: 1rem 0 }

dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: 1rem; margin: 1.5rem 0 }
dl div { border-left: 3px solid var(--levels); padding-left: .75rem }
dt { color: var(--muted); font-size: .85rem }
dd { margin: 0; font-size: 1.35rem; font-weight: 600; line-height: 1.25; font-variant-numeric: tabular-nums }

.table { overflow-x: auto; margin: 1rem 0 }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums }
caption { text-align: left; padding-bottom: .4rem }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .9rem .3rem 0; text-align: left; font-weight: inherit; vertical-align: top }
thead th { color: var(--muted); vertical-align: bottom }
.figure { text-align: right }
td.figure { white-space: nowrap }
tbody th span { display: inline-block; max-width: 14rem; overflow-wrap: break-word }
.loss { color: var(--bad) }
.gain { color: var(--good) }

figure { margin: 0 }
figure svg { display: block; width: 100%; height: auto }
figcaption { font-size: .85rem }
.split { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 0 2.5rem; align-items: start }
.key { display: inline-block; white-space: nowrap; margin-right: 1rem }
.key::before { content: ""; display: inline-block; width: .8em; height: .8em; margin-right: .4em; border-radius: 2px; background: var(--mark) }
.key.values { --mark: var(--values) }
.key.curve { --mark: var(--curve) }
.key.muted { --mark: var(--muted) }
.key.levels { --mark: var(--levels) }

.layer { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: 1rem; margin: 1rem 0; content-visibility: auto; contain-intrinsic-size: auto 24rem }
.layer h4 { margin: .75rem 0 .25rem; font-size: .95rem; font-weight: 600 }

.examples { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: 1rem; list-style: none; padding: 0 }
.examples li { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: .75rem; font-size: .85rem; overflow-wrap: anywhere }
.examples img { display: block; width: 100%; height: 8rem; object-fit: contain; margin-bottom: .5rem }
.examples img.small { image-rendering: pixelated }
.examples dl { display: block; margin: 0 }
.examples dl div { border: 0; padding: 0; display: grid; grid-template-columns: 2.4rem 1fr; gap: .4rem }
.examples dt, .examples dd { font-size: .85rem; font-weight: inherit; line-height: 1.45 }
@media print { .layer { break-inside: avoid; content-visibility: visible } }
`;
