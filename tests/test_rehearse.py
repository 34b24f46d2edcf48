"""`rehearse`: what is asked for is played, told in 80 columns and in JSON, drawn, and judged."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List, Tuple
from xml.etree import ElementTree

import pytest

from rmcagent import cli, config
from rmcagent.picture import looks
from rmcagent.reason import guards
from rmcagent.report import EVENTS, Event
from rmcagent.report.kept import Record, Row
from rmcagent.show.history.timeline import picture
from rmcagent.sim.clock import NEW_YEAR
from rmcagent.sim.rehearsal import reading, rehearse
from rmcagent.sim.rehearsal.audit import Auditor, Breach
from rmcagent.sim.rehearsal.outcome import chart, fleet, told
from rmcagent.sim.rehearsal.outcome.tally import Tally, problems
from rmcagent.sim.rehearsal.rehearse import NAMES, Bar, main
from rmcagent.sim.rehearsal.run import Told
from rmcagent.sim.rehearsal.scenarios import SCENARIOS
from rmcagent.sim.rehearsal.script import Script

Capture = pytest.CaptureFixture[str]
Played = Tuple[str, str, Dict[str, Any]]
DEFAULTS = config.parse("{}", "")
SHADOW = config.parse("mode: shadow")
NO_SPLAY = config.parse("guards: {splay: 0s}")
CLUSTER = """name: in a cluster
hmcs: [192.0.2.21, 192.0.2.22]
for: 3h
happens:
- {at: 10m, do: stick-session, mended-by: recycle}
- {at: 30m, do: start-caa}
"""

CRASH_ON_AIX = """name: a crash on AIX
platform: aix
for: 2h
happens:
- {at: 1h, do: crash}
"""


def rehearsed(*argv: str, policy: config.Loaded = DEFAULTS) -> Tuple[int, str]:
    said: List[str] = []
    words = iter(argv)
    options = {word: "" if word in ("--json", "--list", "--stuck") else next(words) for word in words}
    code = main(options, policy, "/etc/rmcagent/rmcagent.yaml", 80, said.append, io.StringIO())
    return code, "".join(said)


def document(*argv: str, policy: config.Loaded = DEFAULTS) -> Dict[str, Any]:
    code, text = rehearsed(*argv, "--json", policy=policy)
    found: Dict[str, Any] = json.loads(text)
    assert code == 0
    return found


def written(folder: Path, text: str, name: str = "mine.yaml") -> str:
    path = folder / name
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


# -- one


@pytest.fixture(scope="module")
def in_cluster(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """A recycle that is refused in a cluster: as text, as a picture, and as JSON."""
    folder = tmp_path_factory.mktemp("cluster")
    path, picture = written(folder, CLUSTER), folder / "day.svg"
    code, text = rehearsed("--script", path, "--svg", str(picture))
    assert code == 0
    return text, picture.read_text(), document("--script", path)


def test_a_rehearsal_is_told_from_happenings_to_the_worst_case_in_80_columns_of_ascii(in_cluster: Played) -> None:
    text = in_cluster[0]

    lines = text.splitlines()
    assert all(len(line) <= 80 and line.isascii() and line == line.rstrip() for line in lines)
    order = [text.index(part) for part in (
        "in a cluster, seed 1: 0.125 days on aix", "policy: the built-in defaults: no", "* stick-session mended-by=recycle",
        "RMCA2001W problem found link-down", "RMCA3001N remedy begun refresh", "* start-caa", "RMCA3004W refused recycle cluster",
        "remedies begun: refresh 1", "still there at the end: link-down 1", f"None of the {len(NAMES)} invariants was broken.",
        "The most that this policy allows")]
    assert lines[0].startswith("in a cluster") and order == sorted(order)


def test_what_helps_is_told_to_its_end_though_the_evidence_is_cut(in_cluster: Played) -> None:
    text, _, found = in_cluster

    refusal = next(event for event in found["timeline"] if event.get("code") == "RMCA3004W")
    told_of = " ".join(text.split())
    assert refusal["because"] not in told_of and "..." in told_of
    assert f"what helps: {refusal['unblock']}" in told_of


def test_what_helps_has_room_of_its_own_however_long_the_evidence_is() -> None:
    evidence, step = " ".join(f"seen{n}" for n in range(300)), " ".join(f"do{n}" for n in range(120))
    played: Any = SimpleNamespace(script=Script("", ()), happened=[],
                                  told=[event(1.0, "RMCA3004W", because=evidence, unblock=step)])

    lines = told.timeline(played, 40)

    assert f"what helps: {step}" in " ".join(" ".join(lines).split())
    assert sum("seen" in line for line in lines) == told.MOST_LINES


def test_the_document_tells_what_happened_what_was_told_and_what_was_rehearsed(in_cluster: Played) -> None:
    found = in_cluster[2]

    timeline = found["timeline"]
    happened = [(row["at"], row["happens"]) for row in timeline if "happens" in row]
    assert found["schema"] == 1 and found["scenario"] == "in a cluster" and found["breaches"] == 0
    assert happened == [(600.0, "stick-session"), (1800.0, "start-caa")]
    assert sum(row.get("code") == "RMCA3001N" for row in timeline) == sum(found["begun"].values()) == 1
    assert [row["at"] for row in timeline] == sorted(row["at"] for row in timeline)
    assert found["policy"] == {"file": None, "hash": DEFAULTS.hash, "mode": "act"}
    assert set(found["worst"]) and found["invariants"] == list(NAMES) and found["still_open"] == {"link-down": 1}


def test_the_picture_draws_the_cluster_from_its_absence_and_counts_the_deeds(in_cluster: Played) -> None:
    picture = in_cluster[1]

    drawn = ElementTree.fromstring(picture)
    words = " ".join(drawn.itertext())
    assert drawn.tag.endswith("svg") and "HMC 192.0.2.21" in words and "the agent says" in words
    assert "cluster: absent" in words and "cluster: active" in words
    assert "refresh" in words and "refused" in words


@pytest.mark.parametrize("code, kind", looks.MARKS.items())
def test_an_event_is_the_same_mark_in_a_rehearsal_as_in_history(code: str, kind: str) -> None:
    here = event(60.0, code, remedy="recycle", fault="link-down")
    played: Any = SimpleNamespace(zero=NEW_YEAR, now=3600.0, told=[here])
    kept = Row(NEW_YEAR, code, "x", here.event.fields)

    drawn = chart.Film(played).picture("one"), picture(Record((kept,)), None, NEW_YEAR)

    assert code in EVENTS and all(f"<title>{kind} at " in svg for svg in drawn)


def test_the_same_seed_is_the_same_rehearsal_and_another_is_not() -> None:
    first, again, other = (document("--scenario", "ctrmc-dies", "--seed", seed, "--for", "6h") for seed in "334")

    assert first == again and first["timeline"] != other["timeline"]


def test_on_aix_it_is_the_same_rehearsal_in_every_time_zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, told = written(tmp_path, CRASH_ON_AIX), []
    for zone in ("UTC0", "EST5EDT", "IST-5:30"):
        with monkeypatch.context() as here:
            here.setenv("TZ", zone)
            time.tzset()
            try:
                told.append(document("--script", path))
            finally:
                here.undo()
                time.tzset()

    assert told[1:] == told[:1] * 2 and "SRC logged its abnormal end" in json.dumps(told[0])


def test_what_was_armed_is_told_again_when_it_happens(tmp_path: Path) -> None:
    path = written(tmp_path, "for: 1h\nhappens:\n- {at: 1m, do: kill-in-remedy, after: 2}\n- {at: 2m, do: caa-upon}\n"
                             "- {at: 9m, do: crash}\n")

    timeline = document("--script", path)["timeline"]

    happened = {row["happened"]: row["at"] for row in timeline if "happened" in row}
    begun = next(row["at"] for row in timeline if row.get("code") == "RMCA3001N")
    assert set(happened) == {"CAA starts here as lsrpdomain is asked", "the agent is killed amid start"}
    assert happened["CAA starts here as lsrpdomain is asked"] > 120.0
    assert begun < happened["the agent is killed amid start"] < begun + 60


def test_in_shadow_what_would_have_been_done_is_counted(tmp_path: Path) -> None:
    path = written(tmp_path, "for: 30m\nhappens:\n- {at: 10m, do: crash}\n")

    text, found = rehearsed("--script", path, policy=SHADOW)[1], document("--script", path, policy=SHADOW)

    assert found["begun"] == {} and found["would_have"]["start"] >= 1
    assert f"would have: start {found['would_have']['start']}" in text


def test_seed_and_for_take_the_place_of_a_scripts_own(tmp_path: Path) -> None:
    path = written(tmp_path, "name: mine\nplatform: linux\nseed: 4\nfor: 2d\nhappens:\n- {at: 10m, do: crash}\n")

    code, text = rehearsed("--script", path, "--seed", "9", "--for", "1h")

    assert code == 0 and text.startswith("mine, seed 9: 0.0416667 days on linux") and "RMCA3002N" in text
    with pytest.raises(rehearse.Mistaken, match="cannot do crash then: it is later than the end, write a longer for"):
        rehearsed("--script", path, "--for", "5m")


# -- all, and many


def test_without_a_name_every_scenario_is_played_a_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    few = {name: SCENARIOS[name] for name in ("quiet", "ctrmc-dies", "firewall-closed")}
    monkeypatch.setattr(rehearse, "SCENARIOS", few)

    code, text = rehearsed("--for", "3h")
    shadow = rehearsed("--for", "3h", policy=SHADOW)[1]

    assert code == 0 and re.findall(r"^([a-z-]+)  +", text, re.MULTILINE)[:3] == list(few)
    assert re.search(r"^quiet +nothing done$", text, re.MULTILINE) and re.search(r"^ctrmc-dies +start \d", text, re.MULTILINE)
    assert re.search(r"^ctrmc-dies +nothing done; would have: start \d", shadow, re.MULTILINE)
    assert "3 rehearsals, 0.375 virtual days" in text


def test_many_runs_take_every_scenario_in_turn_and_a_mix_between(monkeypatch: pytest.MonkeyPatch) -> None:
    played: List[Script] = []

    class Spied(Tally):
        def add(self, rehearsal: Any, *others: Any) -> None:
            played.append(rehearsal.script)
            super().add(rehearsal, *others)

    monkeypatch.setattr(rehearse, "Tally", Spied)
    code, text = rehearsed("--runs", "4", "--seed", "7", "--for", "3h")

    names = list(SCENARIOS)
    assert [script.name for script in played] == ["mix", names[0], "mix", names[1]]
    assert [script.seed for script in played] == [7, 8, 9, 10]
    assert code == 0 and "4 rehearsals, 0.5 virtual days" in text


def test_the_list_tells_scenarios_and_happenings_with_what_each_takes() -> None:
    code, text = rehearsed("--list")
    found = document("--list")

    assert code == 0 and all(f"\n{name}" in f"\n{text}" for name in SCENARIOS)
    told_of = " ".join(text.split())
    assert "none: nothing done here mends it. Takes hmc (all), mended-by (recycle)." in told_of
    assert "fill-var /var is that full. Takes share (needed)." in told_of
    assert not re.search(r"^[a-z-]*_", text, re.MULTILINE) and "until end-storm" in told_of
    assert found["scenarios"]["quiet"] == SCENARIOS["quiet"].shows
    assert found["happenings"]["kill-in-remedy"]["takes"] == {"after": "1", "again": "5", "helper": "false"}


# -- what is broken


@pytest.fixture
def unguarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent that recycles in a cluster."""
    monkeypatch.setattr(guards, "GUARDS", tuple(guard for guard in guards.GUARDS if guard is not guards.clustered))


def test_a_broken_invariant_ends_with_20_and_the_command_that_breaks_it_again(unguarded: None, tmp_path: Path,
                                                                              capsys: Capture) -> None:
    script, policy = written(tmp_path, CLUSTER, "my own.yaml"), written(tmp_path, "guards: {splay: 1m}\n", "new policy.yaml")

    code = cli.main(["rehearse", "--script", script, "--policy", policy, "--seed", "5"])

    text = capsys.readouterr().out
    again = re.findall(r"^ +rmcagent (rehearse .*)$", text, re.MULTILINE)[0]
    assert code == 20 and "BROKEN" in text and "never in a cluster: " in text
    assert shlex.split(again) == ["rehearse", "--script", script, "--seed", "5", "--policy", policy]
    assert cli.main(shlex.split(again)) == 20


def test_one_of_many_runs_is_told_with_the_command_that_breaks_it_alone(unguarded: None) -> None:
    code, text = rehearsed("--scenario", "vios-ssp", "--runs", "2", "--seed", "2", "--for", "2h", "--json")

    broken = json.loads(text)["broken"]
    assert code == 20 and broken
    again = shlex.split(broken[0]["again"])
    assert again[:4] == ["rmcagent", "rehearse", "--scenario", "vios-ssp"] and again[-2:] == ["--for", "2h"]
    assert rehearsed(*again[2:])[0] == 20


def test_a_fleet_that_breaks_an_invariant_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    class Strict(Auditor):
        def end(self) -> None:
            self.breaches.append(Breach(60.0, "never_in_a_cluster", "as this test says"))

    monkeypatch.setattr(rehearse, "Auditor", Strict)

    code, text = rehearsed("--fleet", "2", "--hmcs", "3")

    assert code == 20 and "never in a cluster: as this test says" in text
    assert "\n    rmcagent rehearse --fleet 2 --hmcs 3\n" in text


def test_of_many_breaches_the_first_are_shown_and_the_others_counted() -> None:
    tally = Tally()
    tally.breaches = 112
    tally.broken = [told.Broken("rmcagent rehearse", Breach(1.0, "a_rule", "why"))] * 100

    lines = told.invariants(tally, NAMES, 80)

    assert sum("a rule: why" in line for line in lines) == told.MOST_BROKEN
    assert lines[-1] == f"  and {112 - told.MOST_BROKEN} times more"


# -- a fleet


def test_when_an_hmc_restarts_no_partition_of_the_fleet_acts() -> None:
    found = document("--fleet", "4", "--hmcs", "3")

    assert found["remedies"] == {} and found["connected"] == 4 and found["breaches"] == 0


def test_splay_spreads_a_fleet_that_would_act_within_a_minute_without_it() -> None:
    """The second fleet is the control: what the first shows is splay's doing."""
    spread, in_step = [], []
    for policy, begun in ((DEFAULTS, spread), (NO_SPLAY, in_step)):
        bill = rehearse.Playbill({"--fleet": "4"}, policy, "", Bar(None), 80, str)
        played = fleet.play(4, 1, True, lambda script, bill=bill: bill._played(script)[0], lambda done: None)
        begun += [turn.begun for turn in played.of("recycle")]

    assert len(spread) == len(in_step) == 4
    assert max(in_step) - min(in_step) < 60 < 120 < max(spread) - min(spread)


def test_a_peak_is_judged_by_what_chance_makes_of_the_splay() -> None:
    def turns(apart: float) -> Tuple[fleet.Turn, ...]:
        return tuple(fleet.Turn(number * apart, number * apart + 30.0, number, "recycle") for number in range(60))

    dealt = fleet.Fleet(60, 1, True, turns(10.0), 60, splay=600.0)
    in_step, unsplayed = dealt._replace(turns=turns(0.0)), dealt._replace(splay=0.0)

    said, warned, plain = (" ".join(" ".join(told.fleet(one, 80)).split()) for one in (dealt, in_step, unsplayed))
    assert (dealt.peak("recycle"), dealt.promised("recycle"), dealt.by_chance("recycle")) == (3, 3.0, 12)
    assert "about 3.0 would recycle at a time; a peak of 3 is within what chance makes of that, at most 12" in said
    assert "a peak of 60 is MORE than chance makes of that, at most 12: they act in step" in warned
    assert "splay is 0s: nothing spreads their turns" in plain


def test_a_share_below_one_is_not_rounded_to_none() -> None:
    few = fleet.Fleet(6, 1, True, (fleet.Turn(0.0, 30.0, 0, "recycle"),) * 6, 6, splay=600.0)

    assert "about 0.3 would recycle at a time" in " ".join(told.fleet(few, 80))


@pytest.mark.slow
def test_a_large_fleet_keeps_what_splay_promises() -> None:
    restarted, stuck = document("--fleet", "300", "--hmcs", "4"), document("--fleet", "300", "--stuck")

    recycle = stuck["remedies"]["recycle"]
    assert "recycle" not in restarted["remedies"] and restarted["connected"] == 300
    assert recycle["partitions"] == 300 and recycle["peak"] <= recycle["by_chance"]


def test_at_the_same_moment_are_those_that_overlap() -> None:
    assert fleet.peak([(0.0, 30.0)] * 60) == 60 and fleet.peak([(at, at + 30.0) for at in range(0, 600, 10)]) == 3
    assert fleet.peak([(0.0, 30.0), (30.0, 60.0)]) == 1 and fleet.peak([]) == 0


# -- counting


def test_a_fault_lasts_from_when_it_is_told_until_it_is_told_to_be_gone() -> None:
    story = [event(10.0, "RMCA2001W", fault="link-down"), event(12.0, "RMCA2001W", fault="manager-down", subject="IBM.DRM"),
             event(70.0, "RMCA2002N", fault="link-down", healed="after refresh"),
             event(80.0, "RMCA2001W", fault="link-down")]

    assert problems(story) == ([("link-down", (60.0, "refresh"))], [("manager-down", 12.0), ("link-down", 80.0)])


def event(at: float, code: str, **fields: str) -> Told:
    return Told(at, NEW_YEAR, Event(code, "", tuple(fields.items())))


def test_text_from_outside_reaches_no_terminal() -> None:
    lines = told.wrapped("evil \x1b[2J\nmore \u202e", 80, "")

    assert all(line.isprintable() and line.isascii() for line in lines)


# -- bad input


@pytest.mark.parametrize("argv, said", [
    (["--scenario", "session-stck"], 'session-stuck'),
    (["--seed", "x"], "cannot take --seed x: give a whole number from 0 to"),
    (["--seed", "-1"], "cannot take --seed -1"),
    (["--runs", "0"], "cannot take --runs 0: give a whole number from 1"),
    (["--fleet", "9", "--hmcs", "0"], "cannot take --hmcs 0: give a whole number from 1 to 200"),
    (["--for", "soon"], "cannot rehearse for soon: "),
    (["--for", "0s"], "cannot rehearse for 0s: it must be over 0s"),
    (["--svg", "x.svg"], "cannot take --svg with every scenario at once: it goes with --script or --scenario"),
    (["--runs", "1", "--script", "nope.yaml"], "cannot take --script with --runs: write one of them"),
    (["--runs", "1", "--svg", "x.svg"], "cannot take --svg with --runs: it goes with --script or --scenario"),
    (["--script", "nope.yaml", "--scenario", "quiet"], "cannot take --scenario with --script: write one of them"),
    (["--scenario", "quiet", "--stuck"], "cannot take --stuck with --scenario: it goes with --fleet"),
    (["--fleet", "2", "--seed", "1"], "cannot take --seed with --fleet: it goes with --runs, --script or --scenario"),
    (["--list", "--for", "1d"], "cannot take --for with --list: it goes with --runs, --script or --scenario"),
])
def test_a_slip_gets_one_sentence_and_code_2(argv: List[str], said: str, capsys: Capture) -> None:
    code = cli.main(["rehearse", *argv])

    out, err = capsys.readouterr()
    assert (code, out) == (2, "") and said in err and err.startswith("rmcagent: cannot ") and err.count("\n") == 1


def test_two_policies_are_one_too_many() -> None:
    with pytest.raises(rehearse.Mistaken, match="cannot take --config with --policy"):
        rehearsed("--policy", "a.yaml", "--config", "b.yaml")


@pytest.mark.parametrize("happens, said", [
    ("{at: 1h, do: crsh}", 'did you mean "crash"?'),
    ("{at: 1h, do: stick-sesion}", 'did you mean "stick-session"?'),
    ("{at: 1h, do: stick-session, mended_bye: none}", 'cannot use mended-bye in stick-session: unknown key, did you mean '
                                                      '"mended-by"?'),
    ("{at: 1h, do: start-powerha}", "cannot do start-powerha then: no partition can be so, for clstrmgrES is ST_STABLE while CAA "
                                    "is absent; let start-caa happen before"),
    ("{at: 1h, do: add-hmc, address: \"fe80::1%\\n\"}", "not an IP address"),
    ("{at: 1h, do: jump-clock, seconds: 3650d}\n- {at: 2h, do: jump-clock, seconds: 3650d}\n"
     "- {at: 3h, do: jump-clock, seconds: 1d}", "mine.yaml:4: cannot do jump-clock then: with those before it the clock is over "
                                                "20 years off, write less"),
    ("{at: 1h, do: storm, per-second: 200}", "cannot do storm then: with those before it comes to over 60000000 lines, write "
                                             "end-storm sooner"),
])
def test_a_bad_script_is_told_with_its_line_and_the_next_step_and_code_6(happens: str, said: str, tmp_path: Path,
                                                                         capsys: Capture) -> None:
    path = written(tmp_path, f"happens:\n- {happens}\n")

    code = cli.main(["rehearse", "--script", path])

    out, err = capsys.readouterr()
    assert (code, out) == (6, "") and said in err and f"{path}:" in err


def test_every_rule_that_has_a_next_step_of_its_own_is_one_of_the_simulations() -> None:
    from rmcagent.sim.impossible import RULES

    assert set(reading.MENDS) <= {rule.__name__ for rule in RULES}


@pytest.mark.parametrize("kind, code, said", [
    ("none", 1, "none.yaml"), ("pipe", 1, "it is no regular file"), ("folder", 1, "it is no regular file"),
    ("large", 6, "it is over 1 MiB"),
])
def test_what_is_no_script_is_named_and_neither_waited_for_nor_cut(kind: str, code: int, said: str, tmp_path: Path,
                                                                   capsys: Capture) -> None:
    path = tmp_path / f"{kind}.yaml"
    {"none": lambda: None, "pipe": lambda: os.mkfifo(path), "folder": path.mkdir,
     "large": lambda: path.write_text("happens: []\n" + "#" * (1 << 20))}[kind]()

    found = cli.main(["rehearse", "--script", str(path)])

    err = capsys.readouterr().err
    assert found == code and said in err and str(path) in err


@pytest.mark.parametrize("kind", ["link", "pipe", "folder is not there"])
def test_where_no_picture_can_be_drawn_is_told_before_anything_is_played(kind: str, tmp_path: Path, capsys: Capture,
                                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    path, other = tmp_path / "day.svg", tmp_path / "other"
    other.write_text("mine")
    {"link": lambda: path.symlink_to(other), "pipe": lambda: os.mkfifo(path), "folder is not there": lambda: None}[kind]()
    picture = str(tmp_path / "nowhere" / "day.svg") if kind == "folder is not there" else str(path)
    monkeypatch.setattr(rehearse, "Rehearsal", None)

    code = cli.main(["rehearse", "--scenario", "quiet", "--for", "1h", "--svg", picture])

    err = capsys.readouterr().err
    assert code == 1 and f"cannot write {picture}: " in err and "give another --svg" in err and other.read_text() == "mine"


def test_who_ends_a_rehearsal_leaves_nothing_of_it_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearse, "IN_MEMORY", str(tmp_path))
    before = signal.getsignal(signal.SIGTERM)

    class Ending(Auditor):
        def look(self) -> None:
            assert len(os.listdir(tmp_path)) == 2
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(rehearse, "Auditor", Ending)

    with pytest.raises(SystemExit) as ended:
        rehearsed("--scenario", "quiet", "--for", "1h", "--svg", str(tmp_path / "day.svg"))

    assert ended.value.code == 128 + signal.SIGTERM and os.listdir(tmp_path) == []
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_policy_that_is_named_is_the_one_rehearsed_and_its_warnings_are_told(tmp_path: Path, capsys: Capture) -> None:
    policy = written(tmp_path, "mode: observe\nguards: {splay: 0s}\n", "policy.yaml")
    script = written(tmp_path, "for: 1h\nhappens:\n- {at: 10m, do: crash}\n")

    code = cli.main(["rehearse", "--policy", policy, "--script", script])

    out, err = capsys.readouterr()
    told_of = "".join(out.split())
    assert code == 0 and re.search(rf"policy:{re.escape(policy)}\([0-9a-f]+,modeobserve\)", told_of)
    assert "remediesbegun:none" in told_of and "RMCA3004W" in told_of
    assert err.startswith(f"rmcagent: warning: {policy}:2: guards.splay 0s: ")


# -- the bar


def test_the_bar_is_drawn_only_where_work_lasts_and_is_gone_afterwards() -> None:
    drawn: List[str] = []
    bar = Bar(drawn.append)

    bar.at(1, 10, "soon")
    at_once = list(drawn)
    bar.began = bar.drawn_at = bar.clock.monotonic() - 5
    bar.at(5, 10, "partitions")
    bar.clear()
    bar.clear()

    assert at_once == [] and drawn[0] == "\r[###############               ] 5/10 partitions"
    assert drawn[1:] == ["\r" + " " * (len(drawn[0]) - 1) + "\r"]


def test_without_a_terminal_there_is_no_bar() -> None:
    bar = Bar(None)
    bar.began = bar.drawn_at = bar.clock.monotonic() - 5

    bar.at(5, 10, "partitions")

    assert bar.shown == 0
