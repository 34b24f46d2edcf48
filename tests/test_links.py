"""From what the HMCs show to what is wrong with the links: letters, reachability, flapping, retired HMCs, none at all."""
from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rmcagent.model import DomainStatus, Fact, Fault, KnownHmc, Link, ManagementServer, Side
from rmcagent.reason.diagnose import diagnose
from rmcagent.reason.links import management_expected, reachability, shows_no_hmc
from seen import (
    DAY,
    EMPTY,
    HMC1,
    HMC2,
    HOUR,
    NOON,
    faults,
    found,
    gap,
    history,
    hmc,
    inapplicable,
    missing,
    only,
    plain,
    point,
    policy,
    server,
    told,
    unasked,
    with_fact,
    with_hmcs,
)

# -- lost


def test_a_link_that_is_down_to_an_hmc_that_answers_is_link_down() -> None:
    one = only(plain(link=Link.DOWN))

    assert (one.fault, one.side) == (Fault.LINK_DOWN, Side.HERE)
    assert one.evidence == f"every known HMC is down by heartbeat (O): {HMC1}; {HMC1} answers on its RMC port"


def test_where_reachability_could_not_be_asked_link_down_says_so() -> None:
    one = only(with_hmcs(plain(), hmc(Link.DOWN, reachable=None)))

    assert one.fault is Fault.LINK_DOWN and "whether it can be reached could not be asked" in one.evidence


def test_no_hmc_that_answers_is_a_matter_of_the_network() -> None:
    one = only(with_hmcs(plain(), hmc(Link.DOWN, reachable=False), hmc(Link.DOWN, HMC2, reachable=False)))

    assert (one.fault, one.side) == (Fault.HMC_UNREACHABLE, Side.NETWORK)
    assert f"{HMC1}, {HMC2}" in one.evidence and "657" in one.advice and "12601" in one.advice


def test_one_that_does_not_answer_and_one_that_could_not_be_asked_are_not_called_unreachable() -> None:
    assert faults(with_hmcs(plain(), hmc(Link.DOWN, reachable=False), hmc(Link.DOWN, HMC2, reachable=None))) == (Fault.LINK_DOWN,)


@pytest.mark.parametrize("link, fault, side, word", [
    (Link.PENDING, Fault.LINK_PENDING, Side.IDENTITY, "(i)"),
    (Link.FLAPPING, Fault.LINK_FLAPPING, Side.IDENTITY, "(Z)"),
    (Link.SUSPENDED, Fault.LINK_BLOCKED, Side.NETWORK, "(X)"),
])
def test_each_letter_has_its_fault(link: Link, fault: Fault, side: Side, word: str) -> None:
    one = only(plain(link=link))

    assert (one.fault, one.side) == (fault, side)
    assert one.evidence.startswith(HMC1) and word in one.evidence


@pytest.mark.parametrize("link", [Link.PENDING, Link.FLAPPING, Link.SUSPENDED])
def test_the_letter_that_needs_most_names_the_fault(link: Link) -> None:
    beside = with_hmcs(plain(), hmc(Link.DOWN, reachable=False), hmc(link, HMC2))

    assert faults(beside) == faults(plain(link=link))


def test_one_hmc_lost_beside_a_working_one_is_link_partial_and_that_hmcs_matter() -> None:
    one = only(with_hmcs(plain(), hmc(Link.UP), hmc(Link.PENDING, HMC2)))

    assert (one.fault, one.side) == (Fault.LINK_PARTIAL, Side.HMC)
    assert one.evidence == f"{HMC2} (pending) lost while {HMC1} is connected"


@pytest.mark.parametrize("link", [Link.UP, Link.UNKNOWN])
def test_an_hmc_that_nothing_shows_any_more_is_not_lost(link: Link) -> None:
    assert found(with_hmcs(plain(), hmc(link), hmc(Link.UNKNOWN, HMC2))) == ()


@pytest.mark.parametrize("status", [gap(), missing(), unasked(), gap("garbled", timed_out=False)])
def test_without_rmcdomainstatus_nothing_is_said_of_links(status: Fact[DomainStatus]) -> None:
    assert found(plain(status=status)) == ()


# -- flapping and blocked


def test_a_link_that_changed_more_often_than_the_policy_allows_flaps() -> None:
    one = only(plain(link=Link.DOWN), link_changes={HMC1: 7})

    assert (one.fault, one.side) == (Fault.LINK_FLAPPING, Side.IDENTITY)
    assert one.evidence == (f"{HMC1} went up or down more than 6 times in 1h: often two nodes with one node id, or a network that"
                            " comes and goes")
    assert faults(plain(link=Link.DOWN), link_changes={HMC1: 6}) == (Fault.LINK_DOWN,)
    assert faults(plain(link=Link.DOWN), policy("faults: {flapping: 2/30m}"), link_changes={HMC1: 3}) == (Fault.LINK_FLAPPING,)


def test_the_changes_of_one_hmc_among_several_are_its_own_or_the_networks_to_it() -> None:
    one = only(with_hmcs(plain(), hmc(Link.UP), hmc(Link.UP, HMC2)), link_changes={HMC2: 7})

    assert (one.fault, one.side, one.grave) == (Fault.LINK_FLAPPING, Side.HMC, False)
    assert one.evidence == f"{HMC2} went up or down more than 6 times in 1h, and {HMC1} did not"
    assert "see that HMC and the network to it" in one.advice and "node id" not in one.advice


def test_an_hmc_that_nothing_shows_any_more_is_not_the_steady_one() -> None:
    one = only(with_hmcs(plain(), hmc(Link.UNKNOWN), hmc(Link.DOWN, HMC2)), link_changes={HMC2: 7})

    assert (one.side, one.grave) == (Side.IDENTITY, True)


def test_recfgct_is_named_for_a_link_that_flaps_only_with_z_and_in_a_cluster_with_its_procedure() -> None:
    letter = plain(link=Link.FLAPPING)
    counted = only(plain(link=Link.DOWN), link_changes={HMC1: 7})

    assert only(letter).advice.endswith("at a quiet hour run recfgct and rmcctrl -p by hand")
    assert "clmgr offline cluster ha_cl STOP_CAA=yes" in only(with_fact(
        with_fact(letter, "cluster.powerha_odm", told("ha_cl")), "cluster.caa", told("State of node:  UP"))).advice
    assert "recfgct" not in counted.advice and "another partition with this node id" in counted.advice


def test_what_is_wrong_beside_a_working_hmc_is_worth_a_warning_only() -> None:
    beside = [with_hmcs(plain(), hmc(Link.UP), hmc(link, HMC2)) for link in (Link.FLAPPING, Link.SUSPENDED, Link.DOWN)]

    assert not any(only(seen).grave for seen in beside)
    assert all(only(plain(link=link)).grave for link in (Link.FLAPPING, Link.SUSPENDED, Link.DOWN))


def test_a_link_that_flaps_is_told_while_it_is_up() -> None:
    assert faults(plain(link=Link.UP), link_changes={HMC1: 7}) == (Fault.LINK_FLAPPING,)


@pytest.mark.parametrize("link, fault", [(Link.FLAPPING, Fault.LINK_FLAPPING), (Link.SUSPENDED, Fault.LINK_BLOCKED)])
def test_beside_a_working_hmc_a_letter_keeps_its_own_fault_and_is_not_refreshed(link: Link, fault: Fault) -> None:
    assert faults(with_hmcs(plain(), hmc(Link.UP), hmc(link, HMC2))) == (fault,)


def test_one_that_flaps_and_one_that_is_lost_beside_a_working_one_are_told_apart() -> None:
    seen = with_hmcs(plain(), hmc(Link.UP), hmc(Link.FLAPPING, HMC2), hmc(Link.DOWN, "192.0.2.23"))

    partial, flapping = sorted(found(seen), key=lambda one: one.fault.value, reverse=True)

    assert (partial.fault, flapping.fault) == (Fault.LINK_PARTIAL, Fault.LINK_FLAPPING)
    assert "192.0.2.23" in partial.evidence and HMC2 not in partial.evidence and HMC2 in flapping.evidence


# -- retired


def retired(**heard: timedelta) -> Any:
    """An HMC that was last heard of so long ago."""
    return (KnownHmc(HMC1), replace(KnownHmc(HMC2), **{key: NOON - ago for key, ago in heard.items()}))


AWAY = with_hmcs(plain(), hmc(Link.UP), hmc(Link.DOWN, HMC2, reachable=False))


def test_an_hmc_silent_for_days_beside_one_that_works_is_stale_and_no_longer_called_lost() -> None:
    one = only(AWAY, known=retired(first_seen=90 * DAY, last_up=8 * DAY, last_answered=7 * DAY))

    assert (one.fault, one.side) == (Fault.STALE_HMC, Side.CONFIG)
    assert one.evidence.startswith(f"{HMC2} was neither connected nor reachable for 7d, while {HMC1} is connected")


@pytest.mark.parametrize("heard", [
    {"first_seen": 90 * DAY, "last_up": 7 * DAY - HOUR},
    {"first_seen": 90 * DAY, "last_up": 9 * DAY, "last_answered": HOUR},
    {"first_seen": 6 * DAY},
    {},
], ids=["up-lately", "answered-lately", "known-lately", "unheard-of"])
def test_an_hmc_heard_of_lately_is_lost_and_not_stale(heard: Any) -> None:
    assert faults(AWAY, known=retired(**heard)) == (Fault.LINK_PARTIAL,)


@pytest.mark.parametrize("reachable", [True, None])
def test_an_hmc_that_answers_or_could_not_be_asked_is_not_stale(reachable: Any) -> None:
    seen = with_hmcs(plain(), hmc(Link.UP), hmc(Link.DOWN, HMC2, reachable=reachable))

    assert faults(seen, known=retired(first_seen=90 * DAY)) == (Fault.LINK_PARTIAL,)


def test_without_a_working_hmc_none_is_called_stale() -> None:
    seen = with_hmcs(plain(), hmc(Link.DOWN, reachable=False), hmc(Link.DOWN, HMC2, reachable=False))

    assert faults(seen, known=retired(first_seen=90 * DAY)) == (Fault.HMC_UNREACHABLE,)


def named(address: str, name: str) -> ManagementServer:
    return replace(server(address), name=name)


def test_one_address_under_two_names_is_an_hmc_that_was_replaced() -> None:
    seen = plain(link=Link.UP, mcp=told((named(HMC1, "7042CR9*1111111"), named(HMC1, "7063CR1*2222222"), named(HMC2, "V1*3"))))

    one = only(seen)

    assert (one.fault, one.side, one.subject) == (Fault.STALE_HMC, Side.CONFIG, "IBM.MCP")
    assert one.evidence == f"IBM.MCP knows {HMC1} as 7042CR9*1111111 and as 7063CR1*2222222"


def test_however_many_addresses_have_two_names_they_are_one_finding_that_names_a_few() -> None:
    many = tuple(named(f"192.0.2.{number}", name) for number in range(200) for name in ("7042CR9*1111111", "V1*3"))

    one = only(plain(link=Link.UP, mcp=told(many)))

    assert one.subject == "IBM.MCP" and one.evidence.count("7042CR9*1111111") == 4


def test_one_name_told_twice_or_not_at_all_is_nobody_replaced() -> None:
    twice = told((named(HMC1, "7042CR9*1111111"), named(HMC1, "7042CR9*1111111"), named(HMC2, ""), named(HMC2, "V1*3")))

    assert found(plain(link=Link.UP, mcp=twice)) == ()


# -- no HMC


def test_no_hmc_anywhere_in_two_looks_where_one_was_seen_before_is_no_hmc() -> None:
    one = only(plain(**EMPTY), empty_looks=2)

    assert (one.fault, one.side) == (Fault.NO_HMC, Side.HERE)
    assert one.evidence.endswith(f"expected: {HMC1}")
    assert found(plain(**EMPTY), empty_looks=1) == ()


@pytest.mark.parametrize(
    "text, known, expected",
    [
        ("", True, True),
        ("", False, False),
        ("expect: {hmcs: [192.0.2.9]}", False, True),
        ("expect: {management: required}", False, True),
        ("expect: {management: none}", True, False),
    ],
)
def test_no_hmc_is_a_fault_only_where_one_is_expected(text: str, known: bool, expected: bool) -> None:
    past = history() if known else history(known=())

    assert management_expected(past, policy(text)) is expected
    assert bool(diagnose(plain(**EMPTY), replace(past, empty_looks=2), policy(text))) is expected


@pytest.mark.parametrize("where", ["status", "mcp", "servers", "in_band"])
def test_an_answer_that_could_not_be_had_is_not_an_empty_one(where: str) -> None:
    for untold in (gap(), unasked()):
        seen = with_fact(plain(**EMPTY), where, untold)

        assert not shows_no_hmc(seen)
        assert Fault.NO_HMC not in faults(seen, empty_looks=9)


@pytest.mark.parametrize("where", ["status", "mcp"])
def test_an_essential_command_that_is_missing_is_not_an_empty_answer(where: str) -> None:
    assert not shows_no_hmc(with_fact(plain(**EMPTY), where, missing()))


@pytest.mark.parametrize(
    "where, value",
    [("status", DomainStatus((point(Link.DOWN),))), ("mcp", (server(),)), ("servers", (server(),)), ("in_band", ("hmc1",))],
)
def test_anything_that_names_an_hmc_shows_one(where: str, value: Any) -> None:
    assert not shows_no_hmc(with_fact(plain(**EMPTY), where, told(value)))


def test_the_older_class_and_mcproxy_need_not_be_here() -> None:
    assert shows_no_hmc(plain(**{**EMPTY, "servers": missing(), "in_band": missing()}))
    assert shows_no_hmc(plain(**{**EMPTY, "servers": inapplicable(), "in_band": inapplicable()}))
    assert shows_no_hmc(plain(**{**EMPTY, "in_band": told(())}))


# -- reachability


def test_reachability_is_one_mark_an_hmc_in_the_order_of_their_addresses() -> None:
    seen = with_hmcs(
        plain(), hmc(Link.DOWN, HMC2, reachable=None), hmc(Link.DOWN, HMC1, reachable=False), hmc(Link.UP, "192.0.2.23")
    )

    assert reachability(seen) == f"-{HMC1} ?{HMC2} +192.0.2.23"
