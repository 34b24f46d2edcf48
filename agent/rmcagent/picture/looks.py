"""Which event is which kind of mark; how each state and each kind looks: by colour, pattern and letter, on light and on dark."""
from __future__ import annotations

from collections import Counter
from typing import Dict, Iterable, Iterator, Mapping, Optional, Tuple

from rmcagent.frozen import dataclass

MOST_NAMED = 20                   # states, and kinds of marks, told apart; the others look alike

LOOKS: Mapping[str, Tuple[str, ...]] = {
    "good": ("active", "up", "healthy", "absent", "quiet", "allowed", "running", "ok", "rest", "connected"),
    "bad": ("inoperative", "down", "needs-human", "not-running", "storm", "forbidden", "failed", "full", "stopped", "hung",
            "blind", "problem"),
    "moving": ("starting", "stopping", "pending", "healing", "flapping", "suspended", "settling", "degraded", "waiting",
               "growing"),
    "unknown": ("unknown", "unasked", "paused", "unreachable"),
}
LOOK_OF = {state: look for look, states in LOOKS.items() for state in states}
UNDONE = ("refused", "needs-human", "elsewhere", "waiting", "escalated", "shadow")       # these stand below their lane
HUMAN = ("needs-human", "escalated")
BEGUN = "RMCA3001N"
MARKS: Mapping[str, str] = {
    "RMCA3002N": "healed", "RMCA3003W": "unchanged", "RMCA3004W": "refused", "RMCA3005N": "shadow", "RMCA3006W": "finished",
    "RMCA3007W": "node-id", "RMCA4001E": "needs-human", "RMCA4002W": "elsewhere",
}

# light, dark
COLOURS: Mapping[str, Tuple[str, str]] = {
    "paper": ("#ffffff", "#16191d"), "field": ("#f3f4f6", "#20242a"), "grid": ("#d3d7dc", "#3a4048"),
    "ink": ("#1b1f24", "#e8eaed"), "faint": ("#59616b", "#a3abb5"),
    "good": ("#7cc4a4", "#2f7d5f"), "bad": ("#ee8a5e", "#c2491d"), "moving": ("#f2cf6b", "#96751a"),
    "unknown": ("#c4c9cf", "#565d66"), "other": ("#9db7e8", "#3f5f9e"), "several": ("#c9a7dc", "#76508c"),
    "line": ("#1b1f24", "#ffffff"),
}
PATTERNS: Mapping[str, str] = {
    "bad": "M-1 1l2 -2M0 6l6 -6M5 7l2 -2",
    "moving": "M3 0v6",
    "unknown": "M1 3h1M4 0h1",
    "several": "M0 0l6 6M0 6l6 -6",
    "other": "M0 3h6",
}


def kind(code: str, remedy: str = "") -> Optional[str]:
    """The kind of mark that an event is, by its code; None where it is none. A remedy that was begun is marked by its name."""
    return (remedy or "remedy") if code == BEGUN else MARKS.get(code)


def style() -> str:
    def rules(which: int) -> str:
        fills = "".join(f".{name}{{fill:{both[which]}}}" for name, both in COLOURS.items())
        return f"{fills}.s{{stroke:{COLOURS['line'][which]}}}.g{{stroke:{COLOURS['grid'][which]}}}" \
               f".halo{{stroke:{COLOURS['field'][which]}}}"
    return ("<style>text{font-family:'DejaVu Sans',Verdana,Arial,sans-serif;font-size:11px}"
            f"{rules(0)}.s,.g{{fill:none;stroke-width:1}}.e{{stroke-width:.7}}"
            ".halo{stroke-width:3;paint-order:stroke;stroke-linejoin:round}.c{text-anchor:middle}.b{font-weight:bold}"
            f"@media(prefers-color-scheme:dark){{{rules(1)}}}</style>")


def patterns() -> Iterator[str]:
    for name, path in PATTERNS.items():
        yield (f'<pattern id="timeline-{name}" width="6" height="6" patternUnits="userSpaceOnUse">'
               f'<path class="s" stroke-opacity=".45" d="{path}"/></pattern>')


@dataclass(frozen=True)
class Letters:
    """A letter for each state or kind that is told apart."""

    known: Mapping[str, str]
    unnamed: int = 0

    @staticmethod
    def of(names: Iterable[str]) -> Letters:
        """The commonest names as they appear, each with the first of its own letters that is still free."""
        counts = Counter(names)
        known: Dict[str, str] = {}
        common = dict(counts.most_common(MOST_NAMED))
        for name in (name for name in counts if name in common):
            wished = [letter for letter in name.upper() if letter.isascii() and letter.isalpha()]
            taken = set(known.values())
            known[name] = next((letter for letter in (*wished, *"ABCDEFGHIJKLMNOPQRSTUVWXYZ") if letter not in taken), "?")
        return Letters(known, len(counts) - len(known))

    def __getitem__(self, name: str) -> str:
        return self.known.get(name, "?")
