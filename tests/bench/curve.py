"""Curves of a soak as one small SVG: panels over one time axis, faults as ticks; nothing in it is fetched or executed. Pure."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, List, Sequence, Tuple

WIDTH, LEFT, RIGHT = 1000.0, 60.0, 850.0
TOP, PANEL, GAP = 56.0, 110.0, 34.0
LETTER = 13.0
STEPS = (1.0, 2.0, 5.0)
STYLE = """<style>
svg { font: 12px sans-serif; background: #fff; fill: #222 }
.b { font-size: 15px; font-weight: bold } .f { fill: #666 } .g { stroke: #ddd } .t { stroke: #999 }
polyline { fill: none; stroke-width: 1.6 } .l0 { stroke: #0b62a4 } .l1 { stroke: #b8480a } .l2 { stroke: #3d7d1e }
text.l0 { fill: #0b62a4; stroke: none } text.l1 { fill: #b8480a; stroke: none } text.l2 { fill: #3d7d1e; stroke: none }
@media (prefers-color-scheme: dark) { svg { background: #111; fill: #ddd } .f { fill: #999 } .g { stroke: #333 }
.l0 { stroke: #6db5ec } .l1 { stroke: #f09a63 } .l2 { stroke: #93cf73 } text.l0 { fill: #6db5ec } text.l1 { fill: #f09a63 }
text.l2 { fill: #93cf73 } }
</style>"""


@dataclass(frozen=True)
class Line:
    name: str
    points: Tuple[Tuple[float, float], ...]      # seconds, value


@dataclass(frozen=True)
class Panel:
    title: str
    lines: Tuple[Line, ...]


def svg(title: str, panels: Sequence[Panel], ticks: Sequence[float]) -> str:
    """The picture, in ASCII: every panel from nought to its greatest value."""
    end = max(at for panel in panels for line in panel.lines for at, _ in line.points)
    bottom = TOP + len(panels) * (PANEL + GAP)
    body: List[str] = []
    for number, panel in enumerate(panels):
        body.extend(_panel(panel, TOP + number * (PANEL + GAP), end))
    marks = (f'<line class="t" x1="{x}" x2="{x}" y1="{bottom:g}" y2="{bottom + 8:g}"/>' for x in (_x(at, end) for at in ticks))
    words = [f'<text x="{RIGHT + 8:g}" y="{bottom + 9:g}" class="f">faults</text>']
    words += [f'<text x="{_x(at, end)}" y="{bottom + 24:g}" text-anchor="middle" class="f">{at / 60:g} min</text>'
              for at in _round_times(end)]
    height = bottom + 36
    return "\n".join((
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-labelledby="soak-title">',
        f'<title id="soak-title">{_escape(title)}</title>', STYLE, f'<text class="b" x="16" y="28">{_escape(title)}</text>',
        *body, "".join(marks), *words, "</svg>", ""))


def _panel(panel: Panel, top: float, end: float) -> Iterator[str]:
    most = max(value for line in panel.lines for _, value in line.points) or 1.0
    step = _step(most)
    scale = step * -(-most // step)
    yield f'<text x="{LEFT:g}" y="{top - 8:g}">{_escape(panel.title)}</text>'
    value = 0.0
    while value <= scale + step / 2:
        y = top + PANEL * (1 - value / scale)
        yield f'<line class="g" x1="{LEFT:g}" x2="{RIGHT:g}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="f" x="{LEFT - 6:g}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
        value += step
    for number, line in enumerate(panel.lines):
        points = " ".join(f"{_x(at, end)},{top + PANEL * (1 - value / scale):.1f}" for at, value in line.points)
        yield f'<polyline class="l{number % 3}" points="{points}"/>'
    y = -LETTER
    for number, line in sorted(enumerate(panel.lines), key=lambda each: -each[1].points[-1][1]):
        y = max(y + LETTER, top + PANEL * (1 - line.points[-1][1] / scale) + 4)      # at its line's end, but none over another
        yield f'<text class="l{number % 3}" x="{RIGHT + 8:g}" y="{y:.1f}">{_escape(line.name)}</text>'


def _step(most: float) -> float:
    """A round number of which three to seven reach the top."""
    size = 10.0 ** (len(f"{most:.0f}") - 2)
    return next(step * size * tens for tens in (1, 10, 100) for step in STEPS if step * size * tens * 6 >= most)


def _round_times(end: float) -> List[float]:
    minutes = next((step for step in (0.5, 1, 2, 5, 10, 30, 60) if end / 60 / step <= 12), 120.0)
    return [60.0 * minutes * number for number in range(int(end / 60 / minutes) + 1)]


def _x(at: float, end: float) -> str:
    return f"{LEFT + (RIGHT - LEFT) * at / end:.1f}"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
