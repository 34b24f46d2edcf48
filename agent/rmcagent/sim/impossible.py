"""What a partition cannot be: rules that hold after every simulated event, so that no scenario proves anything by a lie."""
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Callable, Optional, Tuple

from rmcagent.model import Platform, State

if TYPE_CHECKING:
    from rmcagent.sim.partition.machine import Machine

# PowerHA's states with its services down [documented]; in every other one CAA must be up.
POWERHA_AT_REST = ("", "ST_INIT", "NOT_CONFIGURED")


class Impossible(Exception):
    """The simulated partition was brought into a state that no partition can be in."""


def check(partition: Machine) -> None:
    """Raise Impossible, naming the rule, when any is broken."""
    for rule in RULES:
        because = rule(partition)
        if because:
            raise Impossible(f"{rule.__name__}: {because}")


def a_pid_belongs_to_what_runs(partition: Machine) -> Optional[str]:
    for row in partition.subsystems.values():
        running = row.state is not State.INOPERATIVE
        if running != (row.pid is not None):
            return f"{row.name} is {row.state.value} with pid {row.pid}"
    return None


def no_two_subsystems_share_a_pid(partition: Machine) -> Optional[str]:
    pids = [row.pid for row in partition.subsystems.values() if row.pid is not None]
    return None if len(set(pids)) == len(pids) else f"pids {sorted(pids)}"


def a_session_needs_both_ends(partition: Machine) -> Optional[str]:
    for hmc in partition.hmcs:
        if hmc.connected and partition.keeps_apart(hmc):
            return f"HMC {hmc.address} is connected although {partition.keeps_apart(hmc)}"
    return None


def a_connected_hmc_is_known(partition: Machine) -> Optional[str]:
    return next((hmc.address for hmc in partition.hmcs if hmc.connected and not hmc.known), None)


def one_address_has_one_session(partition: Machine) -> Optional[str]:
    addresses = [hmc.address for hmc in partition.hmcs if hmc.connected]
    return None if len(set(addresses)) == len(addresses) else f"{sorted(addresses)}"


def a_node_is_online_in_one_domain_at_most(partition: Machine) -> Optional[str]:
    online = [name for name, state in partition.domains.items() if state == "Online"]
    return f"online in {', '.join(online)}" if len(online) > 1 else None


def an_online_domain_has_group_services(partition: Machine) -> Optional[str]:
    if "Online" in partition.domains.values() and partition.state("cthags") is not State.ACTIVE:
        return f"cthags is {partition.state('cthags')} while {partition.cluster_name} is online"
    return None


def powerha_services_need_caa(partition: Machine) -> Optional[str]:
    if partition.powerha not in POWERHA_AT_REST and partition.caa != "active":
        return f"clstrmgrES is {partition.powerha} while CAA is {partition.caa or 'absent'}"
    return None


def a_storage_pool_cluster_stands_on_caa(partition: Machine) -> Optional[str]:
    return f"{partition.ssp} without CAA" if partition.ssp and not partition.caa else None


def each_platform_has_its_own_clusters(partition: Machine) -> Optional[str]:
    if partition.platform is Platform.LINUX and (partition.caa or partition.powerha):
        return "CAA and PowerHA are of AIX and VIOS"
    return f"{partition.ssp} outside a VIOS" if partition.ssp and partition.platform is not Platform.VIOS else None


def in_band_hosts_come_through_mcproxy(partition: Machine) -> Optional[str]:
    return "mcproxy is not on file" if partition.in_band_hosts and "mcproxy" not in partition.subsystems else None


def var_holds_no_more_than_it_can(partition: Machine) -> Optional[str]:
    free, size = partition.var_free, partition.var_size
    return None if 0 <= free <= size else f"{free} of {size} bytes are free"


def a_node_id_is_sixteen_hex_digits(partition: Machine) -> Optional[str]:
    ids = (partition.node_id, partition.node_id_copy)
    return next((node_id for node_id in ids if not re.fullmatch("[0-9a-f]{16}", node_id)), None)


def a_boot_lies_in_the_past(partition: Machine) -> Optional[str]:
    late = partition.booted_at - partition.clock.monotonic()
    return f"it booted {late:g} seconds from now" if late > 0 else None


RULES: Tuple[Callable[[Machine], Optional[str]], ...] = (
    a_pid_belongs_to_what_runs,
    no_two_subsystems_share_a_pid,
    a_session_needs_both_ends,
    a_connected_hmc_is_known,
    one_address_has_one_session,
    a_node_is_online_in_one_domain_at_most,
    an_online_domain_has_group_services,
    powerha_services_need_caa,
    a_storage_pool_cluster_stands_on_caa,
    each_platform_has_its_own_clusters,
    in_band_hosts_come_through_mcproxy,
    var_holds_no_more_than_it_can,
    a_node_id_is_sixteen_hex_digits,
    a_boot_lies_in_the_past,
)
