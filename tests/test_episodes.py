"""What is said of an episode and when: problems and their ends in pairs, refusals once, reminders ever more seldom."""
from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytest

from rmcagent import config
from rmcagent.episodes import AFTERMATH, Episodes, entry, lasting_guards
from rmcagent.ledger import Ledger
from rmcagent.model import (
    Decision,
    Fact,
    Fault,
    Finding,
    How,
    Kind,
    LogGrowth,
    Outcome,
    Platform,
    Refusal,
    Remedy,
    Side,
    Snapshot,
    State,
    Subsystem,
)
from rmcagent.report import Event, line
from rmcagent.sim.clock import VirtualClock

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
SETTINGS = config.defaults()
DOWN = Finding(Fault.RMC_DOWN, Side.HERE, "ctrmc is inoperative")
LINK = Finding(Fault.LINK_DOWN, Side.HERE, "every known HMC is down")
STORM = Finding(Fault.LOG_STORM, Side.EVIDENCE, "the log grew 81 KiB in 10m")
DRM = Finding(Fault.MANAGER_DOWN, Side.HERE, "IBM.DRM is inoperative", subject="IBM.DRM")
PROBLEM, GONE, REFUSED, HUMAN, ELSEWHERE = "RMCA2001W", "RMCA2002N", "RMCA3004W", "RMCA4001E", "RMCA4002W"


class Story:
    """Looks in their order, and what was said after each."""

    def __init__(self, folder: Path) -> None:
        self.path = f"{folder}/state/ledger.jsonl"
        self.clock = VirtualClock(NOON)
        self.events: List[Event] = []
        self.settings = SETTINGS
        self.restart()

    def restart(self) -> None:
        self.ledger = Ledger(self.path, self.clock, "boot-1")
        self.episodes = Episodes(self.ledger, self.events.append)

    def look(self, *findings: Finding, complete: bool = True, settling: bool = False) -> List[str]:
        """The codes said at this look."""
        self.clock.sleep(60)
        before = len(self.events)
        answered: Fact[Any] = Fact(How.SEEN, {})
        seen = Snapshot(self.now, Platform.AIX, subsystems=answered, status=answered if complete else Fact(How.GAP))
        self.episodes.follow(findings, seen, settling)
        return [event.code for event in self.events[before:]]

    def decide(self, *decisions: Decision, after: timedelta = timedelta(0)) -> List[str]:
        self.clock.sleep(after.total_seconds())
        before = len(self.events)
        self.episodes.tell_decisions(decisions, self.settings, self.told, self.now)
        return [event.code for event in self.events[before:]]

    def late(self, *decisions: Decision, after: timedelta = timedelta(0), since: Optional[datetime] = None) -> List[str]:
        """The codes said of a remedy's command that has not ended in its time."""
        self.clock.sleep(after.total_seconds())
        before = len(self.events)
        self.episodes.tell_decisions(decisions, SETTINGS, self.told, self.now)
        self.episodes.tell_late(decisions, SETTINGS, self.told, self.now, since)
        return [event.code for event in self.events[before:]]

    def told(self, decision: Decision) -> Dict[str, Any]:
        return entry(decision, (), self.episodes.episode_id(), self.now)

    @property
    def now(self) -> datetime:
        return self.ledger.steady.now()

    @property
    def episode(self) -> Optional[str]:
        return self.ledger.episode.id if self.ledger.episode else None

    def field(self, name: str) -> str:
        return dict(self.events[-1].fields)[name]


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def refusal(*guards: str, lasting: bool = True, remedy: Remedy = Remedy.RECYCLE, finding: Finding = LINK) -> Decision:
    spoken = tuple(Refusal(guard, f"{guard} says no", f"ask {guard}", lasting) for guard in guards)
    return Decision(Kind.REFUSE, "held", finding, remedy, spoken, "ask")


def escalation(finding: Finding = LINK) -> Decision:
    return Decision(Kind.ESCALATE, "every remedy was tried", finding, unblock="do this by hand")


# ---- problems and their ends -------------------------------------------------------------------------------------------


def test_a_problem_is_told_at_the_second_look(story: Story) -> None:
    assert [story.look(LINK), story.look(LINK), story.look(LINK)] == [[], [PROBLEM], []]


def test_rmc_down_is_told_at_the_first(story: Story) -> None:
    assert [story.look(DOWN), story.look(DOWN)] == [[PROBLEM], []]


def test_a_problem_is_gone_at_the_second_clean_look(story: Story) -> None:
    story.look(DOWN)

    assert [story.look(), story.look(), story.look()] == [[], [GONE], []]


def test_what_passed_within_one_look_is_never_told(story: Story) -> None:
    said = [story.look(LINK), story.look(), story.look(LINK), story.look(), story.look()]

    assert said == [[]] * 5


def test_a_problem_that_comes_back_after_one_clean_look_was_never_gone(story: Story) -> None:
    story.look(DOWN)

    assert [story.look(), story.look(DOWN), story.look(), story.look(DOWN)] == [[]] * 4
    assert story.episode == "E-1"


def test_an_incomplete_look_forgets_nothing(story: Story) -> None:
    story.look(LINK)

    said = [story.look(complete=False), story.look(LINK), story.look(), *[story.look(complete=False) for _ in range(5)]]

    assert said == [[], [PROBLEM], [], *[[]] * 5]
    assert story.look() == [GONE]


def test_an_incomplete_look_may_find_a_problem(story: Story) -> None:
    assert [story.look(LINK, complete=False), story.look(LINK, complete=False)] == [[], [PROBLEM]]


def test_each_fault_of_an_episode_is_told_and_ended_by_itself(story: Story) -> None:
    story.look(DOWN)
    story.look(DRM)

    said = [story.look(DRM), story.look(), story.look()]

    assert said == [[PROBLEM, GONE], [], [GONE]]
    assert {dict(event.fields)["episode"] for event in story.events} == {"E-1"}


def test_two_managers_are_two_problems(story: Story) -> None:
    other = Finding(Fault.MANAGER_DOWN, Side.HERE, "IBM.MgmtDomainRM is inoperative", subject="IBM.MgmtDomainRM")
    story.look(DRM, other)
    story.look(DRM, other)
    story.look(DRM)

    assert story.look(DRM) == [GONE]
    assert story.field("subject") == "IBM.MgmtDomainRM"


def test_a_problem_says_what_whose_and_by_which_evidence(story: Story) -> None:
    story.look(DRM)
    story.look(DRM)

    assert line(story.events[-1]) == ('RMCA2001W problem found fault=manager-down subject=IBM.DRM side=here episode=E-1 '
                                      'evidence="IBM.DRM is inoperative"')


@pytest.mark.parametrize("fault", AFTERMATH)
def test_what_a_settling_remedy_leaves_for_a_while_is_told_only_when_it_lasts(fault: Fault, story: Story) -> None:
    finding = Finding(fault, Side.HERE, "expected after a recycle")

    while_settling = [story.look(finding, settling=True) for _ in range(12)]

    assert while_settling == [[]] * 12
    assert story.look(finding) == [PROBLEM]


def test_what_a_settling_remedy_does_not_explain_is_told_at_once(story: Story) -> None:
    assert story.look(DOWN, settling=True) == [PROBLEM]


# ---- episodes ----------------------------------------------------------------------------------------------------------


def test_an_episode_opens_with_the_first_finding_and_closes_after_two_complete_clean_looks(story: Story) -> None:
    opened = []
    for findings, complete in (((), True), ((LINK,), True), ((), True), ((), False), ((), True), ((DOWN,), True)):
        story.look(*findings, complete=complete)
        opened.append(story.episode)

    assert opened == [None, "E-1", "E-1", "E-1", None, "E-2"]


def test_an_episode_keeps_its_id_while_its_findings_change(story: Story) -> None:
    for findings in ((DOWN,), (DRM,), (), (LINK,), (), (DOWN, LINK)):
        story.look(*findings)

    assert story.episode == "E-1"


def test_the_end_of_a_problem_is_told_within_its_episode(story: Story) -> None:
    story.look(DOWN)
    story.look()
    story.look()

    assert (story.events[-1].code, story.field("episode"), story.episode) == (GONE, "E-1", None)


def test_an_incomplete_clean_look_closes_nothing(story: Story) -> None:
    story.look(LINK)
    for _ in range(5):
        story.look(complete=False)

    assert story.episode == "E-1"


def test_an_episode_stays_open_for_a_storm_that_is_not_known_to_be_over(story: Story) -> None:
    quiet = Fact(How.SEEN, LogGrowth(covers=timedelta(minutes=1)))
    seen = Snapshot(story.now, Platform.AIX, subsystems=Fact(How.SEEN, {}), status=Fact(How.SEEN), logs=quiet)
    story.look(STORM)
    story.look(STORM)

    for _ in range(5):
        story.episodes.follow((), seen, settling=False, within=timedelta(minutes=10))

    assert story.episode == "E-1"
    assert story.look() + story.look() == [GONE]
    assert (story.field("episode"), story.episode) == ("E-1", None)


def test_an_incomplete_look_that_finds_something_is_no_clean_one_and_the_looks_before_it_count_no_more(story: Story) -> None:
    story.look()
    story.look()
    story.look(DOWN, complete=False)
    story.look()

    assert story.episode == "E-1"
    assert story.look() == [GONE]
    assert (story.field("episode"), story.episode) == ("E-1", None)


# ---- who ended it ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome, shadow, healed", [
    (Outcome.HEALED, False, "after start"), (None, False, "after start"), (Outcome.UNCHANGED, False, "by itself"),
    (Outcome.INTERRUPTED, False, "by itself"), (Outcome.HEALED, True, "by itself"),
])
def test_a_problem_that_ends_says_after_what(outcome: Optional[Outcome], shadow: bool, healed: str, story: Story) -> None:
    story.look(DOWN)
    attempt = story.ledger.begin(Remedy.START, Fault.RMC_DOWN, "", "E-1", "m", shadow)
    story.ledger.update(replace(attempt, outcome=outcome))
    story.look()
    story.look()

    assert story.field("healed") == healed


def test_what_healed_another_episode_did_not_heal_this_one(story: Story) -> None:
    story.ledger.begin(Remedy.START, Fault.RMC_DOWN, "", "E-0", "m")
    story.ledger.begin(Remedy.MANAGER, Fault.MANAGER_DOWN, "", "E-1", "m")
    story.look(DOWN)
    story.look()
    story.look()

    assert story.field("healed") == "by itself"


# ---- a restart ---------------------------------------------------------------------------------------------------------


def test_pairs_survive_a_restart(story: Story) -> None:
    story.look(DRM)
    story.look(DRM)

    story.restart()

    assert [story.look(DRM), story.look(), story.look()] == [[], [], [GONE]]
    assert (story.field("fault"), story.field("subject"), story.field("episode")) == ("manager-down", "IBM.DRM", "E-1")


def test_what_was_never_told_is_not_remembered_over_a_restart(story: Story) -> None:
    story.look(LINK)
    story.restart()

    assert [story.look(), story.look()] == [[], []]
    assert "problems" not in story.ledger.facts


def test_what_ended_is_not_remembered(story: Story) -> None:
    for findings in ((DOWN,), (), ()):
        story.look(*findings)
    story.restart()

    assert (story.ledger.facts, story.look(), story.look()) == ({}, [], [])


def test_evidence_that_changes_at_every_look_is_written_once(story: Story) -> None:
    story.look(DOWN)
    size = Path(story.path).stat().st_size
    for number in range(20):
        story.look(Finding(Fault.RMC_DOWN, Side.HERE, f"for {number} minutes"))

    assert Path(story.path).stat().st_size == size


def test_a_fault_that_this_version_does_not_know_is_left_out(story: Story) -> None:
    story.ledger.remember("problems", {"bit-rot": "what a later version saw", "rmc-down": "x"})
    story.restart()

    assert [story.look(), story.look()] == [[], [GONE]]


# ---- refusals, exhaustion, causes elsewhere ----------------------------------------------------------------------------


def told_story(story: Story, finding: Finding = LINK) -> Story:
    story.look(finding)
    story.look(finding)
    return story


def test_nothing_is_said_of_a_problem_that_was_not_told(story: Story) -> None:
    story.look(LINK)

    assert (story.decide(refusal("cluster")), story.decide(escalation())) == ([], [])
    assert story.ledger.decisions == []


def test_a_refusal_is_said_once_then_reminded_at_a_falling_rate_and_at_least_weekly(story: Story) -> None:
    told_story(story)
    said_at: List[float] = []
    start = story.now
    for _ in range(60 * 24 * 2):
        if story.decide(refusal("cluster"), after=timedelta(minutes=30)):
            said_at.append((story.now - start) / HOUR)

    gaps = [round(later - earlier, 1) for earlier, later in zip(said_at, said_at[1:])]
    assert gaps == [6, 12, 24, 48, 96, 168, 168, 168, 168, 168, 168, 168, 168][:len(gaps)]
    assert len(gaps) >= 8


def test_an_exhausted_ladder_is_said_once_then_reminded(story: Story) -> None:
    told_story(story)

    said = [story.decide(escalation(), after=hours * HOUR) for hours in (0, 1, 4.9, 0.2, 11, 1.1)]

    assert said == [[HUMAN], [], [], [HUMAN], [], [HUMAN]]


def test_another_lasting_guard_is_news_and_a_passing_one_is_not(story: Story) -> None:
    told_story(story)
    passing = Refusal("settle", "a remedy settles", "wait")
    lasting = refusal("cluster")
    both = Decision(Kind.REFUSE, "held", LINK, Remedy.RECYCLE, (*lasting.refused_by, passing), "ask")

    said = [story.decide(lasting), story.decide(both), story.decide(refusal("cluster", "migration")), story.decide(lasting)]

    assert said == [[REFUSED], [], [REFUSED], []]
    assert lasting_guards(both) == ("cluster",)


def test_a_refusal_says_which_guard_and_what_would_unblock_it(story: Story) -> None:
    told_story(story)
    story.decide(refusal("cluster", "migration", "cluster"))

    assert line(story.events[-1]) == ('RMCA3004W refused remedy=recycle guard=cluster,migration fault=link-down episode=E-1 '
                                      'because=held unblock=ask')


def test_after_the_episode_everything_is_news_again(story: Story) -> None:
    told_story(story)
    story.decide(refusal("cluster"))
    story.look()
    story.look()
    told_story(story)

    assert story.decide(refusal("cluster")) == [REFUSED]


def test_a_remedy_that_waits_for_something_is_told_when_it_has_waited_for_long(story: Story) -> None:
    told_story(story)
    waits = replace(refusal("installing", lasting=False), kind=Kind.WAIT)

    said = [story.decide(waits, after=hours * HOUR) for hours in (0, 5.9, 0.2, 11, 1.1)]

    assert said == [[], [], [REFUSED], [], [REFUSED]]
    assert story.field("guard") == "installing"


@pytest.mark.parametrize("guard", ["maintenance", "crash-loop", "install", "busy"])
def test_a_hold_that_has_no_end_of_its_own_is_told_after_an_hour_and_then_as_reminders_go(guard: str, story: Story) -> None:
    told_story(story)
    holds = replace(refusal(guard, lasting=False), kind=Kind.WAIT)

    said = [story.decide(holds, after=hours * HOUR) for hours in (0, 0.9, 0.2, 5.9, 0.2, 11.9, 0.2)]

    assert said == [[], [], [REFUSED], [], [REFUSED], [], [REFUSED]]


@pytest.mark.parametrize("guard, unblock", [("maintenance", ""), ("paused", "ask paused")])
def test_a_grace_is_no_hold_and_a_pause_ends_by_itself(guard: str, unblock: str, story: Story) -> None:
    told_story(story)
    waits = replace(refusal(guard, lasting=False), kind=Kind.WAIT, unblock=unblock)

    assert [story.decide(waits, after=hours * HOUR) for hours in (0, 1.1)] == [[], []]


def test_where_reminders_come_sooner_than_an_hour_so_does_the_first_word_of_a_hold(story: Story) -> None:
    told_story(story)
    story.settings = config.parse("report: {remind: 10m}").settings
    holds = replace(refusal("maintenance", lasting=False), kind=Kind.WAIT)

    assert [story.decide(holds, after=minutes * HOUR / 60) for minutes in (0, 9, 2)] == [[], [], [REFUSED]]


def test_a_link_is_not_called_healed_while_rmc_is_down(story: Story) -> None:
    told_story(story)

    said = [story.look(DOWN), *[story.look(DOWN) for _ in range(5)], story.look(), story.look()]

    assert said == [[PROBLEM], *[[]] * 5, [], [GONE, GONE]]


@pytest.mark.parametrize("kind", [Kind.REST, Kind.WAIT, Kind.JUDGE, Kind.APPLY])
def test_of_other_decisions_nothing_is_said(kind: Kind, story: Story) -> None:
    told_story(story)

    assert story.decide(Decision(kind, "because", LINK, Remedy.REFRESH), Decision(kind, "because")) == []


@pytest.mark.parametrize("fault, side, code", [
    (Fault.LINK_DOWN, Side.HERE, HUMAN),
    (Fault.LINK_PENDING, Side.IDENTITY, HUMAN),
    (Fault.VAR_FULL, Side.HERE, HUMAN),
    (Fault.RMC_STOPPED, Side.OPERATOR, ELSEWHERE),
    (Fault.HMC_UNREACHABLE, Side.NETWORK, ELSEWHERE),
    (Fault.LINK_BLOCKED, Side.NETWORK, ELSEWHERE),
    (Fault.HMC_SIDE, Side.HMC, ELSEWHERE),
    (Fault.LINK_FLAPPING, Side.IDENTITY, ELSEWHERE),
    (Fault.STALE_HMC, Side.CONFIG, ELSEWHERE),
])
def test_exhausted_is_told_from_a_cause_elsewhere(fault: Fault, side: Side, code: str, story: Story) -> None:
    finding = Finding(fault, side, "the evidence")
    told_story(story, finding)

    assert story.decide(escalation(finding)) == [code]
    fields = dict(story.events[-1].fields)
    assert fields["unblock" if code == HUMAN else "do"] == "do this by hand"
    assert fields["evidence"] == "the evidence"


@pytest.mark.parametrize("fault, side", [
    (Fault.NOT_AT_BOOT, Side.HERE), (Fault.VAR_FULL, Side.HERE), (Fault.LINK_PARTIAL, Side.HMC),
])
def test_nobody_is_woken_for_what_is_not_grave_and_is_when_it_becomes_so(fault: Fault, side: Side, story: Story) -> None:
    mild = Finding(fault, side, "the evidence", grave=False)
    told_story(story, mild)

    assert story.decide(escalation(mild)) == [ELSEWHERE]
    assert story.decide(escalation(mild)) == []
    assert story.decide(escalation(replace(mild, grave=True))) == [HUMAN]


def test_nothing_is_gone_while_rmc_starts_or_stops(story: Story) -> None:
    told_story(story, LINK)
    seen = Snapshot(story.now, Platform.AIX, subsystems=Fact(How.SEEN, {"ctrmc": Subsystem("ctrmc", State.STOPPING)}),
                    status=Fact(), mcp=Fact())

    for _ in range(5):
        story.episodes.follow((), seen, settling=True)

    assert GONE not in [event.code for event in story.events] and story.episode


def test_a_wait_that_was_over_in_between_is_not_told_as_a_long_one(story: Story) -> None:
    told_story(story, LINK)
    waits = Decision(Kind.WAIT, "refresh waits", LINK, Remedy.REFRESH, (Refusal("cooldown", "not long ago", "wait"),))
    acts = Decision(Kind.APPLY, "refresh is due", LINK, Remedy.REFRESH)
    story.decide(waits)

    assert story.decide(acts, after=5 * HOUR) == []
    assert story.decide(waits, after=5 * HOUR) == []
    assert story.decide(waits, after=7 * HOUR) == [REFUSED]


@pytest.mark.parametrize("fault, side", [(Fault.CLONED_NODE, Side.IDENTITY), (Fault.LOG_STORM, Side.EVIDENCE)])
def test_nobody_is_woken_for_what_nothing_done_here_would_mend(fault: Fault, side: Side, story: Story) -> None:
    finding = Finding(fault, side, "the evidence")
    told_story(story, finding)

    assert story.decide(replace(escalation(finding), treatable=False)) == [ELSEWHERE]


def test_what_comes_back_is_told_anew_but_calls_a_human_once_an_hour(story: Story) -> None:
    """A port that answers every other minute makes one fault of another for a day, and paged somebody every six minutes."""
    finding = Finding(Fault.LINK_DOWN, Side.HERE, "the evidence")
    beside = Finding(Fault.NOT_AT_BOOT, Side.HERE, "keeps the episode open")
    told_story(story, finding)
    first = story.decide(escalation(finding))
    told = []
    for _ in range(20):                     # each time gone and back again within four minutes
        went = [*story.look(beside), *story.look(beside)]
        came = [*story.look(beside, finding), *story.look(beside, finding)]
        told.append((GONE in went, PROBLEM in came, story.decide(escalation(finding))))

    assert first == [HUMAN]
    assert all(gone and back for gone, back, _ in told)
    assert [number for number, (_, _, said) in enumerate(told, 1) if said] == [15]
    assert told[14][2] == [HUMAN]


def test_what_stays_after_it_came_back_calls_a_human_when_the_hour_is_over_and_then_reminds(story: Story) -> None:
    finding = Finding(Fault.LINK_DOWN, Side.HERE, "the evidence")
    beside = Finding(Fault.NOT_AT_BOOT, Side.HERE, "keeps the episode open")
    told_story(story, finding)
    story.decide(escalation(finding))
    for found in ((beside,), (beside,), (beside, finding), (beside, finding)):
        story.look(*found)

    said = [story.decide(escalation(finding), after=HOUR / 6) for _ in range(43)]

    assert [number for number, one in enumerate(said, 1) if one] == [6, 42]        # after an hour, and six hours later



# ---- what why tells ----------------------------------------------------------------------------------------------------


def test_each_new_decision_is_kept_for_why_and_a_reminder_is_not(story: Story) -> None:
    told_story(story)

    story.decide(refusal("cluster"))
    story.decide(refusal("cluster"), after=7 * HOUR)
    story.decide(escalation())

    assert [kept["kind"] for kept in story.ledger.decisions] == ["refuse", "escalate"]


def test_an_entry_holds_evidence_guards_and_alternatives_within_bounds() -> None:
    refused = refusal(*(f"guard-{number}" for number in range(40)))
    long = Finding(Fault.LINK_DOWN, Side.HERE, "x" * 5000)
    decision = Decision(Kind.REFUSE, "y" * 5000, long, Remedy.RECYCLE, refused.refused_by, "z" * 5000)
    others: Tuple[Decision, ...] = (refusal("cluster", remedy=Remedy.RECFGCT), Decision(Kind.REST, "nothing"))

    told = entry(decision, others, "E-7", NOON)

    assert (told["episode"], told["at"], told["kind"]) == ("E-7", "2026-03-04T12:00:00+00:00", "refuse")
    assert told["alternatives"] == ["recfgct: refuse, held"]
    assert len(told["refused_by"]) == 12 and told["refused_by"][0] == {
        "guard": "guard-0", "because": "guard-0 says no", "unblock": "ask guard-0"}
    assert len(str(told)) < 4000


def test_a_decision_about_nothing_has_an_entry_too() -> None:
    told = entry(Decision(Kind.REST, "nothing is wrong"), (), "none", NOON)

    assert (told["fault"], told["remedy"], told["refused_by"]) == ("", None, [])


# ---- a remedy's command that does not end ------------------------------------------------------------------------------


def hangs(finding: Optional[Finding] = None, command: str = "rmcctrl -p") -> Decision:
    return Decision(Kind.ESCALATE, f"{command} has not ended", finding, Remedy.START, unblock="see why", attempt=1)


def test_a_late_command_is_told_with_its_attempt_and_since_when(story: Story) -> None:
    story.ledger.begin(Remedy.START, Fault.RMC_DOWN, "", "E-1", "m")
    story.clock.jump(HOUR)

    story.late(hangs(), since=NOON + timedelta(minutes=4))

    assert line(story.events[-1]) == (
        'RMCA4001E needs a human remedy=start attempt=1 episode=E-1 fault=rmc-down because="rmcctrl -p has not ended" '
        'since=2026-03-04T13:04:00+00:00 unblock="see why"')
    assert [kept["kind"] for kept in story.ledger.decisions] == ["escalate"]


def test_where_nobody_knows_since_when_a_late_command_was_begun_with_its_remedy(story: Story) -> None:
    story.ledger.begin(Remedy.START, Fault.RMC_DOWN, "", "E-1", "m")

    story.late(hangs(), after=HOUR)

    assert story.field("since") == "2026-03-04T12:00:00+00:00"


def test_a_late_command_is_told_once_with_its_fault_without_it_and_over_the_end_of_the_episode(story: Story) -> None:
    story.ledger.begin(Remedy.START, Fault.RMC_DOWN, "", "E-1", "m")
    story.look(DOWN)

    said = [story.late(hangs(DOWN)), story.late(hangs(DOWN)), story.look(), story.look(), story.late(hangs())]

    assert (said, story.episode) == ([[HUMAN], [], [], [GONE], []], None)


def test_a_late_command_is_reminded_of_and_the_next_one_told(story: Story) -> None:
    story.ledger.begin(Remedy.START, Fault.RMC_DOWN, "", "E-1", "m")

    said = [story.late(hangs(), after=after * HOUR) for after in (0, 5, 1, 11, 1)]

    assert said == [[HUMAN], [], [HUMAN], [], [HUMAN]]
    assert story.late(hangs(command="rmcctrl -A")) == [HUMAN]


def test_a_late_command_is_told_again_after_it_had_ended(story: Story) -> None:
    story.ledger.begin(Remedy.START, Fault.RMC_DOWN, "", "E-1", "m")

    said = [story.late(hangs()), story.late(), story.late(hangs())]

    assert said == [[HUMAN], [], [HUMAN]]
