"""One look at a simulated partition: every fact's how, the join of HMCs, what is asked when and in which order."""
from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import pytest

from rmcagent import config
from rmcagent.clock import Steady
from rmcagent.model import (
    Answer,
    DomainStatus,
    Fact,
    How,
    KnownHmc,
    Link,
    PeerDomain,
    Platform,
    Snapshot,
    State,
    Stop,
)
from rmcagent.partition import causes, parse
from rmcagent.partition.observe import Observer
from rmcagent.partition.platform import place
from rmcagent.sim.clock import VirtualClock
from rmcagent.sim.partition import Partition, SimHost

HMC, OTHER, SIX = "192.0.2.21", "192.0.2.22", "2001:db8::21"
NODE, OTHER_NODE = "00000000000000aa", "00000000000000bb"
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=timezone.utc)
MINUTE = 60.0
HOUR = 3600.0
NEED_RMCD = ("lsrsrc", "rmcdomainstatus", "lsrpdomain")
EVERY_PLATFORM = pytest.mark.parametrize("platform", list(Platform))


class Scene:
    """A simulated partition and somebody who looks at it."""

    def __init__(self, platform: Platform = Platform.AIX, hmcs: Sequence[str] = (HMC,), policy: str = "",
                 host: type = SimHost) -> None:
        self.clock = VirtualClock()
        self.partition = Partition(self.clock, platform, hmcs)
        self.host: SimHost = host(self.partition, self.clock)
        self.policy = policy
        self.start()

    def start(self) -> None:
        """A new agent, which remembers nothing."""
        listed = "".join(f"  {name}: /sim/bin/{name}\n" for name in self.partition.commands)
        settings = config.parse(f"platform: {self.partition.platform.value}\ncommands:\n{listed}{self.policy}").settings
        steady = Steady(self.clock, self.clock.now(), self.clock.monotonic())
        self.observer = Observer(self.host, place(self.host, settings), settings, steady)

    def look(self, known: Sequence[KnownHmc] = (), suspicious: bool = False) -> Snapshot:
        self.host.asked.clear()
        return self.observer.look(known, suspicious)

    def evidence(self, known: Sequence[KnownHmc] = ()) -> Snapshot:
        self.host.asked.clear()
        return self.observer.evidence(known)

    def asked(self) -> List[str]:
        """The commands asked by the last look, in their order."""
        return [line.split()[0] for line in self.host.asked]


def hows(seen: Snapshot) -> Dict[str, How]:
    facts = {field.name: getattr(seen, field.name) for field in fields(seen)}
    facts.update({field.name: getattr(seen.cluster, field.name) for field in fields(seen.cluster)})
    facts.update({field.name: getattr(seen.standing, field.name) for field in fields(seen.standing)})
    facts.update({field.name: getattr(seen.busy, field.name) for field in fields(seen.busy)})
    return {name: fact.how for name, fact in facts.items() if isinstance(fact, Fact)}


def abouts(seen: Snapshot) -> List[str]:
    return [gap.about for gap in seen.gaps]


SEEN, GAP, MISSING, UNASKED, INAPPLICABLE = How.SEEN, How.GAP, How.MISSING, How.UNASKED, How.INAPPLICABLE
HEALTHY: Mapping[str, How] = {
    "subsystems": SEEN, "status": SEEN, "mcp": SEEN, "servers": INAPPLICABLE, "in_band": INAPPLICABLE, "stop": UNASKED,
    "logs": SEEN, "var": SEEN, "ct_cluster": SEEN, "peer_domains": SEEN, "caa": SEEN, "caavg": SEEN, "powerha": INAPPLICABLE,
    "powerha_odm": SEEN, "ssp": MISSING, "migration": UNASKED, "processes": UNASKED,
    "remote": UNASKED, "node_file": SEEN, "node_copy": SEEN, "node_command": SEEN, "cluster0": SEEN, "at_boot": SEEN,
    "lparmgr": INAPPLICABLE,
}
OF_PLATFORM: Mapping[Platform, Mapping[str, How]] = {
    Platform.AIX: {},
    Platform.VIOS: {"ssp": SEEN, "lparmgr": SEEN},
    Platform.LINUX: {"caa": MISSING, "caavg": MISSING, "powerha_odm": MISSING, "cluster0": INAPPLICABLE},
}


# ---- healthy -----------------------------------------------------------------------------------------------------------


@EVERY_PLATFORM
def test_a_healthy_partition_is_seen_whole(platform: Platform) -> None:
    scene = Scene(platform)

    seen = scene.look()

    assert hows(seen) == {**HEALTHY, **OF_PLATFORM[platform]}
    assert (seen.gaps, seen.complete, seen.fresh, seen.platform) == ((), True, False, platform)
    assert [(hmc.address, hmc.link, hmc.reachable) for hmc in seen.hmcs] == [(HMC, Link.UP, None)]
    assert seen.required == ("ctrmc", "IBM.DRM", "IBM.MgmtDomainRM")
    assert (seen.state_of("ctrmc"), seen.ctrmc_alive) == (State.ACTIVE, True)


@EVERY_PLATFORM
def test_evidence_asks_also_what_else_is_under_way(platform: Platform) -> None:
    scene = Scene(platform)
    scene.look()

    seen = scene.evidence()

    assert hows(seen) == {**HEALTHY, **OF_PLATFORM[platform], "migration": SEEN, "processes": SEEN}
    assert (seen.busy.migration.value, seen.fresh, seen.gaps) == ("", True, ())
    assert "IBM.DRM" in (seen.busy.processes.value or ())


@EVERY_PLATFORM
def test_each_fact_is_dated_when_its_answer_ended(platform: Platform) -> None:
    scene = Scene(platform)

    seen = scene.evidence()

    assert seen.subsystems.at and seen.status.at and seen.cluster.ct_cluster.at
    assert seen.cluster.ct_cluster.at < seen.subsystems.at < seen.status.at <= seen.taken_at


# ---- ctrmc is down -----------------------------------------------------------------------------------------------------


@EVERY_PLATFORM
@pytest.mark.parametrize("end", ["crash", "stop_cleanly"])
def test_with_ctrmc_down_nothing_that_needs_rmcd_is_even_run(platform: Platform, end: str) -> None:
    scene = Scene(platform)
    scene.look()
    getattr(scene.partition, end)()

    seen = scene.look()

    told = hows(seen)
    assert not set(scene.asked()) & set(NEED_RMCD)
    assert {told[name] for name in ("status", "mcp", "servers")} == {UNASKED}
    assert (told["stop"], seen.complete, seen.state_of("ctrmc")) == (SEEN, True, State.INOPERATIVE)


@EVERY_PLATFORM
def test_before_a_deed_rmcdomainstatus_alone_is_asked_even_then(platform: Platform) -> None:
    scene = Scene(platform)
    scene.look()
    scene.partition.crash()

    told = hows(scene.evidence())

    assert set(scene.asked()) & set(NEED_RMCD) == {"rmcdomainstatus"}
    assert (told["status"], told["mcp"], told["peer_domains"], told["stop"]) == (GAP, UNASKED, UNASKED, SEEN)


def test_a_missing_lsrpdomain_is_missing_with_ctrmc_down_too() -> None:
    scene = Scene()
    scene.partition.crash()
    scene.partition.remove_command("lsrpdomain")

    assert scene.evidence().cluster.peer_domains.how is MISSING


def test_a_ctrmc_whose_pid_is_gone_is_not_asked_though_lssrc_calls_it_active() -> None:
    class Ghost(SimHost):
        def alive(self, pid: int) -> Optional[bool]:
            return False

    scene = Scene(host=Ghost)

    seen = scene.look()

    assert (seen.state_of("ctrmc"), seen.ctrmc_alive) == (State.ACTIVE, False)
    assert not set(scene.asked()) & set(NEED_RMCD)
    assert seen.stop.seen


@pytest.mark.parametrize("state", [State.STARTING, State.STOPPING])
def test_while_ctrmc_moves_it_is_not_asked(state: State) -> None:
    scene = Scene()
    scene.partition.row("ctrmc").state = state

    seen = scene.look()

    assert not set(scene.asked()) & set(NEED_RMCD)
    assert (seen.status.how, seen.stop.how) == (UNASKED, UNASKED)


# ---- what cannot be told -----------------------------------------------------------------------------------------------


@EVERY_PLATFORM
def test_a_hung_rmcd_costs_time_and_is_a_gap(platform: Platform) -> None:
    scene = Scene(platform)
    scene.partition.hung_rmc()

    seen = scene.look()

    told = hows(seen)
    assert (told["status"], told["mcp"], told["servers"], told["peer_domains"]) == (GAP, GAP, UNASKED, GAP)
    assert seen.status.timed_out and seen.mcp.timed_out and not seen.complete
    assert seen.lssrc_took < 1 and seen.ctrmc_alive


@EVERY_PLATFORM
def test_each_command_that_cannot_be_understood_is_a_gap_and_none_raises(platform: Platform) -> None:
    facts = {"lssrc": "subsystems", "rmcdomainstatus": "status", "lsrsrc": "mcp", "lsrpdomain": "peer_domains", "lspv": "caavg",
             "ioscli": "ssp", "ct_clusterinfo": "ct_cluster", "odmget": "powerha_odm"}
    for command, fact in facts.items():
        for trick in ("garble_command", "cut_command", "hang_command", "fail_command"):
            scene = Scene(platform)
            if command not in scene.partition.commands:
                continue
            # Where there is none, nothing is said that could be cut.
            scene.partition.powerha_name, scene.partition.domains = "ha_cl", {"pd1": "Offline"}
            if command == "ioscli":
                scene.partition.start_ssp()
            getattr(scene.partition, trick)(command)

            seen = scene.look()

            assert hows(seen)[fact] is GAP, f"{trick} {command}"
            assert seen.gaps, f"{trick} {command}"


@EVERY_PLATFORM
def test_no_odd_behaviour_of_any_command_raises(platform: Platform) -> None:
    tricks = ("garble_command", "cut_command", "hang_command", "fail_command", "empty_command", "localise", "remove_command")
    for command in Partition(VirtualClock(), platform).commands:
        for trick in tricks:
            scene = Scene(platform)
            getattr(scene.partition, trick)(command)

            seen = (scene.look(), scene.evidence())

            assert all(isinstance(look, Snapshot) for look in seen)
            if trick != "localise":
                scene.partition.crash()
                assert scene.evidence().taken_at > seen[1].taken_at


@pytest.mark.parametrize("command, fact, gap", [
    ("lssrc", "subsystems", True), ("rmcdomainstatus", "status", True), ("lsrsrc", "mcp", True),
    ("lsrpdomain", "peer_domains", False), ("ct_clusterinfo", "ct_cluster", False), ("lspv", "caavg", False),
    ("lscluster", "caa", False), ("odmget", "powerha_odm", False),
])
def test_what_is_not_installed_is_an_answer_and_a_gap_only_where_every_partition_has_it(command: str, fact: str,
                                                                                      gap: bool) -> None:
    scene = Scene()
    scene.partition.remove_command(command)

    seen = scene.look()

    assert hows(seen)[fact] is MISSING
    assert bool(seen.gaps) == gap
    assert seen.complete == (not gap)


def test_with_lssrc_hung_rmc_is_asked_all_the_same() -> None:
    scene = Scene()
    scene.partition.hang_command("lssrc")

    seen = scene.look()

    assert (seen.subsystems.how, seen.status.how, seen.required, seen.in_band.how) == (GAP, SEEN, (), UNASKED)
    assert (seen.ctrmc_alive, seen.complete, seen.state_of("ctrmc")) == (None, False, None)


def test_a_state_that_nobody_knows_is_a_gap() -> None:
    scene = Scene()
    text = scene.host.run(("/sim/bin/lssrc", "-a"), 20).stdout
    scene.partition.garble_command("lssrc -a", text.replace("active", "dormant"))

    seen = scene.look()

    assert seen.state_of("ctrmc") is State.UNKNOWN
    assert "ctrmc" in abouts(seen) and seen.status.seen


def test_a_file_system_that_cannot_be_asked_is_a_gap() -> None:
    class Blind(SimHost):
        def space(self, path: str) -> None:
            return None

    seen = Scene(host=Blind).look()

    assert (seen.var.how, seen.complete, abouts(seen)) == (GAP, False, ["df"])


def test_processes_that_cannot_be_listed_are_a_gap() -> None:
    class Blind(SimHost):
        def processes(self) -> None:
            return None

    scene = Scene(host=Blind)

    assert scene.evidence().busy.processes.how is GAP
    assert scene.observer.crowd(scene.look()).busy.processes.how is GAP


def test_a_crowd_is_what_runs_and_nothing_else_is_asked() -> None:
    scene = Scene()
    seen = scene.look()
    scene.partition.run_program("installp")
    scene.host.asked.clear()

    crowded = scene.observer.crowd(seen)

    assert "installp" in (crowded.busy.processes.value or ())
    assert (scene.host.asked, replace(crowded, busy=seen.busy)) == ([], seen)


@pytest.mark.parametrize("platform", list(Platform), ids=lambda platform: platform.value)
def test_who_else_is_at_work_is_asked_last_for_rmcdomainstatus_may_take_its_time(platform: Platform) -> None:
    class Moved(SimHost):
        def run(self, argv: Sequence[str], timeout: float, keep: int = 1 << 20) -> Answer:
            answer = super().run(argv, timeout, keep)
            if argv[0].endswith("/rmcdomainstatus") and not self.partition.migrating:
                self.partition.start_migration()
            return answer

    seen = Scene(platform, host=Moved).evidence()

    assert "drmgr" in (seen.busy.processes.value or ())
    assert platform is not Platform.LINUX or "drmgr holds its lock" in (seen.busy.migration.value or "")


def test_each_command_has_the_time_the_policy_gives_it() -> None:
    scene = Scene(policy="timeout: 7s\ntimeouts: {lspv: 40s}\n")
    scene.partition.hang_command("lspv")
    scene.partition.hang_command("ct_clusterinfo")
    before = scene.clock.monotonic()

    scene.look()

    assert 47 <= scene.clock.monotonic() - before < 50


# ---- subsystems --------------------------------------------------------------------------------------------------------


def test_a_row_that_lssrc_leaves_out_is_looked_up_by_name() -> None:
    scene = Scene()
    scene.partition.end("IBM.DRM")
    table = scene.host.run(("/sim/bin/lssrc", "-a"), 20).stdout
    scene.partition.garble_command("lssrc -a", "".join(line for line in table.splitlines(True) if "IBM.DRM" not in line))

    seen = scene.look()

    assert "lssrc -s IBM.DRM" in scene.host.asked
    assert (seen.state_of("IBM.DRM"), "IBM.DRM" in seen.required) == (State.INOPERATIVE, True)


def without(name: str, **scene: Any) -> Scene:
    """A partition that has no such subsystem on file."""
    made = Scene(**scene)
    del made.partition.subsystems[name]
    return made


def test_what_is_not_on_file_is_not_expected_and_that_is_trusted_for_a_day() -> None:
    scene = without("IBM.DRM")

    first, asked = scene.look(), list(scene.host.asked)
    scene.clock.sleep(23 * HOUR)
    scene.look()
    later = list(scene.host.asked)
    scene.clock.sleep(2 * HOUR)
    scene.look()

    assert "IBM.DRM" not in first.expected and first.gaps == ()
    assert [("lssrc -s IBM.DRM" in lines) for lines in (asked, later, scene.host.asked)] == [True, False, True]


def test_whether_it_is_on_file_can_be_unclear() -> None:
    scene = without("IBM.DRM")
    scene.partition.hang_command("lssrc -s")

    seen = scene.look()

    assert abouts(seen) == ["IBM.DRM"]
    assert "IBM.DRM" not in seen.expected


def test_the_manager_of_the_older_handshake_must_run_only_where_the_newer_is_not_on_file() -> None:
    old, both = Scene(), Scene()
    old.partition.old_rsct()
    both.partition.put_on_file("IBM.CSMAgentRM", "rsct_rm")

    assert old.look().expected == {"ctrmc": "required", "IBM.DRM": "required", "IBM.CSMAgentRM": "required"}
    assert both.look().expected == {"ctrmc": "required", "IBM.DRM": "required", "IBM.MgmtDomainRM": "required",
                                    "IBM.CSMAgentRM": "on-demand"}


def test_an_old_rsct_is_healthy_and_its_hmc_known_by_the_older_class() -> None:
    scene = Scene()
    scene.partition.old_rsct()

    seen = scene.look()

    assert (seen.mcp.value, [server.address for server in seen.servers.value or ()], seen.gaps) == ((), [HMC], ())
    assert [(hmc.address, hmc.link) for hmc in seen.hmcs] == [(HMC, Link.UP)]


def test_a_partition_without_ctrmc_is_told_so() -> None:
    scene = Scene()
    del scene.partition.subsystems["ctrmc"]

    seen, again = scene.look(), scene.look()

    assert "ctrmc" in abouts(seen) and "ctrmc" in abouts(again)
    assert "is RSCT installed?" in seen.gaps[0].because and "ctrmc" not in seen.required


def test_the_policy_says_what_else_must_run_and_what_need_not() -> None:
    scene = Scene(policy="expect: {subsystems: {IBM.ServiceRM: required, IBM.DRM: absent-ok, IBM.MgmtDomainRM: on-demand,"
                         " IBM.NoSuchRM: required}}\n")

    seen = scene.look()

    assert seen.required == ("ctrmc", "IBM.ServiceRM")
    assert abouts(seen) == ["IBM.NoSuchRM"]


# ---- a command that hangs, and what happens meanwhile ----------------------------------------------------------------------


def hanging(name: str, **how: Any) -> Scene:
    scene = Scene(**how)
    scene.look()
    scene.partition.hang_command(name)
    return scene


def test_a_ctrmc_that_ends_while_a_command_hangs_is_seen_at_once_and_not_after_its_time_out() -> None:
    scene = hanging("lsrsrc")
    began = scene.clock.monotonic()
    scene.clock.at(3.0, lambda: scene.partition.crash("ctrmc"))

    seen = scene.look()

    assert scene.clock.monotonic() - began < 5.0
    assert seen.state_of("ctrmc") is State.INOPERATIVE and seen.mcp.how is UNASKED


def test_a_look_is_begun_anew_only_once() -> None:
    scene = hanging("lsrsrc")
    scene.clock.at(3.0, lambda: scene.partition.crash("IBM.DRM"))
    scene.clock.at(6.0, lambda: scene.partition.crash("IBM.MgmtDomainRM"))

    seen = scene.look()

    assert scene.host.asked.count("lssrc -a") == 2 and seen.mcp.timed_out
    assert seen.state_of("IBM.DRM") is State.INOPERATIVE


def test_a_pid_that_was_gone_before_the_look_disturbs_none() -> None:
    scene = Scene()
    scene.partition.subsystems["IBM.DRM"].pid = 7

    class Elsewhere(SimHost):
        def alive(self, pid: int) -> Optional[bool]:
            return pid != 7

    scene.host = Elsewhere(scene.partition, scene.clock)
    scene.start()

    assert scene.look().status.seen and scene.host.asked.count("lssrc -a") == 1


def test_an_optional_manager_may_end_meanwhile() -> None:
    scene = hanging("lsrsrc")
    scene.clock.at(3.0, lambda: scene.partition.crash("IBM.HostRM"))

    assert scene.look().mcp.timed_out and scene.host.asked.count("lssrc -a") == 1


def test_evidence_is_gathered_anew_too_when_a_subsystem_ends_meanwhile() -> None:
    scene = hanging("lscluster")
    scene.clock.at(3.0, lambda: scene.partition.crash("ctrmc"))

    assert scene.evidence().state_of("ctrmc") is State.INOPERATIVE


@pytest.mark.parametrize(
    "name", ["lssrc", "lsrsrc", "rmcdomainstatus", "lsrpdomain", "lspv", "lscluster", "odmget", "ct_clusterinfo"]
)
def test_a_command_that_hangs_costs_one_time_out_a_look(name: str) -> None:
    scene = Scene()
    scene.partition.start_powerha("ST_INIT")
    scene.partition.hang_command(name)

    seen = scene.look()

    assert [line.split()[0] for line in scene.host.asked].count(name) == 1
    assert [gap for gap in seen.gaps if gap.about.startswith(name)]


# ---- HMCs ------------------------------------------------------------------------------------------------------------


@EVERY_PLATFORM
def test_an_ipv6_hmc_is_seen_like_any_other(platform: Platform) -> None:
    scene = Scene(platform, (SIX,))
    scene.partition.hmc_down()

    seen = scene.look()

    assert [(hmc.address, hmc.link, hmc.reachable) for hmc in seen.hmcs] == [(SIX, Link.DOWN, False)]
    assert seen.complete


def test_only_hmcs_that_are_not_up_are_asked_for_their_ports() -> None:
    class Doorbell(SimHost):
        rung: Tuple[str, ...] = ()

        def reach(self, addresses: Sequence[str], ports: Sequence[int], timeout: float) -> Mapping[str, Optional[bool]]:
            self.rung += tuple(addresses)
            assert (list(ports), timeout) == ([657, 12601], 3.0)
            return super().reach(addresses, ports, timeout)

    scene = Scene(hmcs=(HMC, OTHER), host=Doorbell)
    scene.partition.hmc_sick(OTHER)

    seen = scene.look()

    assert scene.host.rung == (OTHER,)      # type: ignore[attr-defined]
    assert {hmc.address: hmc.reachable for hmc in seen.hmcs} == {HMC: None, OTHER: True}


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_our_own_rmcd_does_not_answer_for_an_hmc(address: str) -> None:
    seen = Scene(hmcs=()).look(known=[KnownHmc(address)])

    assert [(hmc.address, hmc.reachable) for hmc in seen.hmcs] == [(address, None)]


def test_a_new_policy_keeps_what_was_seen_under_the_old_one() -> None:
    scene = Scene()
    scene.look()
    scene.observer.adopt(scene.observer.place, replace(scene.observer.settings, timeout=timedelta(seconds=7)))
    scene.partition.crash()
    before = scene.clock.monotonic()
    scene.partition.hang_command("lssrc -s")

    seen = scene.look()

    assert seen.stop.value and seen.stop.value.crashed
    assert not set(scene.asked()) & CLUSTER_COMMANDS and scene.clock.monotonic() - before < 20


def test_a_name_is_not_looked_up() -> None:
    scene = Scene(hmcs=())

    seen = scene.look(known=[KnownHmc("hmc1.example")])

    assert [(hmc.address, hmc.reachable) for hmc in seen.hmcs] == [("hmc1.example", None)]


def test_a_remembered_hmc_that_rmc_does_not_show_is_a_gap_unless_another_is_up() -> None:
    remembered = [KnownHmc("192.0.2.99")]

    alone, beside = Scene(hmcs=()).look(remembered), Scene().look(remembered)

    assert (abouts(alone), abouts(beside)) == (["192.0.2.99"], [])
    assert alone.complete


def test_the_older_class_is_asked_only_where_the_newer_one_shows_nothing() -> None:
    scene = Scene()
    scene.look()
    newer = list(scene.host.asked)
    scene.partition.forget_hmcs()
    seen = scene.look()

    assert not any("ManagementServer" in line for line in newer)
    assert any("ManagementServer" in line for line in scene.host.asked)
    assert (seen.mcp.value, seen.servers.value) == ((), ())


def test_an_empty_rmcdomainstatus_is_nobody() -> None:
    scene = Scene(hmcs=())

    seen = scene.look()

    assert (seen.status.how, seen.status.value, seen.hmcs, seen.complete) == (SEEN, DomainStatus(), (), True)


def test_in_band_hosts_are_asked_where_mcproxy_runs() -> None:
    scene = Scene(hmcs=())
    scene.partition.in_band("hmc1")

    seen = scene.look()
    scene.partition.end("mcproxy")
    without = scene.look()

    assert (seen.in_band.value, [hmc.address for hmc in seen.hmcs]) == (("hmc1",), ["hmc1"])
    assert (without.in_band.how, without.hmcs) == (INAPPLICABLE, ())


def test_an_mcproxy_in_an_unknown_state_is_a_gap() -> None:
    scene = Scene(hmcs=())
    scene.partition.in_band("hmc1")
    rows = scene.host.run(("/sim/bin/lssrc", "-a"), 20).stdout.splitlines(True)
    napping = [row.replace("active", "napping") if "mcproxy" in row else row for row in rows]
    scene.partition.garble_command("lssrc -a", "".join(napping))

    seen = scene.look()

    assert (seen.in_band.how, seen.complete) == (GAP, False)


# ---- nothing, said twice -----------------------------------------------------------------------------------------------


class Fickle(SimHost):
    """The first answer of a command says nothing; the second is its own."""

    first: str = ""

    def run(self, argv: Sequence[str], timeout: float, keep: int = 1 << 20) -> Answer:
        answer = super().run(argv, timeout, keep)
        if self.first and argv[0].endswith(f"/{self.first}"):
            self.first = ""
            return replace(answer, stdout="")
        return answer


def test_no_peer_domain_is_none_only_when_it_is_said_twice() -> None:
    scene = Scene(host=Fickle)
    scene.partition.define_peer_domain("pd1", "Offline")
    scene.host.first = "lsrpdomain"      # type: ignore[attr-defined]

    seen = scene.look()

    assert seen.cluster.peer_domains.value == (PeerDomain("pd1", "Offline"),)
    assert scene.asked().count("lsrpdomain") == 2


def test_no_storage_pool_is_none_only_when_it_is_said_twice() -> None:
    scene = Scene(Platform.VIOS, host=Fickle)
    scene.partition.start_ssp("pool")
    scene.host.first = "ioscli"          # type: ignore[attr-defined]

    assert scene.look().cluster.ssp.value == "pool"


class Otherwise(SimHost):
    """One command says nothing, and ends as `differs` has it."""

    command: str = ""
    differs: Mapping[str, Any] = {}

    def run(self, argv: Sequence[str], timeout: float, keep: int = 1 << 20) -> Answer:
        answer = super().run(argv, timeout, keep)
        if not argv[0].endswith(f"/{self.command}"):
            return answer
        return replace(answer, **{"exit_code": 0, "stdout": "", "stderr": "", **self.differs})


@pytest.mark.parametrize(("command", "fact"), [("odmget", "powerha_odm"), ("lsrpdomain", "peer_domains")])
@pytest.mark.parametrize("differs", [
    {"exit_code": 1}, {"exit_code": None}, {"stderr": "ld: 0711-317"}, {"timed_out": True}, {"cut": True},
])
def test_the_same_silence_means_something_else_where_the_command_ended_otherwise(
        command: str, fact: str, differs: Mapping[str, Any]) -> None:
    scene = Scene(host=Otherwise)
    scene.host.command = command         # type: ignore[attr-defined]
    before = scene.evidence()

    scene.host.differs = differs         # type: ignore[attr-defined]
    after = scene.evidence()

    assert (hows(before)[fact], hows(after)[fact]) == (SEEN, GAP)


@pytest.mark.parametrize("command, fact", [
    ("lssrc", "subsystems"), ("lsrsrc", "mcp"), ("lspv", "caavg"), ("ct_clusterinfo", "ct_cluster"),
])
def test_elsewhere_silence_is_a_gap(command: str, fact: str) -> None:
    scene = Scene()
    scene.partition.empty_command(command)

    assert hows(scene.look())[fact] is GAP


# ---- the cluster's answers are carried ---------------------------------------------------------------------------------

CLUSTER_COMMANDS = {"lspv", "lscluster", "odmget", "ct_clusterinfo"}


def test_the_clusters_answers_are_carried_for_a_day() -> None:
    scene = Scene()
    first = scene.look()
    scene.clock.sleep(23 * HOUR)
    carried, asked = scene.look(), set(scene.asked())
    scene.clock.sleep(2 * HOUR)
    later = scene.look()

    assert not asked & CLUSTER_COMMANDS and carried.cluster == first.cluster
    assert CLUSTER_COMMANDS <= set(scene.asked())
    assert later.cluster.caavg.at and first.cluster.caavg.at and later.cluster.caavg.at > first.cluster.caavg.at


def test_they_are_asked_again_when_a_row_of_the_cluster_changes() -> None:
    scene = Scene()
    scene.look()
    scene.partition.start_caa()

    seen = scene.look()

    assert seen.cluster.caavg.value == "hdisk2" and seen.cluster.caa.value
    scene.look()
    assert not set(scene.asked()) & CLUSTER_COMMANDS


def test_an_lssrc_that_could_not_tell_changes_no_row() -> None:
    scene = Scene()
    scene.look()
    scene.partition.hang_command("lssrc")
    scene.look()
    blind = set(scene.asked())
    scene.partition.mend_command("lssrc")
    scene.look()

    assert not (blind | set(scene.asked())) & CLUSTER_COMMANDS


def test_under_suspicion_they_are_asked_every_ten_looks() -> None:
    scene = Scene()
    scene.look(suspicious=True)
    scene.clock.sleep(9 * MINUTE)
    scene.look(suspicious=True)
    early = set(scene.asked())
    scene.clock.sleep(2 * MINUTE)
    scene.look(suspicious=True)

    assert not early & CLUSTER_COMMANDS
    assert CLUSTER_COMMANDS <= set(scene.asked())
    assert "lsrpdomain" not in scene.asked()       # it may start IBM.ConfigRM: daily, and just before a deed


def test_lsrpdomain_is_asked_daily_and_once_more_when_rmc_is_back() -> None:
    scene = Scene()
    scene.partition.crash()
    counts = []
    for event, hours in (("", 0.0), ("start", 0.0), ("", 23.0), ("", 2.0)):
        scene.clock.sleep(hours * HOUR)
        if event:
            scene.partition.start("ctrmc")
        scene.look()
        counts.append(scene.asked().count("lsrpdomain"))

    assert counts == [0, 2, 0, 2]


def test_what_could_not_be_told_is_asked_again_within_the_hour() -> None:
    scene = Scene()
    scene.partition.hang_command("lspv", until=5 * MINUTE)
    first = scene.look().cluster.caavg.how
    scene.clock.sleep(61 * MINUTE)

    assert (first, scene.look().cluster.caavg.how) == (GAP, SEEN)


@EVERY_PLATFORM
def test_evidence_is_gathered_afresh_whatever_was_carried(platform: Platform) -> None:
    scene = Scene(platform)
    scene.look()

    scene.evidence()
    asked = set(scene.asked())
    scene.look()

    assert CLUSTER_COMMANDS & set(scene.partition.commands) <= asked
    assert not set(scene.asked()) & CLUSTER_COMMANDS


@EVERY_PLATFORM
def test_evidence_asks_what_needs_rmcd_first_and_lssrc_and_rmcdomainstatus_last(platform: Platform) -> None:
    scene = Scene(platform)
    scene.look()

    scene.evidence()
    asked = scene.asked()

    assert asked[:4] == ["lssrc", "lsrpdomain", "lsrpdomain", "lsrsrc"]
    assert asked[-2:] == ["lssrc", "rmcdomainstatus"]
    slow = [name for name in ("lspv", "ioscli", "lscluster", "odmget", "ct_clusterinfo") if name in asked]
    assert sorted(slow, key=asked.index) == slow


def test_powerha_is_asked_where_its_row_exists() -> None:
    scene = Scene()
    scene.partition.start_caa()
    scene.partition.start_powerha("ST_STABLE", "ha_cl")

    cluster = scene.look().cluster

    assert (cluster.powerha.value, cluster.powerha_odm.value, cluster.ct_cluster.value) == ("ST_STABLE", "ha_cl", "caa_cl")


# ---- why ctrmc stopped -------------------------------------------------------------------------------------------------


@EVERY_PLATFORM
@pytest.mark.parametrize("end, crashed", [("crash", True), ("stop_cleanly", False)])
def test_a_crash_is_told_from_a_stop_on_purpose(platform: Platform, end: str, crashed: bool) -> None:
    scene = Scene(platform)
    scene.look()
    scene.clock.sleep(30)
    getattr(scene.partition, end)()

    stop = scene.look().stop

    assert (stop.how, stop.value and stop.value.crashed) == (SEEN, crashed)


def test_an_old_crash_of_something_else_tells_nothing_about_a_stop_now() -> None:
    scene = Scene()
    scene.partition.crash("IBM.DRM")
    scene.clock.sleep(5 * MINUTE)
    scene.look()
    scene.clock.sleep(MINUTE)
    scene.partition.stop_cleanly()

    stop = scene.look().stop.value

    assert stop == Stop(False, "errpt shows that RMC was stopped")


def test_a_stop_while_lssrc_was_blind_is_a_stop_on_purpose_all_the_same() -> None:
    scene = Scene()
    scene.look()
    scene.partition.hang_command("lssrc")
    scene.look()
    scene.partition.stop_cleanly()
    scene.clock.sleep(5 * MINUTE)
    scene.look()
    scene.partition.mend_command("lssrc")

    stop = scene.look().stop.value

    assert stop and stop.crashed is False


@pytest.mark.parametrize("end, crashed", [("stop_cleanly", False), ("crash", None)])
def test_an_agent_that_never_saw_it_alive_believes_a_stop_and_guesses_no_crash(end: str, crashed: Optional[bool]) -> None:
    scene = Scene()
    scene.partition.crash("IBM.DRM")
    scene.partition.stop_rmc()
    scene.partition.start("ctrmc")
    scene.clock.sleep(MINUTE)
    getattr(scene.partition, end)()
    scene.start()

    stop = scene.look().stop.value

    assert stop and stop.crashed is crashed


def test_a_crash_and_a_stop_together_do_not_tell_why() -> None:
    scene = Scene()
    scene.look()
    scene.partition.crash("IBM.DRM")
    scene.partition.stop_cleanly()

    assert scene.look().stop.value == Stop(None, "errpt does not tell why")


def test_an_errpt_that_does_not_answer_is_a_gap() -> None:
    scene = Scene()
    scene.look()
    scene.partition.crash()
    scene.partition.hang_command("errpt")

    seen = scene.look()

    assert (seen.stop.how, abouts(seen), seen.complete) == (GAP, ["errpt"], True)


@pytest.mark.parametrize("shown, crashed", [
    ("LoadState=loaded\nActiveState=failed\nResult=signal\nUnitFileState=enabled\n", True),
    ("LoadState=loaded\nActiveState=inactive\nResult=success\nUnitFileState=enabled\n", False),
    ("LoadState=loaded\nActiveState=active\nResult=success\nUnitFileState=disabled\n", False),
    ("LoadState=masked\nActiveState=inactive\nResult=success\nUnitFileState=masked\n", False),
    ("LoadState=loaded\nActiveState=active\nResult=success\nUnitFileState=enabled\n", None),
    ("LoadState=not-found\nActiveState=inactive\nResult=success\nUnitFileState=\n", None),
])
def test_a_unit_tells_how_its_service_ended(shown: str, crashed: Optional[bool]) -> None:
    scene = Scene(Platform.LINUX)
    scene.partition.crash()
    scene.partition.garble_command("systemctl", shown)

    stop = scene.look().stop.value

    assert stop and stop.crashed is crashed


# ---- migration ---------------------------------------------------------------------------------------------------------


@EVERY_PLATFORM
def test_a_migration_under_way_is_seen(platform: Platform) -> None:
    scene = Scene(platform)
    scene.partition.start_migration()
    scene.clock.sleep(5 * MINUTE)

    migration = scene.evidence().busy.migration

    assert migration.seen and migration.value


@pytest.mark.parametrize("aborted", [False, True])
def test_a_migration_just_over_counts_for_ten_minutes(aborted: bool) -> None:
    scene = Scene()
    scene.partition.start_migration()
    scene.clock.sleep(5 * MINUTE)
    scene.partition.end_migration(aborted)
    scene.clock.sleep(8 * MINUTE)
    just_over = scene.evidence().busy.migration.value
    scene.clock.sleep(4 * MINUTE)

    assert just_over and "ended" in just_over
    assert scene.evidence().busy.migration.value == ""


def test_on_linux_a_lock_that_was_held_just_now_counts_for_ten_minutes() -> None:
    scene = Scene(Platform.LINUX)
    scene.partition.start_migration()
    scene.look()
    scene.partition.end_migration()
    scene.clock.sleep(8 * MINUTE)
    just_over = scene.evidence().busy.migration.value
    scene.clock.sleep(4 * MINUTE)

    assert just_over and "only just ended" in just_over
    assert scene.evidence().busy.migration.value == ""


def test_a_migration_whose_end_was_never_logged_is_told_and_holds_nothing_after_four_hours() -> None:
    scene = Scene()
    scene.partition.start_migration()
    scene.clock.sleep(3.9 * HOUR)
    still = scene.evidence().busy.migration.value
    scene.clock.sleep(0.2 * HOUR)

    forgotten = scene.evidence().busy.migration
    assert still and forgotten.value == ""
    assert "was never logged" in forgotten.because


def test_a_lock_that_cannot_be_read_is_a_gap() -> None:
    class Blind(SimHost):
        def locked(self, path: str) -> None:
            return None

    migration = Scene(Platform.LINUX, host=Blind).evidence().busy.migration

    assert (migration.how, migration.because) == (GAP, "/var/lock/dr_config_lock could not be read")


def test_a_date_that_cannot_be_is_passed_over() -> None:
    row = parse.ErrptRow("08917DC6", "9999999999", "I", "S", "pmig", "Client Partition Migration Started")

    assert causes.migration((row,), datetime(2026, 3, 4, 12, 0), timedelta(minutes=10)) == ("", "")
