"""The style sheet of a report, light and dark."""

from analysis.draw import PALETTE

DARK = {
    "ink": "#e6e4df",
    "muted": "#9b9890",
    "rule": "#3d3c39",
    "paper": "#171716",
    "first": "#6cb6eb",
    "second": "#ff9b5e",
    "third": "#45c99b",
    "fourth": "#e3a5c6",
}


def _variables(colours: dict[str, str]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in colours.items())


CSS = (
    f"""
:root {{ color-scheme: light dark; {_variables(PALETTE)}
  --serif: Charter, "Bitstream Charter", "Sitka Text", Cambria, Georgia, serif;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif;
  --mono: ui-monospace, "Cascadia Code", Menlo, Consolas, "Liberation Mono", monospace; }}
@media (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}
@media print {{ :root {{ {_variables(PALETTE)} }} }}
"""
    + """
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1.0625rem/1.55 var(--serif);
  counter-reset: figure table; }
main { max-width: 54rem; margin: 0 auto; padding: 3.5rem 1.25rem 4rem; }
h1 { font-size: 2rem; line-height: 1.2; font-weight: 600; margin: 0 0 .75rem; text-wrap: balance; }
h2 { font-size: 1.25rem; line-height: 1.3; font-weight: 600; margin: 3.25rem 0 .75rem; }
p { margin: 0 0 1rem; max-width: 42rem; text-wrap: pretty; }
a { color: inherit; }
code { font: .875em var(--mono); overflow-wrap: anywhere; }
dl.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(10.5rem, 42%), 1fr)); gap: .9rem 1.5rem;
  margin: 1.75rem 0 0; padding: 1rem 0; border-block: 1px solid var(--rule); font-family: var(--sans); }
dl.facts dt { font-size: .75rem; color: var(--muted); }
dl.facts dd { margin: .1rem 0 0; font-size: .9375rem; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
figure { margin: 1.5rem 0 2rem; }
figcaption { font: .8125rem/1.5 var(--sans); color: var(--muted); max-width: 46rem; margin-top: .75rem;
  text-wrap: pretty; }
figure.table figcaption { margin: 0 0 .6rem; }
figcaption::before { color: var(--ink); font-weight: 600; }
figure.picture figcaption::before { counter-increment: figure; content: "Figure " counter(figure) ". "; }
figure.table figcaption::before { counter-increment: table; content: "Table " counter(table) ". "; }
.scroll { overflow-x: auto; scrollbar-width: thin; scrollbar-color: var(--muted) var(--rule); background:
  linear-gradient(to right, var(--paper) 75%, transparent) left / 12px 100% no-repeat local,
  linear-gradient(to left, var(--paper) 75%, transparent) right / 12px 100% no-repeat local,
  linear-gradient(to right, var(--muted), transparent) left / 9px calc(100% - 8px) no-repeat scroll,
  linear-gradient(to left, var(--muted), transparent) right / 9px calc(100% - 8px) no-repeat scroll; }
table { border-collapse: collapse; font: .875rem/1.4 var(--sans); font-variant-numeric: tabular-nums;
  border-block: 1.5px solid var(--ink); }
th, td { padding: .3rem .9rem; text-align: right; white-space: nowrap; font-weight: 400; }
th:first-child { text-align: left; padding-left: .1rem; }
th:last-child, td:last-child { padding-right: .1rem; }
thead th { border-bottom: 1px solid var(--muted); vertical-align: bottom; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); gap: 1rem 2rem; }
svg { display: block; width: 100%; height: auto; max-width: 30rem; }
svg text { font-family: var(--sans); }
svg * { stroke-linejoin: round; }
svg.square { max-width: 30rem; }
img { display: block; width: 100%; height: auto; image-rendering: pixelated; background: var(--rule); }
.cards { display: grid; gap: 0 .9rem; grid-template-columns: repeat(6, 1fr); }
.strips { display: grid; gap: 0 2rem; }
.fours { grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr)); }
.threes { grid-template-columns: repeat(auto-fill, minmax(min(15rem, 100%), 1fr)); }
.fives { grid-template-columns: repeat(auto-fill, minmax(min(26rem, 100%), 1fr)); }
.remarks { font: .875rem/1.5 var(--sans); max-width: 46rem; padding-left: 1.2rem; margin: 0 0 1.5rem; }
.strip { display: grid; grid-auto-flow: column; grid-auto-columns: 1fr; gap: 0 .4rem; grid-row: span 3;
  grid-template-rows: subgrid; padding-bottom: 1.2rem; }
:is(.cards, .strip) > .plate { display: grid; grid-row: span 3; grid-template-rows: subgrid; }
.cards > .plate { padding-bottom: 1.1rem; }
.plate { font: .75rem/1.35 var(--sans); font-variant-numeric: tabular-nums; min-width: 0; }
.plate span { display: block; overflow-wrap: anywhere; }
.plate .above { color: var(--muted); margin-bottom: .2rem; align-self: end; }
.plate :is(img, .marked) { align-self: start; }
.plate .under { margin-top: .3rem; }
.plate .below { color: var(--muted); }
.wrong { color: var(--second); font-weight: 600; }
.bars { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem 2rem;
  margin-top: 1.25rem; max-width: 46rem; }
.bars img { height: .6rem; image-rendering: auto; }
.bars .ends { display: flex; justify-content: space-between; }
h3 { font: 600 .9375rem/1.3 var(--sans); margin: 1.5rem 0 .5rem; }
.marked { position: relative; }
.marked i { position: absolute; outline: 2px solid var(--second); outline-offset: -1px; }
.units { grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%), 1fr)); }
.explorer { --at: 0; font: .8125rem/1.4 var(--sans); }
.explorer fieldset { border: 0; margin: 0 0 .9rem; padding: 0; min-width: 0; display: flex; flex-wrap: wrap;
  gap: .35rem; }
.explorer legend { color: var(--muted); font-size: .75rem; padding: 0; margin-bottom: .3rem; }
.explorer label { position: relative; cursor: pointer; text-align: center; font-variant-numeric: tabular-nums; }
.explorer input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: inherit; }
.thumbs label { width: 3rem; }
.thumbs img { outline: 2px solid transparent; outline-offset: 1px; }
.thumbs span { color: var(--muted); font-size: .6875rem; }
.thumbs input:checked + img { outline-color: var(--first); }
.thumbs input:checked ~ span { color: var(--ink); font-weight: 600; }
.methods span, .layers span { display: block; padding: .2rem .6rem; border: 1px solid var(--rule);
  border-radius: 1rem; }
.methods input:checked + span, .layers input:checked + span { background: var(--first); border-color: var(--first);
  color: var(--paper); }
.explorer input:focus-visible + * { box-shadow: 0 0 0 2px var(--paper), 0 0 0 4px var(--second); }
.explorer:has(.plain:checked) .layers { visibility: hidden; }
.seen { display: grid; grid-template-columns: 14rem 14rem minmax(0, 1fr); gap: .8rem 1rem; margin-top: 1.2rem; }
.frame { position: relative; overflow: hidden; aspect-ratio: var(--ratio); align-self: start; }
.frame img { position: absolute; inset-block: 0; left: calc(var(--at) * -100%); width: calc(var(--many) * 100%);
  max-width: none; height: 100%; background: none; }
.words:not(.first), .frame [class*=of-]:not(.first) { display: none; }
.said p { margin: 0 0 .5rem; }
.said ol { list-style: none; margin: 0 0 1.1rem; padding: 0; max-width: 20rem; }
.said li { display: grid; grid-template-columns: 1fr auto; font-variant-numeric: tabular-nums; margin-bottom: .25rem; }
.said li i { grid-column: 1 / -1; height: 3px; background: var(--first); }
.explorer .bars { grid-template-columns: 1fr; margin: 0; max-width: 20rem; }
.explorer .bars p { margin-top: .6rem; color: var(--muted); }
footer { margin-top: 3.5rem; padding-top: 1rem; border-top: 1px solid var(--rule); font: .8125rem/1.5 var(--sans);
  color: var(--muted); }
footer p { margin: 0 0 .4rem; }
@media (max-width: 48rem) { .seen { grid-template-columns: 9.5rem 9.5rem; } .beside { grid-column: 1 / -1; } }
@media (max-width: 34rem) { main { padding-top: 2rem; } h1 { font-size: 1.625rem; }
  th, td { padding-inline: .45rem; } .cards { grid-template-columns: repeat(3, 1fr); } }
@media print { main { max-width: none; padding: 0; } figure { break-inside: avoid; } h2, h3 { break-after: avoid; }
  .explorer, .bars { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
)
