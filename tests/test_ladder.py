"""The ladder: what treats what, gentlest first, as design section 4 has it."""
from __future__ import annotations

from datetime import timedelta

import pytest

from rmcagent.config import ConfigError
from rmcagent.model import Fault, Remedy
from rmcagent.partition.act import SPELLINGS
from rmcagent.reason.ladder import DISRUPTIVE, GRAVITY, IDENTITY_FAULTS, LADDER, LINK_FAULTS, REPEATABLE, remedies_for, so_often
from seen import ANYTHING, DEFAULTS, policy

GENTLEST_FIRST = tuple(Remedy)
TREATED_BY = {
    "rmc-down": "start recycle",
    "rmc-stopped": "start",
    "rmc-hung": "recycle",
    "manager-down": "manager recycle",
    "remote-disabled": "refresh",
    "link-down": "refresh recycle",
    "link-pending": "refresh recycle recfgct",
    "link-flapping": "",
    "link-blocked": "",
    "link-partial": "refresh",
    "no-hmc": "refresh recycle recfgct",
    "stale-hmc": "",
    "hmc-unreachable": "",
    "hmc-side": "",
    "identity-clash": "recfgct",
    "cloned-node": "recycle recfgct",
    "log-storm": "recycle",
    "var-full": "",
    "lparmgr-stuck": "lparmgr refresh recycle",
    "not-at-boot": "",
}


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.value)
def test_each_fault_is_treated_as_the_table_says(fault: Fault) -> None:
    assert " ".join(remedy.value for remedy in remedies_for(fault, DEFAULTS)) == TREATED_BY[fault.value]


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.value)
def test_the_gentlest_remedy_comes_first(fault: Fault) -> None:
    rungs = LADDER[fault]

    if fault is not Fault.LPARMGR_STUCK:      # lparmgr first, then as link-down
        assert list(rungs) == sorted(rungs, key=GENTLEST_FIRST.index)


def test_every_fault_has_a_place_in_the_order_of_gravity() -> None:
    assert sorted(GRAVITY) == sorted(Fault)


def test_recfgct_treats_only_what_the_policy_names() -> None:
    assert Remedy.RECFGCT in remedies_for(Fault.LINK_DOWN, ANYTHING)
    nothing = policy("remedies: {recfgct: {treats: []}}")
    assert not [fault for fault in Fault if Remedy.RECFGCT in remedies_for(fault, nothing)]


def test_what_is_switched_off_stays_on_the_ladder_to_count_as_tried() -> None:
    assert remedies_for(Fault.LINK_PARTIAL, policy("remedies: {refresh: {mode: off}}")) == (Remedy.REFRESH,)


def test_recycle_and_recfgct_are_what_disturbs_others() -> None:
    assert DISRUPTIVE == {Remedy.RECYCLE, Remedy.RECFGCT}


def test_recfgct_is_never_repeated() -> None:
    assert Remedy.RECFGCT not in REPEATABLE
    assert REPEATABLE >= {Remedy.REFRESH, Remedy.START, Remedy.MANAGER, Remedy.RECYCLE}


def test_links_that_are_down_pending_or_gone_count_as_one_fault() -> None:
    assert LINK_FAULTS == {Fault.LINK_DOWN, Fault.LINK_PENDING, Fault.NO_HMC}
    assert IDENTITY_FAULTS == {Fault.IDENTITY_CLASH, Fault.CLONED_NODE}


def test_the_mind_and_the_hands_know_the_same_remedies() -> None:
    assert set(SPELLINGS) == set(Remedy) == {remedy for rungs in LADDER.values() for remedy in rungs}


def test_the_policy_can_let_recfgct_treat_only_what_the_ladder_knows() -> None:
    on_the_ladder = {fault for fault, rungs in LADDER.items() if Remedy.RECFGCT in rungs}

    assert {fault for fault in Fault if accepted(fault)} == on_the_ladder


def accepted(fault: Fault) -> bool:
    try:
        return bool(policy(f"remedies: {{recfgct: {{treats: [{fault.value}]}}}}"))
    except ConfigError:
        return False


@pytest.mark.parametrize("times, hours, words", [
    (1, 24, "once in 24 h"), (2, 48, "twice in 48 h"), (3, 720, "3 times in 30 d"), (4, 50, "4 times in 50 h"),
    (5, 0.5, "5 times in 30m"), (2, 0, "twice"),
])
def test_how_often_is_told_in_words(times: int, hours: float, words: str) -> None:
    assert so_often(times, timedelta(hours=hours)) == words
