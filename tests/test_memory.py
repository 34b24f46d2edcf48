"""What looks leave behind: streaks are unbroken, a gap forgets nothing, and what a remedy of ours does is not counted."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rmcagent.ledger import Ledger
from rmcagent.memory import Memory
from rmcagent.model import Fault, Link, Remedy, Snapshot, State
from rmcagent.sim.clock import VirtualClock
from seen import DEFAULTS, HMC1, NOON, finding, gap, hmc, plain, with_fact, with_hmcs, with_state

UP, LOST = with_hmcs(plain(), hmc(Link.UP, reachable=None)), with_hmcs(plain(), hmc(Link.DOWN))
SILENT = with_hmcs(plain(), hmc(Link.DOWN, reachable=False))
HUNG = replace(plain(rmc="hung"), servers=gap())
FOUND = finding(Fault.LINK_DOWN)


class Life:
    """An agent that looks once a minute."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock(NOON)
        self.ledger = Ledger(f"{folder}/state/ledger.jsonl", self.clock, "boot-1")
        self.memory = Memory(self.ledger)

    def looks(self, *seen: Snapshot, under_way: bool = False) -> Life:
        for one in seen:
            self.clock.sleep(60)
            self.memory.note(one, DEFAULTS, under_way)
        return self


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return Life(tmp_path)


def test_looks_that_show_a_hung_rmc_count_in_a_row_only(life: Life) -> None:
    life.looks(HUNG, HUNG, HUNG)
    in_a_row = life.memory.history().hung_looks

    life.looks(plain(), HUNG)

    assert (in_a_row, life.memory.history().hung_looks) == (3, 1)


def test_a_look_that_is_gone_over_again_counts_for_no_streak(life: Life) -> None:
    life.looks(HUNG)

    life.memory.note(HUNG, DEFAULTS, under_way=False, again=True)

    assert life.memory.history().hung_looks == 1


def test_an_hmc_answers_since_its_last_silence(life: Life) -> None:
    life.looks(LOST, LOST)
    before = life.memory.history().answering_since[HMC1]
    life.looks(SILENT)
    silent = dict(life.memory.history().answering_since)

    life.looks(LOST)

    assert silent == {} and life.memory.history().answering_since[HMC1] > before


def test_a_sighting_ends_with_a_complete_look_without_it_and_with_no_other(life: Life) -> None:
    untold = with_fact(plain(), "status", gap())
    life.memory.sighted((FOUND,), plain())
    life.clock.sleep(60)

    life.memory.sighted((), untold)
    kept = life.memory.sightings["link-down"].since
    life.memory.sighted((), plain())

    assert kept < life.ledger.steady.now() and life.memory.sightings == {}


def test_grace_begins_anew_when_the_reachability_changes(life: Life) -> None:
    life.memory.sighted((FOUND,), SILENT)
    life.clock.sleep(60)

    (found,) = life.memory.sighted((FOUND,), LOST)

    assert found.since == life.ledger.steady.now()


def test_changes_of_a_link_are_counted_but_not_those_that_a_remedy_makes(life: Life) -> None:
    life.looks(UP, LOST, UP)
    own = life.memory.history().link_changes[HMC1]

    life.looks(LOST, UP, under_way=True)
    under_way = life.memory.history().link_changes[HMC1]
    life.ledger.begin(Remedy.REFRESH, Fault.LINK_DOWN, "", "E-1", "machine-1")
    life.looks(LOST, UP)

    assert (own, under_way, life.memory.history().link_changes[HMC1]) == (2, 2, 2)


def test_a_link_that_nothing_shows_has_not_changed(life: Life) -> None:
    unknown = replace(UP, hmcs=(hmc(Link.UNKNOWN),))

    life.looks(UP, unknown, UP)

    assert life.memory.history().link_changes[HMC1] == 0


def test_the_splay_is_counted_once_an_episode_and_anew_once_an_hmc_was_connected(life: Life) -> None:
    life.looks(LOST)
    life.memory.only_splay_holds()
    first = life.memory.history().splay_from
    life.looks(LOST)
    life.memory.only_splay_holds()
    again = life.memory.history().splay_from

    life.looks(UP)

    assert first is not None and first == again and life.memory.history().splay_from is None


@pytest.mark.parametrize("state", [State.ACTIVE, State.STARTING, State.STOPPING])
def test_that_no_peer_domain_was_online_is_forgotten_once_group_services_ran(state: State, life: Life) -> None:
    life.looks(plain())
    allowed = life.memory.history().domains_allowed_at

    life.looks(with_state(plain(), "cthags", state))

    assert allowed == NOON and life.memory.history().domains_allowed_at is None


def test_what_stopped_rmc_is_ours_until_rmc_was_seen_active(life: Life) -> None:
    down = plain(rmc="down")
    life.looks(plain())
    stopped = life.ledger.begin(Remedy.RECYCLE, Fault.LINK_DOWN, "", "E-1", "machine-1")
    life.looks(down)
    ours = life.memory.history().stopped_by

    life.looks(plain(), down)

    assert (ours, life.memory.history().stopped_by) == (stopped.id, 0)
