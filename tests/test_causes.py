"""What errpt tells of a migration; why ctrmc ended is tested where it is asked, in test_observe."""
from __future__ import annotations

from datetime import datetime, timedelta
from typing import Tuple

import pytest

from rmcagent.partition import causes
from rmcagent.partition.parse import ErrptRow

NOON = datetime(2026, 3, 4, 12, 0)
QUIET = timedelta(minutes=10)


def pmig(*words: str, at: datetime = NOON) -> Tuple[ErrptRow, ...]:
    """Newest first."""
    when = f"{at:%m%d%H%M%y}"
    return tuple(ErrptRow("00000000", when, "I", "S", "pmig", f"Client Partition Migration {word}") for word in words)


@pytest.mark.parametrize("newest_first, under_way", [
    ((), False), (("Started",), True), (("Completed", "Started"), False), (("Aborted", "Started"), False),
    (("Started", "Completed", "Started"), True), (("Resumed", "Started"), True),
])
def test_a_migration_runs_until_its_end_is_logged(newest_first: Tuple[str, ...], under_way: bool) -> None:
    holds, note = causes.migration(pmig(*newest_first), NOON + timedelta(hours=1), QUIET)

    assert (bool(holds), note) == (under_way, "")


@pytest.mark.parametrize("word", ["Completed", "Aborted"])
def test_a_migration_that_has_only_just_ended_holds_too(word: str) -> None:
    rows = pmig(word, "Started")

    ages = (timedelta(minutes=9), timedelta(minutes=11))
    assert [bool(causes.migration(rows, NOON + age, QUIET)[0]) for age in ages] == [True, False]


def test_a_migration_whose_end_was_never_logged_is_told_and_then_ignored() -> None:
    holds, note = causes.migration(pmig("Started"), NOON + timedelta(hours=5), QUIET)

    assert holds == "" and "never logged" in note


def test_a_label_counts_like_its_text() -> None:
    row = ErrptRow("F2646817", "0304120026", "I", "S", "pmig", "CLIENT_PMIG_STARTED")

    assert causes.migration((row,), NOON + QUIET, QUIET)[0]
