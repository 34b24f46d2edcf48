"""What status, plan and why print, and the exit codes that go with it."""
from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rmcagent import config, show
from rmcagent.model import (
    Attempt,
    BusyFacts,
    ClusterVerdict,
    Decision,
    Fact,
    Fault,
    Finding,
    Gap,
    History,
    Hmc,
    How,
    Kind,
    KnownHmc,
    Link,
    LogGrowth,
    Outcome,
    Pause,
    Platform,
    Refusal,
    Remedy,
    Side,
    Sighting,
    Snapshot,
    Space,
    State,
    Subsystem,
    View,
)

NOON = datetime(2026, 5, 4, 12, 0, 28, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)
SETTINGS = config.defaults()
HMC = Hmc("10.1.1.1", "7042-CR8*0612345", "0a1b2c3d4e5f6071", Link.UP, True)
ROWS = {
    "ctrmc": Subsystem("ctrmc", State.ACTIVE, "rsct", 4711),
    "IBM.DRM": Subsystem("IBM.DRM", State.ACTIVE, "rsct_rm", 4712),
    "IBM.LPRM": Subsystem("IBM.LPRM", State.INOPERATIVE, "rsct_rm"),
}
SEEN = Snapshot(NOON, Platform.AIX, Fact(How.SEEN, ROWS), expected={"ctrmc": "required", "IBM.DRM": "required"}, hmcs=(HMC,))
ABSENT = ClusterVerdict("absent", True, True, ("lssrc shows no cluster subsystem active",))
CRASHED = "ctrmc is inoperative, SRC_RSTRT in errpt at 11:58:01"
DOWN = Finding(Fault.RMC_DOWN, Side.HERE, CRASHED, ("lssrc-a",), since=NOON - 2 * MINUTE)
CLUSTER = Refusal("cluster", "CAA is active (caavg_private on hdisk2)", "clmgr offline cluster NAME STOP_CAA=yes", lasting=True)
BUDGET = Refusal("budget", "recycle was begun 2 times within 24 h", "wait", until=NOON + 2 * MINUTE)
STARTED = History(NOON - timedelta(hours=3))


def view(verdict: str = "healthy", because: str = "RMC runs and 1 of 1 HMC is connected", **more: Any) -> View:
    facts: Dict[str, Any] = {
        "taken_at": NOON, "snapshot": SEEN, "findings": (), "decisions": (Decision(Kind.REST, "nothing is wrong"),),
        "history": STARTED, "next_look": NOON + MINUTE,
    }
    known = more.pop("cluster", ABSENT)
    facts.update(more, cluster=lambda: known)
    return View(verdict, because, **facts)


def documented(shown: View, **extra: Any) -> Dict[str, Any]:
    found = show.document(shown, SETTINGS, lambda moment: moment, extra)
    assert isinstance(found, dict)
    return found


def refused() -> View:
    decision = Decision(Kind.REFUSE, "recycle is held: CAA is active", DOWN, Remedy.RECYCLE, (CLUSTER, BUDGET), "bring CAA down")
    return view("needs-human", "rmc-down has no remedy that may be applied", findings=(DOWN,), decisions=(decision,))


# ---- the document

def test_the_document_has_every_key_of_the_contract() -> None:
    document = documented(refused(), version="0.1.0", pid=4, boot="b", monotonic=1.5)

    assert set(document) == {
        "schema", "verdict", "taken_at", "subsystems", "hmcs", "cluster", "findings", "gaps", "decision", "decisions", "log",
        "because", "mode", "version", "pid", "boot", "monotonic", "look_seconds", "timeout_seconds", "pause", "next_look",
        "budgets", "attempts", "why", "known_hmcs", "episode", "crash_loop", "events", "streaks", "started_at", "var",
        "episode_since", "maintenance", "splay_from",
    }
    assert (document["schema"], document["taken_at"], document["look_seconds"]) == (1, "2026-05-04T12:00:28+00:00", 60.0)
    assert document["subsystems"]["ctrmc"] == {"state": "active", "pid": 4711, "expected": "required", "since": None}
    assert document["subsystems"]["IBM.LPRM"] == {
        "state": "inoperative", "pid": None, "expected": "on-demand", "since": None,
    }
    assert document["hmcs"] == [{
        "address": "10.1.1.1", "name": "7042-CR8*0612345", "node_id": "0a1b2c3d4e5f6071", "link": "up", "reachable": True,
        "in_band": False, "since": None, "answering_since": None,
    }]
    assert document["cluster"] == {
        "state": "absent", "recycle": "allowed", "recfgct": "allowed", "evidence": "lssrc shows no cluster subsystem active",
    }
    assert document["findings"] == [{
        "fault": "rmc-down", "side": "here", "since": "2026-05-04T11:58:28+00:00", "subject": "", "sources": ["lssrc-a"],
        "advice": "", "grave": True, "evidence": "ctrmc is inoperative, SRC_RSTRT in errpt at 11:58:01",
    }]
    assert document["decision"] == document["decisions"][0] == {
        "kind": "refuse", "remedy": "recycle", "because": "recycle is held: CAA is active", "unblock": "bring CAA down",
        "until": None, "shadow": False, "attempt": None, "fault": "rmc-down", "subject": "", "refused_by": ["cluster", "budget"],
        "refusals": [
            {"guard": "cluster", "because": "CAA is active (caavg_private on hdisk2)", "lasting": True, "until": None,
             "evidence_at": None, "unblock": "clmgr offline cluster NAME STOP_CAA=yes"},
            {"guard": "budget", "because": "recycle was begun 2 times within 24 h", "lasting": False, "unblock": "wait",
             "evidence_at": None, "until": "2026-05-04T12:02:28+00:00"},
        ],
    }
    assert document["log"] == {
        "bytes_per_second": None, "messages": {}, "side": "unknown", "var_full_seconds": None, "storm_bytes": 65536,
        "storm_seconds": 600.0,
    }


def test_the_rest_of_the_document_is_told_where_there_is_something_to_tell() -> None:
    growth = LogGrowth(12.5, 100, {"2613-021": 3}, side="hmc")
    seen = dataclasses.replace(SEEN, logs=Fact(How.SEEN, growth), gaps=(Gap("lspv", "timed out after 60 s"),))
    attempt = Attempt(7, Remedy.RECYCLE, Fault.RMC_DOWN, "", "E-3", NOON - MINUTE, "boot", "serial", outcome=Outcome.UNCHANGED)
    history = dataclasses.replace(
        STARTED, attempts=(attempt,), pause=Pause(NOON + MINUTE, "LPM week", "root"), known=(KnownHmc("10.1.1.1", last_up=NOON),),
    )

    document = documented(view(snapshot=seen, history=history))

    assert document["log"] == {
        "bytes_per_second": 12.5, "messages": {"2613-021": 3}, "side": "hmc", "noisy_bytes": 100, "skipped_bytes": 0,
        "var_full_seconds": None, "storm_bytes": 65536, "storm_seconds": 600.0,
    }
    assert document["gaps"] == [{"about": "lspv", "because": "timed out after 60 s"}]
    assert document["pause"] == {"until": "2026-05-04T12:01:28+00:00", "reason": "LPM week", "by": "root"}
    assert document["known_hmcs"][0]["last_up"] == "2026-05-04T12:00:28+00:00"
    assert document["attempts"] == [{
        "id": 7, "remedy": "recycle", "fault": "rmc-down", "subject": "", "episode": "E-3",
        "begun_at": "2026-05-04T11:59:28+00:00", "ended_at": None, "outcome": "unchanged", "shadow": False, "by": "agent",
        "because": "",
    }]


def test_moments_are_told_as_the_wall_clock_calls_them_now() -> None:
    summer = timezone(timedelta(hours=2))

    document = show.document(view(), SETTINGS, lambda moment: (moment + MINUTE).astimezone(summer), {})

    assert document["taken_at"] == "2026-05-04T14:01:28+02:00"


def test_extra_facts_never_replace_the_contract() -> None:
    document = documented(view(), schema=9, verdict="unknown", platform="aix")

    assert (document["schema"], document["verdict"], document["platform"]) == (1, "healthy", "aix")


def test_a_required_subsystem_that_was_not_seen_is_unknown() -> None:
    blind = dataclasses.replace(SEEN, subsystems=Fact(How.GAP, because="lssrc timed out"))

    document = documented(view(snapshot=blind))

    assert document["subsystems"]["ctrmc"] == {"state": "unknown", "pid": None, "expected": "required", "since": None}


def test_a_document_without_any_look_is_complete() -> None:
    document = documented(view("unknown", "the first look is not over", snapshot=None))

    assert (document["subsystems"], document["hmcs"], document["gaps"], document["decision"]["kind"]) == ({}, [], [], "rest")


def attempted(hours_ago: float, **more: Any) -> Attempt:
    return Attempt(1, Remedy.RECFGCT, Fault.NO_HMC, "", "E-1", NOON - timedelta(hours=hours_ago), "boot", **more)


@pytest.mark.parametrize("attempts, lost_at, spent", [
    ((), None, [0, 0]),
    ((attempted(1),), None, [1, 1]),
    ((attempted(24),), None, [0, 1]),                          # the window slides: 24 hours ago is out of it
    ((attempted(23.99), attempted(30)), None, [1, 2]),
    ((attempted(1, shadow=True),), None, [0, 0]),              # shadow attempts have a budget of their own
    ((attempted(1, by="finish"),), None, [0, 0]),              # to finish what was begun spends nothing
    ((), NOON - timedelta(hours=1), [1, 3]),                   # a lost ledger: all spent
    ((), NOON - timedelta(days=30), [0, 0]),                   # until the longest span has passed
])
def test_budgets_are_counted_as_their_guard_counts(attempts: Any, lost_at: Optional[datetime], spent: Any) -> None:
    history = dataclasses.replace(STARTED, attempts=attempts, spent_at=lost_at)

    budgets = documented(view(history=history))["budgets"]["recfgct"]

    assert [budget["spent"] for budget in budgets] == spent
    assert [(budget["times"], budget["span_seconds"]) for budget in budgets] == [(1, 86400.0), (3, 2592000.0)]


HOSTILE = st.text(alphabet=st.one_of(
    st.characters(), st.sampled_from("\x1b[2J\x07\r\n\t\x9b\u202e\u2028\u200b\ud800\U000e0041é\\\"ü")), max_size=60)


def printable(value: Any) -> bool:
    if isinstance(value, dict):
        return all(printable(item) for pair in value.items() for item in pair)
    if isinstance(value, list):
        return all(map(printable, value))
    return value.isprintable() and len(value) <= 10 * show.LONGEST_TEXT if isinstance(value, str) else True


@given(HOSTILE, HOSTILE)
def test_text_from_outside_reaches_neither_terminal_nor_json_unescaped(first: str, second: str) -> None:
    hmc = Hmc(first, second, link=Link.DOWN)
    seen = dataclasses.replace(
        SEEN, hmcs=(hmc,), gaps=(Gap(first, second),), subsystems=Fact(How.SEEN, {first: Subsystem(first, State.STARTING)}),
    )
    finding = dataclasses.replace(DOWN, evidence=first, subject=second, advice=first)
    decision = Decision(Kind.REFUSE, first, finding, Remedy.RECYCLE, (Refusal(first, second, first),), second)
    history = dataclasses.replace(STARTED, pause=Pause(NOON, first, second))
    hostile = view("degraded", first, snapshot=seen, findings=(finding,), decisions=(decision,), history=history)

    document = documented(hostile, why=[{"because": first, "at": second}])

    assert printable(document)
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    for text in (show.status_text(document), show.plan_text(document), show.why_text(document["why"])):
        assert all(" " <= letter <= "~" for letter in text.replace("\n", ""))
        assert max(map(len, text.splitlines())) <= 80


@given(HOSTILE)
def test_a_hostile_file_cannot_reach_the_terminal_unescaped_either(text: str) -> None:
    document = {"verdict": text, "because": text, "taken_at": text, "findings": [{"fault": text, "evidence": text}], "mode": text}

    screen = show.status_text(document)

    assert all(" " <= letter <= "~" for letter in screen.replace("\n", ""))


def test_escapes_tell_what_was_there() -> None:
    assert show.clean("a\x1b[2Jb\n\u202e\ud800") == "a\\x1b[2Jb\\x0a\\u202e\\ud800"
    assert show.clean("Größe 中") == "Größe 中"


def test_a_name_of_ten_kilobytes_is_cut() -> None:
    document = documented(view(snapshot=dataclasses.replace(SEEN, hmcs=(Hmc("10.0.0.1", "N" * 10_000),))))

    assert len(document["hmcs"][0]["name"]) == show.LONGEST_TEXT
    assert len(show.status_text(document).splitlines()) < 24
    assert len(show.status_text({"verdict": "healthy", "because": "x " * 100_000}).splitlines()) == show.LONGEST_PARAGRAPH


def test_what_json_cannot_say_is_null() -> None:
    for number in (float("inf"), float("nan")):
        seen = dataclasses.replace(SEEN, logs=Fact(How.SEEN, LogGrowth(number)))

        assert documented(view(snapshot=seen))["log"]["bytes_per_second"] is None


def test_a_thousand_gaps_do_not_make_a_thousand_lines() -> None:
    gaps = tuple(Gap(f"command {number}", "timed out") for number in range(1000))

    document = documented(view(snapshot=dataclasses.replace(SEEN, gaps=gaps)))

    assert len(document["gaps"]) == show.MOST_ROWS
    assert "and 249 more" in show.status_text(document)


# ---- the screen

HEALTHY = """\
* rmcagent: healthy: RMC runs and 1 of 1 HMC is connected
       Taken: 2026-05-04T12:00:28+00:00, 12 s ago; next look 12:01:28
    Required: ctrmc active (pid 4711), IBM.DRM active (pid 4712)
        HMCs: ADDRESS   NAME              LINK  REACHABLE
              10.1.1.1  7042-CR8*0612345  up    answers
     Cluster: absent; recycle allowed, recfgct allowed
Budgets left: per 24 h: refresh 12/12, start 6/6, manager 6/6, lparmgr 3/3,
              recycle 2/2, recfgct 1/1; per 30 d: recfgct 3/3
"""

NEEDS_HUMAN = """\
* rmcagent: needs-human: rmc-down has no remedy that may be applied
       Taken: 2026-05-04T12:00:28+00:00, 12 s ago; next look 12:01:28
    Required: ctrmc active (pid 4711), IBM.DRM active (pid 4712)
        HMCs: ADDRESS   NAME              LINK  REACHABLE
              10.1.1.1  7042-CR8*0612345  up    answers
     Cluster: absent; recycle allowed, recfgct allowed
    Findings: rmc-down since 11:58:28, cause here: ctrmc is inoperative,
              SRC_RSTRT in errpt at 11:58:01
        Next: rmc-down: refuse recycle
     Held by: cluster: CAA is active (caavg_private on hdisk2) -> clmgr offline
              cluster NAME STOP_CAA=yes
              budget: recycle was begun 2 times within 24 h (until 12:02:28)
       To do: bring CAA down
"""

PAUSED = """\
* rmcagent: paused: LPM week
       Taken: 2026-05-04T12:00:28+00:00, 12 s ago; next look 12:01:28
      Paused: until 2026-05-06T12:00:28+00:00, by root
"""

DEGRADED = """\
    Findings: rmc-down since 11:58:28, cause here: ctrmc is inoperative,
              SRC_RSTRT in errpt at 11:58:01
        Next: start is due at 12:01:28: rmc-down may pass on its own
"""

HEALING = """\
        Next: rmc-down: judge start until 12:02:28: start is not judged yet
"""

BLIND = """\
* rmcagent: blind: nothing could be observed since 11:48:28
       Taken: 2026-05-04T12:00:28+00:00, 12 s ago; next look 12:01:28
    Required: ctrmc unknown, IBM.DRM unknown
        HMCs: ADDRESS   LINK     REACHABLE
              10.1.1.1  unknown  not asked
     Cluster: unknown; recycle forbidden, recfgct forbidden: lssrc -a timed out
    Not told: lssrc -a: timed out after 20 s
"""

UNKNOWN = """\
* rmcagent: unknown: the first look is not over
       Taken: 2026-05-04T12:00:28+00:00, 12 s ago; next look 12:01:28
     Cluster: unknown; recycle forbidden, recfgct forbidden
"""


def golden_views() -> Dict[str, View]:
    wait = Decision(Kind.WAIT, "rmc-down may pass on its own", DOWN, Remedy.START, until=NOON + MINUTE)
    judge = Decision(Kind.JUDGE, "start is not judged yet", DOWN, Remedy.START, until=NOON + 2 * MINUTE)
    paused = dataclasses.replace(STARTED, pause=Pause(NOON + timedelta(days=2), "LPM week", "root"))
    blind = dataclasses.replace(
        SEEN, subsystems=Fact(How.GAP), hmcs=(Hmc("10.1.1.1"),), gaps=(Gap("lssrc -a", "timed out after 20 s"),),
    )
    return {
        HEALTHY: view(),
        NEEDS_HUMAN: refused(),
        PAUSED: view("paused", "LPM week", history=paused),
        DEGRADED: view("degraded", "rmc-down", findings=(DOWN,), decisions=(wait,)),
        HEALING: view("healing", "rmc-down", findings=(DOWN,), decisions=(judge,)),
        BLIND: view("blind", "nothing could be observed since 11:48:28", snapshot=blind,
                    cluster=ClusterVerdict(evidence=("lssrc -a timed out",))),
        UNKNOWN: view("unknown", "the first look is not over", snapshot=None, cluster=ClusterVerdict()),
    }


@pytest.mark.parametrize("golden", [HEALTHY, NEEDS_HUMAN, PAUSED, DEGRADED, HEALING, BLIND, UNKNOWN],
                         ids=["healthy", "needs-human", "paused", "degraded", "healing", "blind", "unknown"])
def test_the_screen_of_each_verdict(golden: str) -> None:
    document = show.as_of(documented(golden_views()[golden]), True, 12.3)

    assert golden in show.status_text(document)


def test_the_screen_of_an_agent_that_was_stopped() -> None:
    left = {"schema": 1, "verdict": "not-running", "version": "0.1.0", "taken_at": "2026-05-04T12:00:28+00:00"}

    assert show.status_text(show.as_of(left, None, 5000.0)) == (
        "* rmcagent: not-running: the daemon was stopped\n"
        "       Taken: 2026-05-04T12:00:28+00:00, 83 m ago\n"
        "       To do: start rmcagent\n"
    )


@pytest.mark.parametrize("alive, age", [(True, 900.0), (False, 5.0)])
def test_of_a_look_that_nobody_stands_behind_only_what_was_seen_is_told(alive: bool, age: float) -> None:
    wait = Decision(Kind.WAIT, "rmc-down may pass on its own", DOWN, Remedy.START, (BUDGET,), "wait", NOON + MINUTE)
    document = documented(view("degraded", findings=(DOWN,), decisions=(wait,)))

    text = show.status_text(show.as_of(document, alive, age))

    assert "      Beware: what follows was seen then; nothing of it is known to be so now\n" in text
    assert "Findings: rmc-down" in text
    assert not any(label in text for label in ("Next:", "Held by:", "Counting:", "next look"))


def test_the_screen_names_a_mode_that_does_not_act() -> None:
    shadow = show.document(view(), dataclasses.replace(SETTINGS, mode="shadow"), lambda moment: moment, {})

    assert "        Mode: shadow: decides and records, runs no remedy\n" in show.status_text(shadow)
    assert "Mode:" not in show.status_text(documented(view()))


def test_other_subsystems_are_named_only_while_they_change() -> None:
    rows = dict(ROWS, **{"IBM.HostRM": Subsystem("IBM.HostRM", State.STOPPING, pid=9)})

    text = show.status_text(documented(view(snapshot=dataclasses.replace(SEEN, subsystems=Fact(How.SEEN, rows)))))

    assert "IBM.HostRM stopping (pid 9)" in " ".join(text.split())
    assert "IBM.LPRM" not in text


@pytest.mark.parametrize("streak, age, said", [
    ({"about": "hung looks", "subject": "ctrmc", "count": 2, "of": 5, "unit": "looks"}, 12, "ctrmc hung looks 2/5"),
    ({"about": "link changes", "subject": "10.1.1.1", "count": 3, "of": 6, "unit": "changes", "span_seconds": 7200}, 12,
     "10.1.1.1 link changes 3/6 in 2 h"),
    ({"about": "grace", "subject": "rmc-down", "count": 180, "of": 300, "unit": "seconds"}, 12, "rmc-down grace 3 m of 5 m"),
    ({"about": "grace", "subject": "rmc-down", "count": 20, "of": 60, "unit": "seconds"}, 12, "rmc-down grace 32 s of 60 s"),
    ({"about": "grace", "subject": "rmc-down", "count": 50, "of": 60, "unit": "seconds"}, 40, "rmc-down grace 60 s of 60 s"),
])
def test_what_counts_towards_a_threshold_is_shown_over_it(streak: Dict[str, Any], age: float, said: str) -> None:
    text = show.status_text({"verdict": "degraded", "streaks": [streak], "age_seconds": age})

    assert f"    Counting: {said}\n" in text


def test_streaks_are_of_looks_links_and_graces() -> None:
    wait = Decision(Kind.WAIT, "rmc-down may pass on its own", DOWN, Remedy.START, until=NOON + MINUTE / 2)
    history = dataclasses.replace(
        STARTED, hung_looks=2, empty_looks=1, link_changes={"10.1.1.1": 3, "10.1.1.2": 0},
        sightings={"rmc-down": Sighting("rmc-down", NOON - MINUTE / 2)},
    )

    streaks = documented(view("degraded", decisions=(wait,), history=history))["streaks"]

    assert [(row["subject"], row["about"], row["count"], row["of"], row["unit"], row["span_seconds"]) for row in streaks] == [
        ("ctrmc", "hung looks", 2, 5, "looks", None),
        ("", "looks without an HMC", 1, 2, "looks", None),
        ("10.1.1.1", "link changes", 3, 6, "changes", 3600.0),
        ("rmc-down", "grace", 30.0, 60.0, "seconds", None),
    ]


def test_a_wait_for_something_else_is_no_grace() -> None:
    wait = Decision(Kind.WAIT, "start waits: start was done not long ago", DOWN, Remedy.START, until=NOON + 9 * MINUTE)
    history = dataclasses.replace(STARTED, sightings={"rmc-down": Sighting("rmc-down", NOON - MINUTE)})

    assert documented(view("degraded", decisions=(wait,), history=history))["streaks"] == []


def test_a_subsystem_that_should_run_tells_since_when_it_does_not() -> None:
    rows = dict(ROWS, **{"IBM.DRM": Subsystem("IBM.DRM", State.INOPERATIVE)})
    dead = Finding(Fault.MANAGER_DOWN, Side.HERE, "IBM.DRM is inoperative", subject="IBM.DRM", since=NOON - MINUTE)

    document = documented(view(snapshot=dataclasses.replace(SEEN, subsystems=Fact(How.SEEN, rows)), findings=(dead,)))

    assert "    Required: ctrmc active (pid 4711), IBM.DRM inoperative since 11:59:28\n" in show.status_text(document)


def test_a_link_that_is_not_up_tells_when_it_last_was() -> None:
    lost = dataclasses.replace(HMC, link=Link.DOWN, reachable=False)
    history = dataclasses.replace(STARTED, last_up={"10.1.1.1": NOON - 20 * MINUTE})

    text = show.status_text(documented(view(snapshot=dataclasses.replace(SEEN, hmcs=(lost,)), history=history)))

    assert "        HMCs: ADDRESS   NAME              LINK  REACHABLE  LAST UP\n" in text
    assert "              10.1.1.1  7042-CR8*0612345  down  silent     11:40:28\n" in text


def test_a_guard_that_goes_by_a_fact_of_its_own_tells_its_age() -> None:
    busy = Refusal("migration", "drmgr is running", "wait until the DLPAR operation is over")
    seen = dataclasses.replace(SEEN, busy=BusyFacts(migration=Fact(How.SEEN, "drmgr", at=NOON - MINUTE)))
    decision = Decision(Kind.WAIT, "recycle waits: drmgr is running", DOWN, Remedy.RECYCLE, (busy,))

    text = show.status_text(documented(view("degraded", snapshot=seen, decisions=(decision,))))

    assert "     Held by: migration: drmgr is running (as of 11:59:28) -> wait until the" in text


def test_how_the_log_grows_is_told_with_whose_it_is_and_when_it_fills_var() -> None:
    growth = LogGrowth(2185.8, 1 << 20, {"2613-021": 9, "2610-415": 40, "2613-023": 1, "2613-027": 2}, side="hmc",
                       var_full_in=timedelta(hours=30))
    seen = dataclasses.replace(SEEN, logs=Fact(How.SEEN, growth), var=Fact(How.SEEN, Space("/var", 1000, 250)))

    text = " ".join(show.status_text(documented(view(snapshot=seen))).split())

    assert "Log: grows 2 KiB/s, cause at the HMC, 2610-415 x40, 2613-021 x9, 2613-027 x2, /var 75% full, full in 30 h" in text
    assert "Log: quiet\n" in show.status_text({"verdict": "healthy", "log": {"bytes_per_second": 0.2}})


@pytest.mark.parametrize("lines, events", [(1, 3), (21, 3), (22, 2), (23, 1), (24, 1)])
def test_of_the_last_events_as_many_are_shown_as_the_screen_has_room_for(lines: int, events: int) -> None:
    rows = [{"about": f"command {number}"} for number in range(8)]      # a line each
    filled = {"findings": [{"fault": "x"}] * min(lines - 1, 8), "gaps": rows[:max(lines - 9, 0)],
              "decisions": [{"kind": "escalate", "fault": "x"}] * max(lines - 17, 0)}
    told = [{"at": f"12:00:0{number}", "code": "RMCA2001W", "text": "problem found"} for number in range(5)]

    before = show.status_text({"verdict": "degraded", **filled})
    text = show.status_text({"verdict": "degraded", **filled, "events": told})

    assert before.count("\n") == lines
    assert text.startswith(before) and text.count("RMCA2001W") == events
    assert text.endswith("12:00:04 RMCA2001W problem found\n")


def test_the_verdict_alone_is_coloured_and_colour_changes_no_width() -> None:
    document = documented(view("degraded", "x " * 60))

    plain, coloured = show.status_text(document), show.status_text(document, colour=True)

    assert coloured.startswith("* \x1b[33mrmcagent: degraded\x1b[0m: x x")
    assert coloured.replace("\x1b[33m", "").replace("\x1b[0m", "") == plain


@given(st.integers(-5, 200))
def test_no_line_exceeds_the_columns(columns: int) -> None:
    document = documented(refused())

    widest = max(len(line) for line in show.status_text(document, columns).splitlines())

    assert widest <= max(columns, show.NARROWEST)


def test_a_screen_never_fails_for_what_another_version_left_out() -> None:
    for key in documented(refused()):
        document = documented(refused())
        del document[key]

        assert show.status_text(document).startswith("* rmcagent: ")
        assert show.plan_text(document).startswith("* plan: ")


# ---- plan and why

def test_a_plan_begins_with_what_would_be_done() -> None:
    apply = Decision(Kind.APPLY, "start is due: ctrmc is inoperative", DOWN, Remedy.START)
    shadow = dataclasses.replace(apply, shadow=True)

    heads = [show.plan_text(documented(shown)).splitlines()[0] for shown in (
        view(), view("degraded", decisions=(apply,)), view("degraded", decisions=(shadow,)), refused(),
        view("unknown", "rmcdomainstatus timed out"),
    )]

    assert heads == [
        "* plan: nothing to do: RMC runs and 1 of 1 HMC is connected",
        "* plan: apply start: start is due: ctrmc is inoperative",
        "* plan: apply start, in shadow only: start is due: ctrmc is inoperative",
        "* plan: refuse recycle: CAA is active (caavg_private on hdisk2)",
        "* plan: cannot tell: rmcdomainstatus timed out",
    ]


def test_a_remedy_to_run_by_hand_is_no_advice_while_the_agent_has_it_in_hand() -> None:
    down = dataclasses.replace(DOWN, advice="as root: rmcctrl -A, then rmcctrl -p")
    due = Decision(Kind.WAIT, "start is next", down, Remedy.START, (CLUSTER,))
    never = Decision(Kind.ESCALATE, "every remedy was tried", down)

    held, left = (show.status_text(documented(view("degraded", findings=(down,), decisions=(one,)))) for one in (due, never))

    assert "rmcctrl -A" not in held
    assert "-> as root: rmcctrl -A" in " ".join(left.split())


def test_every_decision_but_the_leading_one_is_told_besides() -> None:
    escalate = Decision(Kind.ESCALATE, "every remedy was tried", DOWN, unblock="look into /var/ct/IW/log/mc")
    other = dataclasses.replace(DOWN, fault=Fault.MANAGER_DOWN, subject="IBM.DRM")
    decisions = (escalate, Decision(Kind.APPLY, "manager is due", other, Remedy.MANAGER))

    text = show.status_text(documented(view("needs-human", decisions=decisions)))

    assert "        Next: rmc-down: a human is needed: every remedy was tried\n" in text
    assert "       To do: look into /var/ct/IW/log/mc\n" in text
    assert "     Besides: manager-down IBM.DRM: apply manager: manager is due\n" in text


def test_a_crash_loop_is_shown_where_nothing_else_is_wrong() -> None:
    looping = dataclasses.replace(view("healthy"), history=dataclasses.replace(view("healthy").history, crash_loop=True))

    assert "        Held: no remedy begins: the agent itself crashed repeatedly" in show.status_text(documented(looping))


def test_a_maintenance_file_is_shown_where_nothing_else_is_wrong() -> None:
    held = documented(view(snapshot=dataclasses.replace(SEEN, maintenance=True)))

    told = " ".join(show.status_text({**held, "config": "/etc/rmcagent/rmcagent.yaml"}).split())

    assert "Held: no remedy begins: a file `maintenance` stands beside the configuration" in told
    assert "-> remove /etc/rmcagent/maintenance Required:" in told
    assert "Held:" not in show.status_text(documented(view()))


@pytest.mark.parametrize("decision, said", [
    (Decision(Kind.WAIT, "so", DOWN, Remedy.START, until=NOON + MINUTE), "start is due at 12:01:28"),
    (Decision(Kind.WAIT, "so", DOWN, Remedy.START), "start waits"),
    (Decision(Kind.WAIT, "so", DOWN, Remedy.START, (CLUSTER, BUDGET), until=NOON + MINUTE), "start is held until 12:01:28"),
    (Decision(Kind.WAIT, "so", DOWN, Remedy.START, (CLUSTER,)), "start is held"),
    (Decision(Kind.WAIT, "so", DOWN, Remedy.RECYCLE, (Refusal("splay", "its turn", "wait"),), until=NOON + MINUTE),
     "recycle is due at 12:01:28"),
    (Decision(Kind.WAIT, "so", DOWN, Remedy.START, until=NOON + MINUTE, attempt=3), "start is judged at 12:01:28"),
    (Decision(Kind.WAIT, "so", DOWN, Remedy.START, attempt=3, shadow=True), "start is under way, in shadow only"),
    (Decision(Kind.ESCALATE, "so", DOWN, until=NOON + MINUTE), "a human is needed; tried again at 12:01:28"),
])
def test_what_comes_next_reads_as_no_order(decision: Decision, said: str) -> None:
    text = show.plan_text(documented(view("degraded", decisions=(decision,))))

    assert text.startswith(f"* plan: {said}: ")


def test_what_an_operator_stopped_can_be_kept_so() -> None:
    stopped = dataclasses.replace(DOWN, fault=Fault.RMC_STOPPED)
    due = Decision(Kind.WAIT, "start is next", stopped, Remedy.START, until=NOON + MINUTE)
    never = Decision(Kind.ESCALATE, "the policy never starts it again", stopped)

    text, other = (show.status_text(documented(view("degraded", decisions=(one,)))) for one in (due, never))

    assert "       To do: to keep it stopped: rmcagent pause --for 8h --reason WHY\n" in text
    assert "to keep it stopped" not in other


def test_advice_for_the_policy_names_its_file_and_what_makes_it_count() -> None:
    observing = Refusal("observe", "the policy only observes", "mode: act", lasting=True)
    decision = Decision(Kind.REFUSE, "start is held", DOWN, Remedy.START, (observing,), "mode: act")
    document = {**documented(view("needs-human", decisions=(decision,))), "config": "/etc/rmcagent/rmcagent.yaml"}

    text = " ".join(show.status_text(document).split())

    assert "-> mode: act in /etc/rmcagent/rmcagent.yaml, then rmcagent reload" in text
    assert text.count("mode: act") == 1


def test_a_remedy_that_outlasts_its_finding_is_told_by_itself() -> None:
    settles = Decision(Kind.WAIT, "start (attempt 3) settles before it is judged", None, Remedy.START, attempt=3)

    text = show.status_text(documented(view("healing", decisions=(settles,))))

    assert "        Next: start is under way: start (attempt 3) settles before it is judged\n" in text


ENTRY = {
    "at": "2026-05-04T12:00:28+00:00", "episode": "E-12", "kind": "refuse", "fault": "link-down", "subject": "",
    "remedy": "recycle", "evidence": "both HMCs are O", "because": "recycle is held", "unblock": "bring CAA down",
    "refused_by": [{"guard": "cluster", "because": "CAA is active", "unblock": "clmgr offline cluster"}],
    "alternatives": ["refresh: refuse, refresh was tried"],
}

WHY = """\
* 2026-05-04T12:00:28+00:00 E-12 link-down refuse recycle: recycle is held
    Evidence: both HMCs are O
     Held by: cluster: CAA is active -> clmgr offline cluster
       To do: bring CAA down
Alternatives: refresh: refuse, refresh was tried
"""


def test_why_explains_the_last_decision() -> None:
    assert show.why_text([dict(ENTRY, episode="E-11"), ENTRY]) == WHY


def test_why_explains_every_decision_of_an_episode() -> None:
    entries = [dict(ENTRY, episode="E-11"), ENTRY, ENTRY]

    assert show.why_text(entries, "E-12") == WHY + "\n" + WHY
    assert show.why_text(entries, "E-13") == show.why_text([]) == ""


def current(kind: str = "wait", **more: Any) -> Dict[str, Any]:
    decision = {"kind": kind, "remedy": "start", "fault": "rmc-stopped", "subject": "", "because": "start is next",
                "until": "2026-05-04T14:00:28+00:00", "unblock": "", "refusals": [], **more}
    return {"verdict": "degraded", "taken_at": "2026-05-04T12:00:28+00:00", "episode": "E-13", "decisions": [decision],
            "findings": [{"fault": "rmc-stopped", "subject": "", "evidence": "errpt shows that RMC was stopped"}], "why": [ENTRY]}


def why_now(document: Dict[str, Any]) -> str:
    return show.why_text(show.why_entries(document))


def test_why_tells_the_decision_that_stands_where_none_was_written() -> None:
    assert why_now(current()).startswith(
        "* 2026-05-04T12:00:28+00:00 E-13 rmc-stopped start is due at 14:00:28: start is\n  next\n"
        "    Evidence: errpt shows that RMC was stopped\n")
    shadow = " ".join(why_now(current(shadow=True, attempt=9)).split())
    blind = why_now({"verdict": "blind", "because": "lssrc hangs", "decisions": [{"kind": "rest"}], "taken_at": "then"})
    assert "start is judged at 14:00:28, in shadow only" in shadow and "keep it stopped" not in shadow
    assert blind == "* then rest: lssrc hangs\n       To do: rmcagent doctor\n"


@pytest.mark.parametrize("document", [
    {"advice": "start rmcagent"},                                      # nobody decides any more
    {"why": [{**ENTRY, "episode": "E-13", "fault": "rmc-stopped"}]},   # it was written
    {"decisions": [{"kind": "rest"}]},
])
def test_why_tells_what_was_written_where_nothing_else_stands(document: Dict[str, Any]) -> None:
    entries = show.why_entries({**current(), **document})

    assert len(entries) == 1 and "now" not in entries[0]


def test_an_episode_that_is_over_says_so() -> None:
    gone = {"at": "2026-05-04T12:30:00+00:00", "code": "RMCA2002N", "text": "problem gone fault=link-down episode=E-12"}
    over = {"verdict": "healthy", "decision": {"kind": "rest"}, "episode": None, "why": [ENTRY]}

    assert why_now({**over, "events": [gone]}).startswith("* over since 12:30:00: 2026-05-04T12:00:28+00:00 E-12 link-down")
    assert why_now(over).startswith("* over: 2026-05-04T12:00:28+00:00 E-12 link-down")
    assert why_now({**over, "episode": "E-12"}) == why_now({**over, "advice": "start rmcagent"}) == WHY


def test_what_was_cut_ends_in_dots() -> None:
    text = " ".join(show.why_text([{**ENTRY, "because": "b" * 500, "alternatives": ["refresh: refuse, " + "c" * 283]}]).split())

    assert text.count("...") == 2 and "ccc... " in f"{text} " and "b" * 60 in text


@pytest.mark.parametrize("alternative, said", [
    ("recycle: wait, recycle waits: it is not judged yet", ""),          # of what was decided nothing else is said
    ("start: wait, tried before and judged unchanged (1); start is due: so", "start: tried before and judged unchanged (1)"),
    ("start: wait, rmc-down may pass on its own; start is next", "start: wait, rmc-down may pass on its own"),
    ("start: wait, start waits: rpm is running", "start: wait, rpm is running"),
    ("start: refuse, start is held: it is off", "start: refuse, it is off"),
    ("start", "start: , "),
])
def test_an_alternative_does_not_argue_with_itself(alternative: str, said: str) -> None:
    text = show.why_text([{**ENTRY, "alternatives": [alternative]}])

    assert text.partition("Alternatives: ")[2].rstrip("\n") == said.rstrip()


def test_what_is_counted_in_shadow_says_so() -> None:
    def text(**more: Any) -> str:
        settings = config.parse(f"mode: {more.pop('mode', 'act')}\n").settings
        document = show.document(view("needs-human", **more), settings, lambda moment: moment, {})
        return " ".join(show.status_text(document).split())

    tried = Attempt(1, Remedy.LPARMGR, Fault.LPARMGR_STUCK, "", "E-1", NOON - MINUTE, "boot", "x", shadow=True)
    spent = Decision(Kind.ESCALATE, "every remedy was tried", DOWN, refused_by=(BUDGET,))

    shadow, act = text(mode="shadow", decisions=(spent,)), text(history=dataclasses.replace(STARTED, attempts=(tried,)))

    assert "Budgets left: in shadow, per 24 h: refresh 12/12," in shadow
    assert "every remedy was tried (in shadow: none is run)" in shadow
    assert "Held by: in shadow, budget: recycle was begun 2 times" in shadow
    assert "Budgets left: per 24 h: refresh 12/12," in act and "lparmgr 2/3 in shadow, recycle 2/2," in act


def test_what_forbids_recfgct_is_told_and_not_what_speaks_for_recycle() -> None:
    rows = dict(ROWS, ctrmc=Subsystem("ctrmc", State.INOPERATIVE, "rsct"))
    down = dataclasses.replace(SEEN, subsystems=Fact(How.SEEN, rows))
    known = ClusterVerdict("absent", True, False, ("ct_clusterinfo -c says IW",))

    evidence = documented(view(snapshot=down, cluster=known))["cluster"]["evidence"]

    assert evidence == "RMC is down or silent, and without its word no peer domain is ruled out"
    assert documented(view(snapshot=down, cluster=dataclasses.replace(known, state="present")))["cluster"]["evidence"] \
        == "ct_clusterinfo -c says IW"


# ---- exit codes

LOOK = {"look_seconds": 60.0, "timeout_seconds": 20.0}


@pytest.mark.parametrize("verdict, alive, age, code", [
    ("healthy", True, 0.0, 0),
    ("healthy", True, 200.0, 0),                  # three looks and one time-out
    ("healthy", True, 200.1, 4),
    ("healthy", True, -200.1, 4),                 # from the future
    ("healthy", True, None, 4),
    ("healthy", None, 1.0, 0),                    # whether it lives cannot be told: its looks are fresh
    ("healthy", False, 1.0, 1),
    ("needs-human", False, 9999.0, 1),
    ("not-running", True, 1.0, 3),
    ("not-running", False, 9999.0, 3),            # a clean stop
    ("unknown", True, 1.0, 4),
    ("degraded", True, 1.0, 150),
    ("healing", True, 1.0, 150),
    ("needs-human", True, 1.0, 151),
    ("paused", True, 1.0, 152),
    ("blind", True, 1.0, 153),
    ("needs-human", True, 900.0, 4),
    ("splendid", True, 1.0, 4),                   # a verdict of another version
])
def test_the_exit_codes_of_status(verdict: str, alive: Optional[bool], age: Optional[float], code: int) -> None:
    assert show.status_code({"verdict": verdict, **LOOK}, alive, age) == code


def test_status_without_a_document_is_not_running() -> None:
    assert show.status_code(None, None, None) == 3


def test_a_document_nobody_stands_behind_is_not_passed_on_as_the_present() -> None:
    document = {"verdict": "healthy", "because": "all well", "pid": 4711, "next_look": "2026-05-04T12:01:28+00:00", **LOOK}

    dead, old, good = show.as_of(document, False, 5.0), show.as_of(document, True, 900.0), show.as_of(document, True, 5.4)

    assert (dead["verdict"], dead["because"]) == ("not-running", "the daemon (pid 4711) ended without a clean stop")
    assert dead["next_look"] is None
    assert (old["verdict"], old["age_seconds"]) == ("unknown", 900)
    assert good == dict(document, age_seconds=5)


@pytest.mark.parametrize("kinds, verdict, code", [
    (["rest"], "healthy", 0),
    (["rest"], "paused", 0),
    (["wait"], "degraded", 10),
    (["apply"], "degraded", 10),
    (["judge"], "healing", 10),
    (["refuse"], "needs-human", 11),
    (["escalate"], "needs-human", 11),
    (["rest"], "unknown", 13),
    (["rest"], "blind", 13),
    (["wait"], "unknown", 10),                    # a fault that is seen outweighs what could not be told
    (["refuse", "apply"], "degraded", 11),        # the gravest first
    (["apply", "escalate"], "degraded", 10),
    (["ponder"], "healthy", 13),
])
def test_the_exit_codes_of_plan(kinds: Any, verdict: str, code: int) -> None:
    decisions = [{"kind": kind} for kind in kinds]

    assert show.plan_code({"verdict": verdict, "decision": decisions[0], "decisions": decisions}) == code


@pytest.mark.parametrize("kinds, daemon, code, head", [
    (["wait", "escalate"], {}, 11, "* plan: a human is needed"),       # an attempt is under way beside it
    (["rest"], {"fresh": True, "verdict": "needs-human", "because": "RMC hangs"}, 11, "* plan: a human is needed: RMC hangs"),
    (["rest"], {"fresh": False, "verdict": "not-running", "because": "it ended"}, 0, "* plan: nothing to do"),
    (["rest"], {"fresh": True, "verdict": "healthy", "because": "so"}, 0, "* plan: nothing to do"),
])
def test_a_plan_never_says_less_than_a_daemon_that_has_seen_more(kinds: Any, daemon: Any, code: int, head: str) -> None:
    decisions = [{"kind": kind, "fault": "rmc-down", "attempt": 4 if kind == "wait" else None} for kind in kinds]
    document = {"verdict": "healthy", "decisions": decisions, "daemon": daemon}

    assert show.plan_code(document) == code
    assert show.plan_text(document).splitlines()[0].startswith(head)


@pytest.mark.parametrize("daemon, said", [
    ({"fresh": False, "verdict": "not-running", "because": "the daemon (pid 4) ended without a clean stop"},
     "Daemon: the daemon (pid 4) ended without a clean stop: nobody does this, and times are counted from this look,"),
    ({"fresh": True, "verdict": "degraded", "because": "hung for two looks"},
     "Daemon: rmcagent status says degraded: hung for two looks; this is one look more, and cannot"),
    ({"fresh": True, "verdict": "healthy", "because": "RMC runs"}, ""),
    ({}, ""),
])
def test_a_plan_tells_of_a_daemon_that_is_dead_or_says_otherwise(daemon: Any, said: str) -> None:
    text = " ".join(show.plan_text({"verdict": "healthy", "decision": {"kind": "rest"}, "daemon": daemon}).split())

    assert said in text
    assert ("Daemon:" in text) == bool(said)


def test_a_plan_that_came_to_nothing_cannot_tell() -> None:
    assert show.plan_code(None) == show.plan_code({}) == 13
