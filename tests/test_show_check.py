"""The line that `check` prints for Nagios, and its exit codes; the line of `status --brief`."""
from __future__ import annotations

import re
from typing import Any, Dict, Optional

import pytest

import scenes
from rmcagent import show
from rmcagent.show.check import untold_text

LOOK = {"look_seconds": 60.0, "timeout_seconds": 20.0}
# 'label'=value[unit];warn;crit;min;max, as the Nagios plug-in guidelines have it; U is what could not be told.
FIGURE = re.compile(r"'([^'=|]+)'=(U|-?\d+(\.\d+)?)(s|%|B|c)?;\d*;\d*;\d*;\d*")


@pytest.mark.parametrize("verdict, alive, age, code", [
    ("healthy", True, 0.0, 0),
    ("healthy", None, 200.0, 0),
    ("degraded", True, 1.0, 1),
    ("healing", True, 1.0, 1),
    ("paused", True, 1.0, 1),
    ("needs-human", True, 1.0, 2),
    ("not-running", True, 1.0, 2),
    ("not-running", None, None, 2),
    ("healthy", False, 1.0, 2),                   # it died: nobody looks
    ("healthy", False, 9999.0, 2),
    ("healthy", True, 200.1, 3),                  # stale
    ("needs-human", True, 900.0, 3),
    ("healthy", True, None, 3),
    ("unknown", True, 1.0, 3),
    ("blind", True, 1.0, 3),
    ("splendid", True, 1.0, 3),                   # a verdict of another version
])
def test_the_exit_codes_of_check(verdict: str, alive: Optional[bool], age: Optional[float], code: int) -> None:
    document = {"verdict": verdict, "because": "so", **LOOK}

    assert show.check_code(document, alive, age) == code
    assert show.check_text(document, alive, age).startswith(f"RMC {('OK', 'WARNING', 'CRITICAL', 'UNKNOWN')[code]}: ")


def test_where_nothing_was_published_nobody_looks() -> None:
    assert show.check_code(None, None, None) == 2
    assert show.check_text(None, None, None) == (
        "RMC CRITICAL: not-running: nothing was published, the daemon never ran here -> start rmcagent\n"
    )


def test_where_nothing_can_be_read_a_line_is_told_all_the_same() -> None:
    assert untold_text("cannot read\n x|y: \x1b[2J") == "RMC UNKNOWN: cannot read x\\x7cy: \\x1b[2J\n"
    assert len(untold_text("|" * 10_000)) == 1024


@pytest.mark.parametrize("name", scenes.EACH)
def test_figures_are_as_the_guidelines_want_them(name: str) -> None:
    document, alive, age = scenes.scene(name)

    text, _, figures = show.check_text(document, alive, age).rstrip("\n").partition(" | ")

    found = [FIGURE.fullmatch(figure) for figure in figures.split()]
    labels = [match.group(1)[:19] for match in found if match]      # RRDtool tells them apart by so much
    assert "|" not in text and "\n" not in text
    assert None not in found and len(set(labels)) == len(found)


def test_links_that_could_not_be_told_are_counted_neither_up_nor_down() -> None:
    links = {"blind": "'hmcs_up'=1;;;0;1", "hung": "'hmcs_up'=U;;;0;1", "network": "'hmcs_up'=0;;;0;2"}

    assert {name: figure for name, figure in links.items() if figure in show.check_text(*scenes.scene(name))} == links


def test_figures_of_a_look_that_is_too_old_are_not_passed_on() -> None:
    document = scenes.played("healthy")

    assert show.check_text(document, True, 901.0).endswith(" | 'age'=901s;200;;0;\n")
    assert "|" not in show.check_text(document, False, 34.0)
    assert "|" not in show.check_text(document, True, None)


def test_the_tightest_budget_tells_how_many_recycles_are_left() -> None:
    rows = [{"times": 2, "spent": 0, "span_seconds": 86400}, {"times": 5, "spent": 4, "span_seconds": 2592000}]

    text = show.check_text({"verdict": "healthy", "budgets": {"recycle": rows}, **LOOK}, True, 1.0)

    assert "'recycles_left'=1;;;0;5" in text


TWO_PROBLEMS = {
    "config": "/etc/r/r.yaml",
    "findings": [{"fault": "manager-down", "subject": "IBM.DRM", "evidence": "DRM is down", "advice": "no"},
                 {"fault": "var-full", "subject": "", "evidence": "it is full", "advice": "look"}],
    "decisions": [{"kind": "wait", "remedy": "manager", "fault": "manager-down", "subject": "IBM.DRM", "unblock": "no",
                   "refusals": [{"guard": "maintenance", "unblock": "remove that file"}]},
                  {"kind": "escalate", "fault": "var-full", "subject": "", "unblock": "make room"}],
}


@pytest.mark.parametrize("document, said", [
    ({"verdict": "degraded", "because": "a|b\nc", "decisions": [{"kind": "wait", "remedy": "start", "fault": "rmc-down"}]},
     "RMC WARNING: degraded: rmc-down: a\\x7cb\\x0ac -> start waits"),
    ({"verdict": "needs-human", "because": "b", "decision": {"fault": "no-hmc", "unblock": "look at the HMC"}},
     "RMC CRITICAL: needs-human: no-hmc: b -> look at the HMC"),
    ({"verdict": "needs-human", "because": "b"}, "RMC CRITICAL: needs-human: b -> rmcagent plan"),
    ({"verdict": "paused", "because": "LPM", "pause": {"until": "2026-05-04T14:00:00+00:00"}},
     "RMC WARNING: paused until 2026-05-04T14:00:00+00:00: LPM"),
    ({"verdict": "healthy"}, "RMC OK: healthy"),
    ({"verdict": "blind", "because": "lssrc hangs"}, "RMC UNKNOWN: blind: lssrc hangs -> rmcagent doctor"),
    ({"verdict": "paused", "because": "LPM", "findings": [{"fault": "link-down", "evidence": "both are O"}]},
     "RMC WARNING: paused: LPM; meanwhile link-down: both are O"),
    ({"verdict": "needs-human", "because": "it is full", **TWO_PROBLEMS},     # the second made the verdict, its advice first
     "RMC CRITICAL: needs-human: var-full: it is full -> look; or make room"),
    ({"verdict": "degraded", "because": "it is full", **TWO_PROBLEMS},     # no grave one
     "RMC WARNING: degraded: var-full: it is full -> look; or make room"),
    ({"verdict": "degraded", "because": "so", "mode": "shadow", "decision": {"kind": "wait", "remedy": "start"}},
     "RMC WARNING: degraded: so; in shadow, no remedy is run -> start waits"),
    ({"verdict": "degraded", "because": "DRM is down", **TWO_PROBLEMS},
     "RMC WARNING: degraded: manager-down IBM.DRM: DRM is down -> held by maintenance -> remove /etc/r/maintenance"),
    ({"verdict": "healthy", "because": "RMC runs", "maintenance": True, "config": "/etc/r/r.yaml"},
     "RMC OK: RMC runs; but no remedy begins, held by maintenance -> remove /etc/r/maintenance"),
    ({"verdict": "healthy", "because": "RMC runs", "crash_loop": True},
     "RMC OK: RMC runs; but no remedy begins, held by crash-loop -> one quiet hour; report the traceback in the log"),
])
def test_the_line_tells_what_is_wrong_and_what_to_do(document: Dict[str, Any], said: str) -> None:
    assert show.check_text({**document, **LOOK}, True, 1.0).partition(" | ")[0] == said


def test_the_line_is_never_longer_than_old_nrpe_passes_on() -> None:
    for letter in "x|\u202e\n":
        document = dict(scenes.played("needs-human"), because=letter * 10_000)

        line = show.check_text(document, True, 1.0)

        assert len(line) <= 1024 and line.isascii() and line.count("\n") == 1 and line.count("|") == 1
        assert line.startswith("RMC CRITICAL: needs-human: ") and line.endswith("'log_bytes_per_second'=0.0;;;0;\n")


# ---- one line for a human

def test_the_brief_line_is_verdict_reason_and_age() -> None:
    now = {"verdict": "healthy", "because": "RMC runs", "age_seconds": 12}

    assert show.brief_text(now) == "healthy: RMC runs (12 s old)\n"
    assert show.brief_text(now, colour=True) == "\x1b[32mhealthy\x1b[0m: RMC runs (12 s old)\n"
    assert show.brief_text({"verdict": "blind"}) == "blind\n"
    paused = {"verdict": "paused", "because": "LPM", "findings": [{"fault": "link-down", "evidence": "both are O"}]}
    assert show.brief_text(paused) == "paused: LPM; meanwhile link-down: both are O\n"
    assert show.brief_text({}) == "unknown\n"


@pytest.mark.parametrize("columns", [-5, 40, 80, 200])
def test_the_brief_line_fits_the_columns(columns: int) -> None:
    line = show.brief_text({"verdict": "needs-human", "because": "x" * 500, "age_seconds": 7200}, columns)

    assert len(line) == max(columns, show.NARROWEST) + 1 and line.endswith("... (2 h old)\n")
