"""What `status` prints: one screen, the verdict first, or one line; and the paragraphs that it shares with `plan` and `why`."""
from __future__ import annotations

from rmcagent.show.screen import (
    NARROWEST,
    ROWS_SHOWN,
    Screen,
    advised,
    ascii_of,
    cut,
    few,
    holds,
    in_shadow,
    keep_stopped,
    leading,
    length_of,
    meanwhile,
    number_of,
    phrase,
    rows_of,
    table_of,
    text_of,
    texts_of,
    though_held,
    time_of,
    words,
)

TYPE_CHECKING = False                     # typing's own would be an import that `status` pays for
if TYPE_CHECKING:
    from typing import Any, Dict, List

    Document = Dict[str, Any]

COLOURS = {"healthy": 32, "degraded": 33, "healing": 33, "paused": 33, "needs-human": 31, "not-running": 31}
OTHERWISE = 35                            # the colour of unknown and blind
MODES = {"shadow": "decides and records, runs no remedy", "observe": "looks and reports, decides nothing"}
PLACES = {"here": "here", "operator": "an operator's doing", "network": "in the network", "hmc": "at the HMC",
          "identity": "node ids", "config": "the configuration", "evidence": "not told", "benign": "none that matters"}
GENTLEST_FIRST = ("refresh", "start", "manager", "lparmgr", "recycle", "recfgct")
ELSE = "; only if that does not help: "   # between two steps of one piece of advice
BY_HAND = "as root"                        # stands in advice to run a remedy oneself
NO_ADVICE = ("wait", "none is needed: nothing is wrong")
COUNTED = ("budget", "cooldown", "settle")   # guards that go by attempts: in shadow by those of shadow
ANSWERS = {True: "answers", False: "silent"}
SCREEN_LINES = 24
EVENTS_SHOWN = 3                          # where the screen has room for them, at least one
MESSAGES_SHOWN = 3


def status_text(document: Document, columns: int = 80, colour: bool = False) -> str:
    """One screen: the verdict first, then what it rests on, what comes next, and what could not be told."""
    verdict = text_of(document, "verdict") or "unknown"
    screen = Screen(columns, COLOURS.get(verdict, OTHERWISE) if colour else 0)
    screen.head(f"rmcagent: {verdict}", text_of(document, "because"))
    screen.rows("Taken", taken(document))
    screen.rows("Mode", _mode(document))
    screen.rows("Paused", _pause(screen, document))
    screen.rows("Held", held(document))
    screen.rows("Beware", _beware(document))
    screen.rows("To do", texts_of(document, "advice"))
    screen.rows("Required", _required(document))
    screen.rows("Changing", _changing(document))
    screen.table("HMCs", ("ADDRESS", "NAME", "LINK", "REACHABLE", "LAST UP"), _hmcs(document))
    screen.rows("Cluster", cluster(screen, document))
    screen.rows("Findings", findings(screen, document))
    if "advice" not in document:          # else nobody counts, or decides, any more
        screen.rows("Counting", _streaks(document))
        what_next(screen, document)
        what_holds(screen, document)
    screen.rows("Not told", gaps(screen, document))
    screen.rows("Log", _log(screen, document))
    screen.rows("Budgets left", _budgets(document))
    screen.lined("Events", _events(document)[-min(EVENTS_SHOWN, max(SCREEN_LINES - len(screen.lines), 1)):])
    return screen.text()


def brief_text(document: Document, columns: int = 80, colour: bool = False) -> str:
    """One line: verdict, because, age."""
    verdict, age = text_of(document, "verdict") or "unknown", number_of(document, "age_seconds")
    old = "" if age is None else f" ({length_of(max(age, 0))} old)"
    until = text_of(table_of(document, "pause"), "until") if verdict == "paused" else ""
    head = f"{verdict} until {time_of(until, document)}" if until else verdict
    said = f"{head}: {text_of(document, 'because')}".rstrip(": ") + meanwhile(document) + though_held(document)
    line = cut(ascii_of(said), max(columns, NARROWEST) - len(old))
    if colour:
        line = f"\x1b[{COLOURS.get(verdict, OTHERWISE)}m{line[:len(verdict)]}\x1b[0m{line[len(verdict):]}"
    return f"{line}{old}\n"


# ---- what was seen

def taken(document: Document) -> List[str]:
    """When the look was, how old it is, when the next one comes."""
    age, then = number_of(document, "age_seconds"), text_of(document, "next_look")
    parts = [text_of(document, "taken_at"), f", {length_of(age)} ago" if age is not None and age > 0 else "",
             f"; next look {time_of(then, document)}" if then else ""]
    return ["".join(parts)]


def _beware(document: Document) -> List[str]:
    """Where nobody stands behind the look any more: as_of has then said what to do about that."""
    seen = "advice" in document and "subsystems" in document
    return ["what follows was seen then; nothing of it is known to be so now"] if seen else []


def _mode(document: Document) -> List[str]:
    mode = text_of(document, "mode")
    return [f"{mode}: {MODES[mode]}"] if mode in MODES else []


def _pause(screen: Screen, document: Document) -> List[str]:
    pause = table_of(document, "pause")
    by, reason = text_of(pause, "by"), screen.unsaid(text_of(pause, "reason"))
    until = f"until {time_of(text_of(pause, 'until'), document)}" + (f", by {by}" if by else "")
    return [f"{until}: {reason}".rstrip(": ")] if pause else []


def held(document: Document) -> List[str]:
    """What holds every remedy, said also while none is wanted."""
    return [f"no remedy begins: {text_of(hold, 'because')} -> {advised(text_of(hold, 'unblock'), document)}"
            for hold in holds(document)]


def _required(document: Document) -> List[str]:
    """ctrmc and whatever must run, with since when where that is a fault's."""
    rows = table_of(document, "subsystems")
    names = [name for name in rows if name == "ctrmc" or text_of(table_of(rows, name), "expected") == "required"]
    told = [_subsystem(name, table_of(rows, name), document) for name in sorted(names, key=lambda name: (name != "ctrmc", name))]
    return [", ".join(few(told, 2 * ROWS_SHOWN))]


def _changing(document: Document) -> List[str]:
    """Others that neither run nor rest."""
    rows = table_of(document, "subsystems")
    others = [name for name in sorted(rows) if name != "ctrmc" and text_of(table_of(rows, name), "expected") != "required"
              and text_of(table_of(rows, name), "state") not in ("active", "inoperative")]
    return [", ".join(few([_subsystem(name, table_of(rows, name), document) for name in others], 2 * ROWS_SHOWN))]


def _subsystem(name: str, row: Document, document: Document) -> str:
    pid, since, expected = number_of(row, "pid"), text_of(row, "since"), text_of(row, "expected")
    surprising = f", {expected}" if name == "ctrmc" and expected not in ("", "required") else ""
    return (f"{name} {text_of(row, 'state')}" + surprising + (f" since {time_of(since, document)}" if since else "")
            + (f" (pid {pid:.0f})" if pid else ""))


def _hmcs(document: Document) -> List[List[str]]:
    table = []
    for hmc in rows_of(document, "hmcs"):
        asked = hmc.get("reachable")
        reachable = "in-band" if hmc.get("in_band") is True else ANSWERS[asked] if isinstance(asked, bool) else "not asked"
        table.append([text_of(hmc, "address"), text_of(hmc, "name"), text_of(hmc, "link"), reachable,
                      time_of(text_of(hmc, "since"), document)])
    return table


def cluster(screen: Screen, document: Document) -> List[str]:
    """What is known of a cluster, what that forbids, and why where it forbids anything."""
    told = table_of(document, "cluster")
    said = f"{text_of(told, 'state')}; recycle {text_of(told, 'recycle')}, recfgct {text_of(told, 'recfgct')}"
    calm = "forbidden" not in said and text_of(told, "state") == "absent"
    evidence = "; ".join(filter(None, map(screen.unsaid, text_of(told, "evidence").split("; "))))
    return [said if calm or not evidence else f"{said}: {evidence}"] if told else []


def findings(screen: Screen, document: Document) -> List[str]:
    """A sentence each, without what the verdict has said; advice stands with the decision, where there is one about it."""
    return [
        words(finding, "fault subject") + (f" since {time_of(since, document)}" if since else "")
        + (f", cause {PLACES.get(side, side)}" if side else "") + (f": {evidence}" if evidence else "")
        + (f" -> {advice}" if advice else "")
        for finding in rows_of(document, "findings")
        for since, side, evidence, advice in [(text_of(finding, "since"), text_of(finding, "side"),
                                               screen.unsaid(text_of(finding, "evidence")), _own_advice(finding, document))]
    ]


def _own_advice(finding: Document, document: Document) -> str:
    """Unless a decision tells it; and what is a remedy run by hand only where the agent leaves that to a human."""
    advice, about = text_of(finding, "advice"), words(finding, "fault subject")
    decisions = rows_of(document, "decisions")
    told = any(advice in texts_of(decision, "unblock") for decision in decisions)
    ours = any(text_of(decision, "kind") in ("wait", "apply", "judge") and text_of(decision, "remedy")
               and words(decision, "fault subject") == about for decision in decisions)
    return "" if told or (ours and BY_HAND in advice) else advice


def _streaks(document: Document) -> List[str]:
    """Failures over the threshold from which they count."""
    told = []
    for streak in rows_of(document, "streaks"):
        count, most, span = (number_of(streak, key) for key in ("count", "of", "span_seconds"))
        if count is None or most is None:
            continue
        if text_of(streak, "unit") == "seconds":
            amount = f"{length_of(min(count + max(number_of(document, 'age_seconds') or 0, 0), most))} of {length_of(most)}"
        else:
            amount = f"{count:.0f}/{most:.0f}" + ("" if span is None else f" in {length_of(span)}")
        told.append(f"{words(streak, 'subject about')} {amount}")
    return ["; ".join(few(told))]


def gaps(screen: Screen, document: Document) -> List[str]:
    told = [words(gap, "about") + f": {text_of(gap, 'because')}" for gap in rows_of(document, "gaps")]
    return [screen.unsaid(text) for text in told]


def _log(screen: Screen, document: Document) -> List[str]:
    """How fast RSCT's logs grow, whose that is, with what, and when they fill /var."""
    log, var = table_of(document, "log"), table_of(document, "var")
    rate, full = number_of(log, "bytes_per_second"), number_of(log, "var_full_seconds")
    size, free, side = number_of(var, "size"), number_of(var, "free"), text_of(log, "side")
    messages = table_of(log, "messages")
    counts = sorted((-(number_of(messages, number) or 0), number) for number in messages)[:MESSAGES_SHOWN]
    parts = [
        "" if rate is None else f"grows {_rate(rate)}" if rate >= 1 else "quiet",
        f"cause {PLACES[side]}" if counts and side in PLACES else "",
        screen.unsaid(", ".join(f"{number} x{-count:.0f}" for count, number in counts)),
        f"{text_of(var, 'path')} {100 - 100 * free / size:.0f}% full" if size and free is not None else "",
        "" if full is None else f"full in {length_of(full)} at this rate",
    ]
    return [", ".join(filter(None, parts))]


def _rate(rate: float) -> str:
    unit, size = next((pair for pair in (("MiB", 1 << 20), ("KiB", 1 << 10)) if rate >= pair[1]), ("bytes", 1))
    return f"{rate / size:.0f} {unit}/s"


def _budgets(document: Document) -> List[str]:
    """What is left of what there was, by span: `per 24 h: start 5/6, recycle 2/2`; what only shadow attempts spend says so."""
    budgets = table_of(document, "budgets")
    spans: Dict[float, List[str]] = {}
    rehearsed = [remedy for remedy in budgets if any(budget.get("shadow") is True for budget in rows_of(budgets, remedy))]
    only = bool(budgets) and len(rehearsed) == len(budgets)
    for remedy in sorted(budgets, key=lambda name: (GENTLEST_FIRST.index(name) if name in GENTLEST_FIRST else 9, name)):
        for budget in rows_of(budgets, remedy):
            times, spent, span = (number_of(budget, key) for key in ("times", "spent", "span_seconds"))
            if times is not None and spent is not None and span is not None:
                left = f"{remedy} {max(times - spent, 0):.0f}/{times:.0f}"
                spans.setdefault(span, []).append(left + (" in shadow" if spent and remedy in rehearsed and not only else ""))
    told = "; ".join(f"per {length_of(span)}: {', '.join(spans[span])}" for span in sorted(spans))
    return [("in shadow, " if only and told else "") + told]


def _events(document: Document) -> List[str]:
    return [f"{time_of(text_of(event, 'at'), document)} {words(event, 'code text')}" for event in rows_of(document, "events")]


# ---- what was decided

def what_next(screen: Screen, document: Document) -> None:
    """The leading decision, when, and why."""
    screen.rows("Next", [decided(screen, decision, document) for decision in _decisions(document)[:1]])


def what_holds(screen: Screen, document: Document) -> None:
    """What holds the leading decision and what unblocks it; the other decisions in a line each."""
    first = leading(document)
    screen.rows("Held by", refusals(screen, first, "refusals", document))
    screen.rows("To do", to_do(screen, first, document))
    screen.rows("Besides", [" -> ".join([decided(screen, decision, document), *to_do(screen, decision, document)])
                            for decision in _decisions(document)[1:]])


def _decisions(document: Document) -> List[Document]:
    return [row for row in rows_of(document, "decisions") if text_of(row, "kind") != "rest"]


def to_do(screen: Screen, decision: Document, document: Document) -> List[str]:
    """What a human does, which is not told twice; to wait is nothing to do."""
    told = [advised(text, document) for text in texts_of(decision, "unblock") if text not in NO_ADVICE]
    unsaid = [ELSE.join(filter(screen.unsaid, text.split(ELSE))) for text in [*told, *keep_stopped(decision)]]
    return [text for text in unsaid if text]


def decided(screen: Screen, decision: Document, document: Document) -> str:
    """One decision and why, unless that was said or its guards will say it."""
    because, guards = text_of(decision, "because"), rows_of(decision, "refusals")
    if guards and (text_of(decision, "kind") == "refuse" or any(text_of(refusal, "because") in because for refusal in guards)):
        because = ""
    because = screen.unsaid(because)
    because += in_shadow(decision, document) if because else ""
    about = "" if because and text_of(decision, "fault") in because else words(decision, "fault subject")
    return (f"{about}: " if about else "") + phrase(decision, document) + (f": {because}" if because else "")


def refusals(screen: Screen, row: Document, key: str, document: Document) -> List[str]:
    """A guard each: why it holds, as of when, what would unblock it and what will; nothing of that twice."""
    told: Dict[str, List[Document]] = {}
    for refusal in rows_of(row, key):
        told.setdefault(text_of(refusal, "guard"), []).append(refusal)
    advice = [text for each in told.values() for text in dict.fromkeys(text_of(refusal, "unblock") for refusal in each)]
    rehearsed = text_of(document, "mode") == "shadow"
    return [("in shadow, " if rehearsed and guard in COUNTED else "") + _refusal(screen, guard, each, advice, document)
            for guard, each in told.items()]


def _refusal(screen: Screen, guard: str, told: List[Document], advice: List[str], document: Document) -> str:
    """`advice` is that of all guards: what several of them want stands after the last."""
    because, unblock, until, seen_at = (
        list(dict.fromkeys(filter(None, (text_of(refusal, key) for refusal in told))))
        for key in ("because", "unblock", "until", "evidence_at")
    )
    because = [text for text in because if screen.unsaid(text)]
    for text in unblock:
        advice.remove(text)
    unblock = [advised(text, document) for text in unblock if text not in NO_ADVICE and text not in advice]
    return (
        guard + (f": {'; '.join(because)}" if because else "")
        + "".join(f" (as of {time_of(moment, document)})" for moment in seen_at[:1])
        + (f" -> {'; '.join(unblock)}" if unblock else "")
        + "".join(f" (until {time_of(moment, document)})" for moment in sorted(until)[-1:])
    )
