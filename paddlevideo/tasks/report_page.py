"""The parts of a page of results: html without scripts, in one file. All texts are escaped here."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from html import escape
from string import Template

import numpy as np
import numpy.typing as npt

PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>$title</title>
<style>
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 75rem; padding: 1rem; font: 1rem/1.45 system-ui, sans-serif; color: #1b1f24;
  background: #fff; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; padding-top: .75rem; border-top: 1px solid #d5d9de; }
p { margin: .25rem 0 .75rem; max-width: 48rem; color: #4a525c; }
figure { margin: 0; }
figcaption { font-size: .85rem; color: #4a525c; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: .5rem; margin: 0; }
.cards div { padding: .5rem .75rem; background: #f3f5f7; border-radius: .4rem; }
.cards dt { font-size: .85rem; color: #4a525c; }
.cards dd { margin: 0; font-size: 1.25rem; font-variant-numeric: tabular-nums; }
.bars { display: grid; grid-template-columns: fit-content(45%) minmax(4rem, 1fr) 4rem; gap: .2rem .6rem;
  align-items: center; margin-bottom: 1rem; }
.bars i { display: block; height: .8rem; background: #2f6fb2; border-radius: .15rem; }
.bars b { font-weight: normal; font-variant-numeric: tabular-nums; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 9rem), 1fr)); gap: 1rem; }
.grid.wide { grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); }
.grid img, .grid svg { display: block; width: 100%; height: auto; }
.scroll { overflow: auto; max-height: 36rem; width: fit-content; max-width: 100%; border: 1px solid #d5d9de; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
th, td { padding: .2rem .5rem; text-align: right; white-space: nowrap; }
th { font-weight: 600; background: #f3f5f7; }
thead th { position: sticky; top: 0; z-index: 1; }
tbody th { position: sticky; left: 0; }
th:first-child, td:first-child { text-align: left; }
pre { margin: 0; padding: .75rem; font-size: .8rem; white-space: pre-wrap; }
</style>
</head>
<body>
<h1>$title</h1>
$body
</body>
</html>
""")
PLOT = 100  # side of a curve's picture in units of its own


def page(title: str, parts: Sequence[str]) -> str:
    """A whole page."""
    return PAGE.substitute(title=escape(title), body="\n".join(parts))


def section(heading: str, note: str, content: str) -> str:
    """A heading, what one should know of the content, and the content, which is html already."""
    return f"<section>\n<h2>{escape(heading)}</h2>\n<p>{escape(note)}</p>\n{content}\n</section>"


def cards(numbers: Mapping[str, float]) -> str:
    """Numbers with their names."""
    pairs = (f"<div><dt>{_breakable(name)}</dt><dd>{value:.4f}</dd></div>" for name, value in numbers.items())
    return f'<dl class="cards">{"".join(pairs)}</dl>'


def _breakable(name: str) -> str:
    """A name that lines may break after its underscores."""
    return escape(name).replace("_", "_<wbr>")


def bars(numbers: Mapping[str, float]) -> str:
    """Numbers in 0..1 with their names as bars, the largest first; nan comes last."""
    rows = []
    for name, value in sorted(numbers.items(), key=lambda item: (math.isnan(item[1]), -item[1])):
        width = 100 * min(max(value, 0.0), 1.0) if math.isfinite(value) else 0
        rows.append(f'<span>{escape(name)}</span><i style="width:{width:.1f}%"></i><b>{value:.4f}</b>')
    return f'<div class="bars">{"".join(rows)}</div>'


def curves(points: Mapping[str, npt.NDArray[np.float64]]) -> str:
    """A small plot for each curve, points `[P, 2]` in 0..1, by its caption."""
    plots = []
    for caption, curve in points.items():
        line = " ".join(f"{PLOT * x:.1f},{PLOT * (1 - y):.1f}" for x, y in curve)
        plots.append(
            f'<figure><svg viewBox="-2 -2 {PLOT + 4} {PLOT + 4}" role="img" aria-label="{escape(caption)}">'
            f'<path d="M0 0V{PLOT}H{PLOT}M0 {PLOT / 2}H{PLOT}M{PLOT / 2} 0V{PLOT}" fill="none" stroke="#c3c9d0"/>'
            f'<polyline points="{line}" fill="none" stroke="#2f6fb2" stroke-width="2"/></svg>'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )
    return f'<div class="grid">{"".join(plots)}</div>'


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table that scrolls in its own box; the first column is text, the others are numbers."""
    titles = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = ("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{titles}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def matrix(rows: Sequence[str], columns: Sequence[str], counts: npt.NDArray[np.int64]) -> str:
    """Counts `[R, C]` with names, the darker the larger their share of the row."""
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    titles = "".join(f"<th>{escape(name)}</th>" for name in ("", *columns))
    lines = []
    for name, values, row in zip(rows, counts.tolist(), shares.tolist(), strict=True):
        cells = "".join(
            f'<td style="background:rgba(47,111,178,{0.75 * share:.2f})">{value}</td>' if value else "<td></td>"
            for value, share in zip(values, row, strict=True)
        )
        lines.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
    return f'<div class="scroll"><table><thead><tr>{titles}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def picture(jpeg: bytes | None, caption: str) -> str:
    """A picture that is part of the page, or only what would stand below it."""
    data = "" if jpeg is None else f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}">'
    return f"<figure>{data}<figcaption>{escape(caption)}</figcaption></figure>"


def pictures(figures: Sequence[str]) -> str:
    """Pictures beside and below each other, as many in a row as fit."""
    return f'<div class="grid wide">{"".join(figures)}</div>' if figures else "<p>None.</p>"


def listing(text: str) -> str:
    """Text as it is, in a box of its own."""
    return f'<div class="scroll"><pre>{escape(text)}</pre></div>'
