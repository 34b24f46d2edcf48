"""What `plan` takes from a daemon that lives: since when, how often, and what was wrong before a remedy began."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Optional

import pytest

from day import MINUTE, Day
from rmcagent import recalled, show
from rmcagent.cycle import Cycle
from rmcagent.ledger import Ledger
from rmcagent.model import Remedy

Document = Dict[str, Any]


def published(day: Day) -> Document:
    document: Document = show.document(day.cycle.view, day.settings, day.cycle.steady.shown, {})
    return document


def planned(day: Day, told: Optional[Document]) -> Document:
    """As daemon.plan does: another agent's single look at the same partition, on a ledger that is only read."""
    ledger = Ledger(f"{day.folder}/state/ledger.jsonl", day.clock, day.partition.boot, read_only=True)
    cycle = Cycle(day.host, day.cycle.place, day.settings, ledger, lambda event: None)
    view = recalled.glance(cycle, told)
    document: Document = show.document(view, day.settings, ledger.steady.shown, {})
    return document


def crashed(folder: Path, policy: str = "") -> Day:
    day = Day(folder, policy=policy)
    day.run(20 * MINUTE)
    day.do("crash", "ctrmc")
    day.run(30)
    return day


def test_a_plan_counts_on_from_what_the_daemon_saw(tmp_path: Path) -> None:
    day = crashed(tmp_path)
    told = published(day)

    document = planned(day, told)

    assert [row["since"] for row in document["findings"]] == [row["since"] for row in told["findings"]] != [None]
    assert (document["decision"]["remedy"], document["decision"]["until"]) == ("start", told["decision"]["until"])
    assert document["started_at"] == told["started_at"]


def test_without_a_daemon_no_since_is_told(tmp_path: Path) -> None:
    day = crashed(tmp_path)

    document = planned(day, None)

    assert [row["since"] for row in document["findings"]] == [None]
    assert "since" not in show.plan_text(document)


@pytest.mark.parametrize("daemon", [True, False])
def test_what_the_ledger_knows_to_have_been_alive_was_seen_alive(daemon: bool, tmp_path: Path) -> None:
    day = crashed(tmp_path)

    document = planned(day, published(day) if daemon else None)

    assert "SRC logged its abnormal end" in document["findings"][0]["evidence"]


def test_an_rmc_that_has_hung_for_several_looks_is_found_hung(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.run(20 * MINUTE)
    day.do("hung_rmc")
    for _ in range(40):
        if day.cycle.findings:
            break
        day.run(30)
    told = published(day)

    document = planned(day, told)

    assert "rmc-hung" in [row["fault"] for row in told["findings"]]
    assert [row["fault"] for row in document["findings"]] == [row["fault"] for row in told["findings"]]
    assert "rmc-hung" not in [row["fault"] for row in planned(day, None)["findings"]]


def test_what_the_daemon_heard_in_the_logs_is_not_unheard_by_one_look(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.run(20 * MINUTE)
    day.do("storm")
    day.run(25 * MINUTE)
    told = published(day)

    document = planned(day, told)

    assert [row["fault"] for row in document["findings"]] == [row["fault"] for row in told["findings"]] != []
    assert (document["verdict"], show.plan_code(document)) == (told["verdict"], show.plan_code(told))
    assert planned(day, None)["findings"] == []


def test_since_when_an_hmc_answers_is_taken_over(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.run(20 * MINUTE)
    day.do("stick_session", mended_by=None)
    day.run(3 * MINUTE)
    told = published(day)

    document = planned(day, told)

    assert document["hmcs"][0]["answering_since"] == told["hmcs"][0]["answering_since"] is not None
    assert document["streaks"][0]["count"] == told["streaks"][0]["count"]


def test_while_a_remedy_is_under_way_what_else_is_wrong_is_told(tmp_path: Path) -> None:
    """The look sees only what the remedy does to RMC."""
    day = crashed(tmp_path)
    told = published(day)
    full = {"fault": "var-full", "side": "here", "subject": "", "evidence": "/var is 98% full", "since": told["taken_at"],
            "advice": "make room in /var", "grave": True}
    day.cycle.ledger.begin(Remedy.START, day.cycle.findings[0].fault, "", "E-1", "x")

    document = planned(day, {**told, "findings": [*told["findings"], full]})

    assert [row["fault"] for row in document["findings"]] == ["rmc-down", "var-full"]
    assert show.plan_code(document) == 11
    text = show.plan_text(document)
    assert text.startswith("* plan: a human is needed: var-full has no remedy here\n")
    assert "Besides: start is under way" in text or "Besides: rmc-down: start is under way" in text


@pytest.mark.parametrize("key", ["findings", "hmcs", "streaks", "subsystems", "started_at", "taken_at", "splay_from"])
@pytest.mark.parametrize("value", [None, "x", 7, [7, {}, {"fault": "x"}, {"address": 1, "answering_since": "y"}], {"ctrmc": 3},
                                   "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-01T00:00:00"])
def test_a_damaged_document_ends_no_plan(key: str, value: Any, tmp_path: Path) -> None:
    day = Day(tmp_path)

    document = planned(day, {**published(day), key: value})

    assert document["schema"] == 1
