"""What status, plan and why print: facts -> text, JSON and exit codes. Pure, and cheap to import: `status` loads little else."""
from __future__ import annotations

TYPE_CHECKING = False                     # typing's own would be an import that `status` pays for
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence

    from rmcagent.config import Settings
    from rmcagent.model import Decision, Snapshot, View

    Document = Dict[str, Any]
    Shown = Callable[[datetime], datetime]

LONGEST_TEXT = 1000                       # of one string in a document
MOST_ROWS = 256                           # of one list or table in a document
LONGEST_PARAGRAPH = 12                    # lines
ROWS_SHOWN = 8                            # of one kind on the screen
LABEL = 14                                # columns before the text, colon and blank included
NARROWEST = 40

STATUS_CODES = {"healthy": 0, "not-running": 3, "unknown": 4, "degraded": 150, "healing": 150, "needs-human": 151, "paused": 152,
                "blind": 153}
PLAN_CODES = {"rest": 0, "wait": 10, "apply": 10, "judge": 10, "refuse": 11, "escalate": 11}
COLOURS = {"healthy": 32, "degraded": 33, "healing": 33, "paused": 33, "needs-human": 31, "not-running": 31}
MODES = {"shadow": "decides and records, runs no remedy", "observe": "looks and reports, decides nothing",
         "crash loop": "the agent itself crashed repeatedly; it only observes until an hour was quiet"}


# ---- the document ------------------------------------------------------------------------------------------------------

# The keys of each row, which are its noun's names. Others read them: more may be added, none renamed.
HMC = "address name node_id link reachable in_band"
KNOWN_HMC = "address name node_id first_seen last_up"
FINDING = "fault side since evidence subject sources advice"
DECISION = "kind remedy because unblock until shadow"
REFUSAL = "guard because unblock until lasting"
LOG = "bytes_per_second messages side"
ATTEMPT = "id remedy fault subject episode begun_at ended_at outcome shadow by because"


def document(view: View, settings: Settings, shown: Shown, extra: Mapping[str, Any]) -> Document:
    """What `status --json` and `plan --json` say of one look; every string in it is safe to print, every value plain JSON."""
    snapshot, history = view.snapshot, view.history
    growth = snapshot.logs.value if snapshot else None
    decisions = [_decision_facts(decision) for decision in view.decisions]
    plain: Document = _plain({
        "look_seconds": settings.cadence.look.total_seconds(),
        "timeout_seconds": settings.timeout.total_seconds(),
        "why": [],
        **extra,
        "schema": 1,
        "verdict": view.verdict,
        "because": view.because,
        "mode": settings.mode,
        "taken_at": view.taken_at,
        "next_look": view.next_look,
        "subsystems": _subsystem_facts(snapshot),
        "hmcs": _each(snapshot.hmcs if snapshot else (), HMC),
        "known_hmcs": _each(history.known, KNOWN_HMC),
        "cluster": {
            "state": view.cluster.state,
            "recycle": "allowed" if view.cluster.recycle else "forbidden",
            "recfgct": "allowed" if view.cluster.recfgct else "forbidden",
            "evidence": "; ".join(view.cluster.evidence),
        },
        "findings": _each(view.findings, FINDING),
        "gaps": _each(snapshot.gaps if snapshot else (), "about because"),
        "decision": decisions[0],
        "decisions": decisions,
        "log": _facts(growth, LOG) if growth else {"bytes_per_second": None, "messages": {}, "side": "unknown"},
        "pause": _facts(history.pause, "until reason by") if history.pause else None,
        "episode": history.episode.id if history.episode else None, "crash_loop": history.crash_loop,
        "budgets": _budget_facts(view, settings),
        "attempts": _each(history.attempts[-10:], ATTEMPT),
    }, shown)
    return plain


def _facts(noun: object, names: str) -> Document:
    return {name: getattr(noun, name) for name in names.split()}


def _each(nouns: Iterable[object], names: str) -> List[Document]:
    return [_facts(noun, names) for noun in nouns]


def _subsystem_facts(snapshot: Optional[Snapshot]) -> Document:
    """Every row that lssrc showed; a required one it did not show is unknown, not inoperative."""
    rows = (snapshot.subsystems.value or {}) if snapshot else {}
    expected = snapshot.expected if snapshot else {}
    facts: Document = {name: {"state": "unknown", "pid": None, "expected": need} for name, need in expected.items()}
    for name, row in rows.items():
        facts[name] = {"state": row.state, "pid": row.pid, "expected": expected.get(name, "on-demand")}
    return facts


def _decision_facts(decision: Decision) -> Document:
    finding = decision.finding
    return {
        **_facts(decision, DECISION),
        "fault": finding.fault if finding else None,
        "subject": finding.subject if finding else "",
        "refused_by": list(dict.fromkeys(refusal.guard for refusal in decision.refused_by)),
        "refusals": _each(decision.refused_by, REFUSAL),
    }


def _budget_facts(view: View, settings: Settings) -> Document:
    """What was spent of each remedy's budgets, counted as the budget guard counts: shadow attempts among themselves."""
    facts: Document = {}
    for remedy, policy in settings.remedies.items():
        shadow = "shadow" in (settings.mode, policy.mode)
        begun = [
            attempt.begun_at for attempt in view.history.attempts
            if attempt.remedy.value == remedy and attempt.shadow == shadow and attempt.by != "finish"
        ]
        lost = view.history.spent_at
        none_left = lost is not None and view.taken_at < lost + max(budget.span for budget in policy.budget)
        facts[remedy] = [
            {"spent": budget.times if none_left else sum(at > view.taken_at - budget.span for at in begun),
             "times": budget.times, "span_seconds": budget.span.total_seconds()}
            for budget in policy.budget
        ]
    return facts


def _plain(value: Any, shown: Shown) -> Any:
    """The value as plain JSON with clean, bounded strings; what JSON cannot say (an endless number) becomes null."""
    value = getattr(value, "value", value)                          # of an enum
    if value is None or isinstance(value, (bool, int)):
        return value
    if hasattr(value, "items"):
        return {clean(str(key)): _plain(item, shown) for key, item in sorted(value.items())[:MOST_ROWS]}
    if isinstance(value, (list, tuple)):
        return [_plain(item, shown) for item in value[:MOST_ROWS]]
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None         # what is not a number compares false as well
    return shown(value).isoformat(timespec="seconds") if hasattr(value, "isoformat") else clean(str(value))


def clean(text: str, most: int = LONGEST_TEXT) -> str:
    r"""Text from outside, fit for a terminal and a log: what does not print (control, bidi, surrogate) as \xNN or \uNNNN."""
    if len(text) > most:
        text = text[:most - 3] + "..."
    return text if text.isprintable() else "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    number = ord(letter)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def stale(document: Document, age: Optional[float]) -> bool:
    """True when the look is older than three looks and one time-out, or its age cannot be told."""
    look, timeout = document.get("look_seconds", 0), document.get("timeout_seconds", 0)
    return age is None or abs(age) > 3 * look + timeout       # from the future: the clock was set back, nobody wrote since


def status_code(document: Optional[Document], alive: Optional[bool], age: Optional[float]) -> int:
    """The exit code of `status`: what the document says, unless nobody stands behind it any more."""
    if document is None or document.get("verdict") == "not-running":
        return 3
    if alive is False:
        return 1
    if stale(document, age):
        return 4
    return STATUS_CODES.get(str(document.get("verdict")), 4)


def plan_code(document: Optional[Document]) -> int:
    """The exit code of `plan`, by the gravest finding about which anything is to be decided."""
    if not document:
        return 13
    first = _leading(document)
    if first.get("kind") == "rest" and document.get("verdict") in ("unknown", "blind"):
        return 13
    return PLAN_CODES.get(str(first.get("kind")), 13)


def _leading(document: Document) -> Document:
    return (_rows(document, "decisions") or [_map(document, "decision")])[0]


def as_of(document: Document, alive: Optional[bool], age: Optional[float]) -> Document:
    """The document as it must be read now: with its age, and another verdict where nobody stands behind it any more."""
    now = dict(document, age_seconds=None if age is None else round(age))
    code = status_code(document, alive, age)
    if code == 3:
        now.setdefault("because", "the daemon was stopped")
    elif code == 1:
        because = f"the daemon (pid {document.get('pid')}) ended without a clean stop"
        now.update(verdict="not-running", because=because, next_look=None)
    elif code == 4 and stale(document, age):
        now.update(verdict="unknown", because="the last look is too old: the daemon hangs, or cannot write what it sees")
    return now


# ---- text --------------------------------------------------------------------------------------------------------------

def status_text(document: Document, columns: int = 80, colour: bool = False) -> str:
    """One screen: the verdict first, then what it rests on, what comes next, and what could not be told."""
    verdict = str(document.get("verdict", "unknown"))
    mode, pause = "crash loop" if document.get("crash_loop") else str(document.get("mode")), _map(document, "pause")
    screen = Screen(columns, COLOURS.get(verdict, 35) if colour else 0)
    screen.head(f"rmcagent: {verdict}", document.get("because"))
    screen.rows("Taken", _taken(document))
    screen.rows("Mode", [f"{mode}: {MODES[mode]}"] if mode in MODES else [])
    screen.rows("Paused", [f"until {_time(pause.get('until'), document)}: {pause.get('reason')}"] if pause else [])
    screen.rows("Subsystems", [", ".join(_few(_subsystems(document), 2 * ROWS_SHOWN))])
    screen.rows("HMCs", _hmcs(document))
    screen.rows("Cluster", _cluster(document))
    screen.rows("Findings", _findings(document))
    _next(screen, document)
    screen.rows("Not told", _sentences(document.get("gaps")))
    screen.rows("Budgets left", ["; ".join(_budget(remedy, document) for remedy in sorted(_map(document, "budgets")))])
    return screen.text()


def plan_text(document: Document, columns: int = 80, colour: bool = False) -> str:
    """What would be done now, and why or why not."""
    code, first = plan_code(document), _leading(document)
    title = {0: "nothing to do", 13: "cannot tell"}.get(code) or _phrase(first, document)
    screen = Screen(columns, {0: 32, 10: 33, 11: 31, 13: 35}[code] if colour else 0)
    screen.head(f"plan: {title}", first.get("because") if code in (10, 11) else document.get("because"))
    screen.rows("Taken", _taken(document))
    screen.rows("Findings", _findings(document))
    _next(screen, document)
    screen.rows("Cluster", _cluster(document))
    screen.rows("Not told", _sentences(document.get("gaps")))
    return screen.text()


def why_text(entries: Sequence[Document], episode: Optional[str] = None, columns: int = 80) -> str:
    """The last decision, or all of one episode's (entries are oldest first), with what would have changed it; "" is none."""
    chosen = [entry for entry in entries if entry.get("episode") == episode] if episode else entries[-1:]
    return "\n".join(_reasons(entry, columns) for entry in chosen)


def _reasons(entry: Document, columns: int) -> str:
    screen = Screen(columns)
    screen.head(_words(entry, "at episode"), _words(entry, "fault subject kind remedy"))
    screen.rows("Because", _sentences(entry.get("because")))
    screen.rows("Evidence", _sentences(entry.get("evidence")))
    screen.rows("Held by", _refusals(entry, "refused_by", entry))
    screen.rows("Alternatives", _sentences(entry.get("alternatives")))
    screen.rows("Unblock", _sentences(entry.get("unblock")))
    return screen.text()


def _sentences(value: Any) -> List[str]:
    """Strings as they are, tables as their values: a gap's are `about: because`."""
    items = value if isinstance(value, (list, tuple)) else [value] if value else []
    return [": ".join(str(part) for part in item.values() if part) if isinstance(item, dict) else str(item) for item in items]


def _words(row: Document, keys: str) -> str:
    return " ".join(str(row[key]) for key in keys.split() if row.get(key))


def _taken(document: Document) -> List[str]:
    ago = f", {_length(document['age_seconds'])} ago" if (document.get("age_seconds") or 0) > 0 else ""
    then = f"; next look {_time(document['next_look'], document)}" if document.get("next_look") else ""
    return [f"{document.get('taken_at')}{ago}{then}"]


def _subsystems(document: Document) -> List[str]:
    """Those that should run, ctrmc first, and others only while they are in transition."""
    rows = _map(document, "subsystems")
    told = []
    for name in sorted(rows, key=lambda name: (name != "ctrmc", name)):
        row = _map(rows, name)
        if name == "ctrmc" or row.get("expected") == "required" or row.get("state") not in ("active", "inoperative"):
            told.append(f"{name} {row.get('state')}" + (f" (pid {row['pid']})" if row.get("pid") else ""))
    return told


def _hmcs(document: Document) -> List[str]:
    answers = {"True": "answers", "False": "does not answer"}
    return [
        f"{_words(hmc, 'address name')} {hmc.get('link')}, "
        + ("through the hypervisor" if hmc.get("in_band") else answers.get(str(hmc.get("reachable")), "not asked"))
        for hmc in _rows(document, "hmcs")
    ]


def _cluster(document: Document) -> List[str]:
    cluster = _map(document, "cluster")
    said = f"{cluster.get('state')}; recycle {cluster.get('recycle')}, recfgct {cluster.get('recfgct')}"
    calm = "forbidden" not in said and cluster.get("state") == "absent"
    return [said if calm or not cluster.get("evidence") else f"{said}: {cluster['evidence']}"] if cluster else []


def _findings(document: Document) -> List[str]:
    return [
        f"{_words(finding, 'fault subject')} ({finding.get('side')})"
        + (f" since {_time(finding['since'], document)}" if finding.get("since") else "")
        + f": {finding.get('evidence')}"
        + (f" -> {finding['advice']}" if finding.get("advice") else "")
        for finding in _rows(document, "findings")
    ]


def _next(screen: Screen, document: Document) -> None:
    """The leading decision with all that holds it, the others in a line each."""
    leading = _leading(document)
    lines = [
        f"{_words(decision, 'fault subject')}: ".lstrip(": ") + _phrase(decision, document)
        + ("" if decision.get("refusals") and decision.get("kind") == "refuse" else f": {decision.get('because')}")
        for decision in _rows(document, "decisions") if decision.get("kind") != "rest"
    ]
    screen.rows("Next", lines[:1])
    screen.rows("Held by", _refusals(leading, "refusals", document))
    screen.rows("Unblock", _sentences(leading.get("unblock")) if not leading.get("refusals") else [])
    screen.rows("Besides", lines[1:])


def _refusals(row: Document, key: str, document: Document) -> List[str]:
    told = _rows(row, key)      # what would unblock several in a row stands once, after the last
    return [
        f"{refusal.get('guard')}: {refusal.get('because')}"
        + (f" -> {refusal['unblock']}" if refusal.get("unblock") not in ("", None, following.get("unblock")) else "")
        + (f" (until {_time(refusal['until'], document)})" if refusal.get("until") else "")
        for refusal, following in zip(told, [*told[1:], {}])
    ]


def _phrase(decision: Document, document: Document) -> str:
    kind = "a human is needed" if decision.get("kind") == "escalate" else _words(decision, "kind remedy")
    until = f" until {_time(decision['until'], document)}" if decision.get("until") else ""
    return kind + until + (", in shadow only" if decision.get("shadow") else "")


def _budget(remedy: str, document: Document) -> str:
    left = [
        f"{budget['times'] - budget['spent']} of {budget['times']} in {_length(budget['span_seconds'])}"
        for budget in _rows(_map(document, "budgets"), remedy) if {"times", "spent", "span_seconds"} <= set(budget)
    ]
    return f"{remedy} {' and '.join(left)}"


def _length(seconds: float) -> str:
    """90 s, 12 m, 24 h, 30 d: rounded down to the largest unit of which there are two."""
    unit, size = next((pair for pair in (("d", 86400), ("h", 3600), ("m", 60)) if seconds >= 2 * pair[1]), ("s", 1))
    return f"{int(seconds // size)} {unit}"


def _time(moment: Any, document: Document) -> str:
    """The time of day where the day and offset are those of the look; all of it elsewhere."""
    text, taken = str(moment), str(document.get("taken_at") or document.get("at"))
    return text[11:19] if len(text) == len(taken) >= 19 and (text[:10], text[19:]) == (taken[:10], taken[19:]) else text


def _rows(document: Mapping[str, Any], key: str) -> List[Document]:
    """The tables in the list under `key`; a file of another version, or a damaged one, shows less but never fails."""
    value = document.get(key)
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _map(document: Mapping[str, Any], key: str) -> Document:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _few(texts: List[str], most: int = ROWS_SHOWN) -> List[str]:
    return texts if len(texts) <= most else [*texts[:most - 1], f"and {len(texts) - most + 1} more"]


class Screen:
    """Lines of ASCII that never exceed the columns; owns the lines."""

    def __init__(self, columns: int = 80, colour: int = 0) -> None:
        self.columns = max(columns, NARROWEST)
        self.colour = colour
        self.lines: List[str] = []

    def head(self, title: str, because: Any) -> None:
        """The first line: `* title: because`, with the title coloured."""
        wrapped = _wrapped(f"{title}: {because}" if because else title, self.columns - 2)
        if self.colour and wrapped[0].startswith(title):
            wrapped[0] = f"\x1b[{self.colour}m{title}\x1b[0m{wrapped[0][len(title):]}"
        self.lines += [("* " if at == 0 else "  ") + line for at, line in enumerate(wrapped)]

    def rows(self, label: str, texts: List[str]) -> None:
        """A paragraph each, of which the first is labelled; nothing where there is nothing to say."""
        for text in _few([text for text in texts if text]):
            for line in _wrapped(text, self.columns - LABEL):
                self.lines.append((f"{label}: " if label else "").rjust(LABEL) + line)
                label = ""

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines) + "\n"


def _wrapped(text: str, width: int) -> List[str]:
    """Lines of at most `width` ASCII characters (a damaged file may hold others); a text longer than half a screen is cut."""
    from textwrap import wrap

    ascii_only = "".join(letter if " " <= letter <= "~" else _escaped(letter) for letter in text)
    return wrap(ascii_only, width, break_on_hyphens=False, max_lines=LONGEST_PARAGRAPH, placeholder=" ...") or [""]
