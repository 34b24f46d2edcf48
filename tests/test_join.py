"""Everything that knows an HMC names it once: by node id, by any of its addresses, by memory."""
from __future__ import annotations

from typing import Sequence, Tuple

import pytest

from rmcagent.model import ControlPoint, DomainStatus, Hmc, KnownHmc, Link, ManagementServer
from rmcagent.partition.join import MOST_HMCS, join

HMC, OTHER, SIX = "192.0.2.21", "192.0.2.22", "2001:db8::21"
NODE, OTHER_NODE = "00000000000000aa", "00000000000000bb"


def point(address: str = HMC, node: str = NODE, link: Link = Link.DOWN) -> ControlPoint:
    return ControlPoint(node, address, link)


def server(address: str = HMC, node: str = NODE, *others: str, name: str = "7063CR1*1300001") -> ManagementServer:
    return ManagementServer(address, name, node, (address, *others))


def joined(points: Sequence[ControlPoint] = (), mcp: Sequence[ManagementServer] = (), servers: Sequence[ManagementServer] = (),
           in_band: Sequence[str] = (), known: Sequence[KnownHmc] = (), expected: Sequence[str] = ()) -> Tuple[Hmc, ...]:
    return join(DomainStatus(tuple(points)), mcp, servers, in_band, known, expected)


def test_a_control_point_and_its_resource_are_one_hmc_by_node_id() -> None:
    assert joined([point(OTHER)], [server(HMC)]) == (Hmc(OTHER, "7063CR1*1300001", NODE, Link.DOWN),)


def test_they_are_one_by_any_of_its_addresses() -> None:
    assert joined([point(SIX, OTHER_NODE)], [server(HMC, NODE, SIX)]) == (Hmc(SIX, "7063CR1*1300001", OTHER_NODE, Link.DOWN),)


def test_a_resource_of_the_same_node_id_counts_more_than_one_of_the_same_address() -> None:
    stale, right = server(HMC, OTHER_NODE, name="old"), server(OTHER, NODE, name="new")

    assert joined([point(HMC, NODE)], [stale, right])[0].name == "new"


def test_an_older_resource_is_joined_by_its_address() -> None:
    old = ManagementServer(HMC, addresses=(HMC, "hmc1.example"))

    assert joined([point()], [], [old]) == (Hmc(HMC, "", NODE, Link.DOWN),)
    assert joined([], [], [old]) == (Hmc(HMC),)


def test_a_resource_that_no_control_point_shows_is_an_hmc_of_its_own() -> None:
    hmcs = joined([point(HMC, NODE, Link.UP)], [server(HMC, NODE), server(OTHER, OTHER_NODE)])

    assert [(hmc.address, hmc.link) for hmc in hmcs] == [(HMC, Link.UP), (OTHER, Link.UNKNOWN)]


def test_of_a_stale_and_a_new_hmc_at_one_address_the_connected_one_counts() -> None:
    stale, new = point(HMC, NODE, Link.DOWN), point(HMC, OTHER_NODE, Link.UP)

    assert [hmc.link for hmc in joined([stale, new])] == [hmc.link for hmc in joined([new, stale])] == [Link.UP]
    assert joined([stale, new])[0].node_id == OTHER_NODE


def test_in_band_hosts_are_connected() -> None:
    assert joined([point()], [server()], in_band=["hmc1"])[-1] == Hmc("hmc1", link=Link.UP, in_band=True)


@pytest.mark.parametrize("known", [
    KnownHmc(HMC), KnownHmc(OTHER), KnownHmc("192.0.2.99", node_id=NODE), KnownHmc(HMC, node_id=OTHER_NODE),
], ids=["by address", "by another address", "by node id", "by address, though the id is new"])
def test_a_remembered_hmc_that_is_there_is_not_there_twice(known: KnownHmc) -> None:
    with_status = joined([point()], [server(HMC, NODE, OTHER)], known=[known])
    by_resource_only = joined([], [server(HMC, NODE, OTHER)], known=[known])

    assert (len(with_status), len(by_resource_only)) == (1, 1)


def test_what_nothing_shows_any_more_is_remembered_and_what_the_site_names_is_expected() -> None:
    hmcs = joined([point()], known=[KnownHmc(OTHER, "7063CR1*1300002", OTHER_NODE)], expected=[HMC, SIX, OTHER])

    assert [(hmc.address, hmc.name, hmc.link) for hmc in hmcs] == [
        (HMC, "", Link.DOWN), (OTHER, "7063CR1*1300002", Link.UNKNOWN), (SIX, "", Link.UNKNOWN)]


def test_of_too_many_hmcs_a_connected_one_is_never_cut_off() -> None:
    many = [point(f"198.51.100.{number}", f"{number:016x}") for number in range(60)]

    hmcs = joined([*many, point(HMC, NODE, Link.UP)])

    assert len(hmcs) == MOST_HMCS
    assert (hmcs[0].address, hmcs[0].link) == (HMC, Link.UP)


def test_without_any_answer_there_are_those_remembered() -> None:
    assert join(None, (), (), (), [KnownHmc(HMC)], [HMC]) == (Hmc(HMC),)
