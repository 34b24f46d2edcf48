"""Who this node is: ids that disagree, a copy of another partition, and what neither is."""
from __future__ import annotations

from dataclasses import replace
from typing import Any, Tuple

import pytest

from rmcagent.model import Fact, Fault, Link, PeerDomain, Side, Snapshot, StandingFacts
from rmcagent.reason.nodes import accepted, moved_parts, node_faults, whole_identity
from seen import DEFAULTS, gap, history, inapplicable, missing, plain, told, unasked, with_fact

NODE, OTHER = "0123456789abcdef", "fedcba9876543210"
HERE = "system=IBM,9009-42A*7812345 partition=4 uuid=c0ffee00000000000000000000000004"
ELSEWHERE = "system=IBM,9009-42A*7854321 partition=7 uuid=c0ffee00000000000000000000000007"
AGREED = StandingFacts(told(NODE), told(NODE), told(NODE), told(""), told(""), inapplicable())


def node(link: Link = Link.DOWN, identity: str = HERE, **standing: Any) -> Snapshot:
    seen = plain(link=link, standing=replace(AGREED, **standing))
    return replace(seen, vitals=replace(seen.vitals, identity=identity))


def faults(seen: Snapshot, before: str = "") -> Tuple[Fault, ...]:
    return tuple(one.fault for one in node_faults(seen, history(identity_before=before), DEFAULTS))


# -- clash


@pytest.mark.parametrize("odd", ["node_file", "node_copy", "node_command"])
def test_node_ids_that_disagree_are_a_clash_that_names_each(odd: str) -> None:
    (one,) = node_faults(node(**{odd: told(OTHER)}), history(), DEFAULTS)

    assert (one.fault, one.side) == (Fault.IDENTITY_CLASH, Side.IDENTITY)
    assert NODE in one.evidence and OTHER in one.evidence and "recfgct -s" in one.advice


@pytest.mark.parametrize("odd", ["node_file", "node_copy", "node_command"])
@pytest.mark.parametrize("untold", [gap(), missing(), unasked()])
def test_an_id_that_could_not_be_had_disagrees_with_none(odd: str, untold: Fact[str]) -> None:
    assert faults(node(**{odd: untold})) == ()


def test_ids_that_agree_are_no_fault() -> None:
    assert faults(node()) == ()


# -- clone


def test_a_node_id_on_another_partition_whose_uuid_is_another_is_a_copy() -> None:
    (one,) = node_faults(node(identity=ELSEWHERE), history(identity_before=HERE), DEFAULTS)

    assert (one.fault, one.side) == (Fault.CLONED_NODE, Side.IDENTITY)
    assert all(word in one.evidence for word in (NODE, HERE, ELSEWHERE, "UUID"))


def test_a_node_id_on_another_machine_whose_link_flaps_is_a_copy() -> None:
    moved = HERE.replace("7812345", "7899999")

    assert faults(node(Link.FLAPPING, moved), HERE) == (Fault.CLONED_NODE,)
    assert "(Z)" in next(node_faults(node(Link.FLAPPING, moved), history(identity_before=HERE), DEFAULTS)).evidence


@pytest.mark.parametrize("link", [Link.DOWN, Link.PENDING, Link.UP])
def test_a_partition_that_only_moved_is_no_copy(link: Link) -> None:
    """Remote restart and Live Partition Mobility change the machine and the partition's number, and keep its UUID."""
    assert faults(node(link, HERE.replace("7812345", "7899999").replace("partition=4", "partition=9")), HERE) == ()


def test_an_identity_of_which_a_part_is_untold_has_not_changed() -> None:
    assert faults(node(Link.FLAPPING, "system=IBM,9009-42A*7812345"), HERE) == ()
    assert faults(node(Link.FLAPPING, ""), HERE) == () == faults(node(Link.FLAPPING), "")


def test_where_caas_device_keeps_a_uuid_the_advice_says_what_must_come_first() -> None:
    (one,) = node_faults(node(identity=ELSEWHERE, cluster0=told("1602a950-e651-11e1-84be-00145e76c700")),
                         history(identity_before=HERE), DEFAULTS)

    assert one.advice.startswith("first chdev -l cluster0 -a node_uuid=00000000-")


def advice_of(seen: Snapshot) -> str:
    return next(node_faults(seen, history(identity_before=HERE), DEFAULTS)).advice


def test_recfgct_is_advised_by_itself_only_where_there_is_no_cluster() -> None:
    copy = node(identity=ELSEWHERE)
    clustered = with_fact(copy, "cluster.powerha_odm", told("ha_cl"))
    unsure = with_fact(copy, "cluster.caa", gap())
    offline = with_fact(copy, "cluster.peer_domains", told((PeerDomain("pd_old", "Offline"),)))

    assert advice_of(copy).endswith("at a quiet hour run recfgct and rmcctrl -p by hand")
    assert "run recfgct and rmcctrl -p by hand; then start PowerHA" in advice_of(clustered)
    assert "rmrpdomain -f pd_old" in advice_of(offline)
    assert "no recfgct here before rmcagent plan calls the cluster absent" in advice_of(unsure)
    assert not any("quiet hour" in advice_of(seen) for seen in (clustered, unsure, offline))


def test_beside_a_working_hmc_an_identity_is_no_matter_for_the_night() -> None:
    assert [next(node_faults(node(link, ELSEWHERE), history(identity_before=HERE), DEFAULTS)).grave
            for link in (Link.UP, Link.DOWN)] == [False, True]


def test_a_copy_that_an_hmc_has_accepted_is_no_reason_for_what_is_wrong_now_unless_the_link_flaps() -> None:
    past = history(identity_before=HERE, identity_accepted=True)

    def is_accepted(link: Link) -> bool:
        seen = node(link, ELSEWHERE)
        return accepted(next(node_faults(seen, past, DEFAULTS)), seen, past)

    assert [is_accepted(link) for link in (Link.DOWN, Link.PENDING, Link.FLAPPING)] == [True, True, False]


# -- identities


@pytest.mark.parametrize("before, now, moved", [
    (HERE, HERE, ()),
    (HERE, ELSEWHERE, ("system", "partition", "uuid")),
    (HERE, "system=IBM,9009-42A*7854321", ("system",)),
    ("uuid=1", "system=2", ()),
    ("", HERE, ()),
    ("garbage", HERE, ()),
    (HERE, HERE.replace("c0ffee", "C0FFEE"), ()),
    (HERE, HERE.replace("uuid=c0ffee00", "uuid=c0ffee00-"), ()),
    (HERE.replace("uuid=", "uuid=lsattr:_0514-532_warning_"), HERE, ()),
    (HERE, "uuid=none", ()),
])
def test_moved_parts_are_those_told_differently(before: str, now: str, moved: Tuple[str, ...]) -> None:
    assert moved_parts(before, now) == moved


def test_a_part_that_is_untold_now_is_as_it_was() -> None:
    assert whole_identity(HERE, "system=IBM,9009-42A*7854321") == HERE.replace("7812345", "7854321")
    assert whole_identity("", HERE) == HERE
