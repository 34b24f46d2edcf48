"""Named scenarios: what each shows, how it should end, and the script that a seed makes of it."""
from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from rmcagent.config.words import near
from rmcagent.model import Platform
from rmcagent.sim.rehearsal.script import DAY, HMC, Happening, Script
from rmcagent.sim.rehearsal.troubles import EVERYWHERE, HOUR, MINUTE, TROUBLES, WITH_CAA, Stage, Steps, Trouble

HMCS = (HMC, "192.0.2.22", "192.0.2.23", "192.0.2.24")
REST = 3 * HOUR                  # between the end of one trouble and the beginning of the next that takes the same


@dataclass(frozen=True)
class Scenario:
    name: str
    shows: str                   # what it shows, and how it should end
    write: Callable[[random.Random, float], Script]


def write(name: str, seed: int, days: float = 30.0) -> Script:
    """The script of a scenario: the same name, seed and days give the same one, whatever Python it is."""
    if name not in SCENARIOS:
        raise ValueError(f"cannot find a scenario {name}: {near(name, list(SCENARIOS)) or 'there are ' + ', '.join(SCENARIOS)}")
    return replace(SCENARIOS[name].write(random.Random(f"{name} {seed}"), days), name=name, seed=seed, days=days)


class Plot:
    """A script in the making, and until when what is taken."""

    def __init__(self, chance: random.Random, days: float, platforms: Sequence[Platform], hmcs: Tuple[int, int]) -> None:
        self.chance, self.days = chance, days
        self.platform = chance.choice(platforms)
        self.hmcs = HMCS[:chance.randint(*hmcs)]
        self.happenings: List[Happening] = []
        self.taken: Dict[str, List[Tuple[float, float]]] = {}

    def befall(self, at: float, trouble: Trouble, room: float) -> Optional[float]:
        """Let it happen then; when it is over, or None where something else has taken what it takes."""
        steps = trouble.steps(Stage(self.chance, self.platform, self.hmcs, room))
        end = at + max((one.at for one in steps), default=0.0)
        words = trouble.takes.split()
        if end > self.days * DAY or any(at < until + REST and since < end + REST
                                        for word in words for since, until in self.taken.get(word, ())):
            return None
        for word in words:
            self.taken.setdefault(word, []).append((at, end))
        self.happenings += [Happening(float(round(at + one.at)), one.do, one.arguments) for one in steps]
        return end

    def script(self) -> Script:
        """Of what happens at the same moment, what was written first happens first."""
        return Script("", tuple(sorted(self.happenings, key=lambda one: one.at)), self.platform, self.hmcs, self.days)


# Beside a scenario's own trouble, what happens on every partition sooner or later.
BESIDE = ("agent_dies", "agent_is_upgraded", "agent_dies_in_a_remedy", "state_folder_fills", "clock_jumps", "clock_is_set",
          "installs", "operator_works", "operator_pauses", "operator_maintains", "command_hangs", "command_lies",
          "partition_is_loaded", "reboots", "partition_migrates")


def _scene(*happen: str, times: Tuple[int, int] = (3, 6), on: Sequence[Platform] = EVERYWHERE, hmcs: Tuple[int, int] = (1, 3),
           amid: Sequence[str] = (), beside: Sequence[str] = BESIDE) -> Callable[[random.Random, float], Script]:
    """So many times in thirty days one of these happens, `amid` one of those, which begins before it and ends after it."""

    def write_scene(chance: random.Random, days: float) -> Script:
        plot = Plot(chance, days, on, hmcs)
        count = max(1, round(chance.randint(*times) * min(days / 30.0, 1.0)))
        share = days * DAY / count
        for number in range(count):
            at, room = share * (number + chance.uniform(0.05, 0.2)), share * 0.5
            if amid:
                plot.befall(at, _drawn_out(TROUBLES[chance.choice(amid)]), room)
                at, room = at + min(chance.uniform(10 * MINUTE, HOUR), room / 10), room * 0.7
            plot.befall(at, TROUBLES[chance.choice(happen)], room)
            if chance.random() < (0.4 if beside else 0.0):
                at = max(0.0, at + chance.uniform(-30 * MINUTE, HOUR))
                plot.befall(at, TROUBLES[chance.choice(beside)], min(room, 6 * HOUR))
        return plot.script()

    return write_scene


def _drawn_out(trouble: Trouble) -> Trouble:
    """The same, over when there is no more room: nobody mends it before what happens amid it is over."""
    def steps(stage: Stage) -> Steps:
        once = trouble.steps(stage)
        return tuple(replace(one, at=one.at * stage.room / once[-1].at) for one in once)

    return replace(trouble, steps=steps)


def _quiet(chance: random.Random, days: float) -> Script:
    return Plot(chance, days, EVERYWHERE, (1, 3)).script()


def _mix(chance: random.Random, days: float) -> Script:
    """Four to twelve troubles of all kinds in thirty days, a third of them soon after another began."""
    plot = Plot(chance, days, EVERYWHERE, (1, 4))
    kinds = [trouble for trouble in TROUBLES.values() if plot.platform in trouble.platforms and trouble.takes]
    at = 0.0
    for _ in range(max(1, round(chance.randint(4, 12) * min(days / 30.0, 1.0)))):
        soon = at and chance.random() < 0.35
        at = at + chance.uniform(0, 40 * MINUTE) if soon else chance.uniform(0.02, 0.85) * days * DAY
        plot.befall(at, chance.choice(kinds), max(HOUR, min(2 * DAY, (days * DAY - at) * 0.6)))
    return plot.script()


STUCK = ("session_is_stuck", "handshake_is_stuck")

SCENARIOS: Mapping[str, Scenario] = {scenario.name: scenario for scenario in (
    Scenario("quiet", "Nothing happens: nothing is told or done.", _quiet),
    Scenario("ctrmc-dies", "The RMC daemon dies now and then: it is started again, and nothing more is done.",
             _scene("rmc_dies", times=(4, 8))),
    Scenario("ctrmc-will-not-stay", "The RMC daemon dies again after each start: start, then recycle, within their budgets, "
             "then a human is asked for.", _scene("rmc_will_not_stay", times=(2, 5))),
    Scenario("ctrmc-hangs", "rmcd runs and answers nobody: recycle mends it.", _scene("rmc_hangs")),
    Scenario("ctrmc-stopped", "An operator stops RMC: it is reported, and started after two hours.", _scene("rmc_is_stopped")),
    Scenario("manager-dies", "A resource manager dies: it is started; one that dies again while an HMC is connected is left "
             "to a human.", _scene("manager_dies", times=(4, 8))),
    Scenario("remote-disabled", "Somebody disables remote clients: refresh enables them.", _scene("remote_is_disabled")),
    Scenario("session-stuck", "A session is dead though its HMC answers: refresh mends it or, while no HMC is connected, "
             "recycle.", _scene("session_is_stuck")),
    Scenario("session-partial", "One session of several is dead: refresh at most, for the others work.",
             _scene("one_session_is_stuck", hmcs=(2, 4))),
    Scenario("hmcs-forgotten", "RSCT knows no HMC any more: refresh, recycle, and recfgct where one still answers.",
             _scene("hmcs_are_forgotten", times=(2, 4))),
    Scenario("handshake-stuck", "HMC and partition do not accept each other: recfgct, after refresh and recycle changed nothing.",
             _scene("handshake_is_stuck", times=(2, 4))),
    Scenario("identity-lost", "The files with the node id disagree: recfgct gives a new identity.",
             _scene("identity_is_lost", times=(2, 4))),
    Scenario("cloned-node", "A copy of another partition boots with its node id: recfgct gives it one of its own.",
             _scene("node_is_cloned", times=(1, 3))),
    Scenario("hmc-restarts", "HMCs restart: no partition behind them recycles.", _scene("hmc_restarts", times=(4, 8))),
    Scenario("hmc-replaced", "An HMC goes and another comes: the old one is reported as stale, nothing is done.",
             _scene("hmc_is_replaced", times=(1, 1))),
    Scenario("hmc-flaps", "The network to an HMC comes and goes: it is reported, and nothing disturbed.", _scene("hmc_flaps")),
    Scenario("firewall-closed", "No HMC can be reached: it is reported, and RMC left alone.", _scene("firewall_is_closed")),
    Scenario("mtu-black-hole", "Small packets pass and large ones do not: it is reported, and RMC left alone.",
             _scene("large_packets_are_lost")),
    Scenario("log-storm-hmc-side", "An ill HMC answers with errors that fill the log: it is reported, and RMC is not recycled, "
             "though that HMC's link be lost.", _scene("log_storms")),
    Scenario("var-fills", "/var fills up: it is reported; no restart would help.", _scene("var_fills", "log_storms")),
    Scenario("caa-active", "Sessions stick on a node of a CAA cluster: refresh at most, and the cluster is named as what forbids "
             "the rest.", _scene(*STUCK, on=WITH_CAA, amid=("caa_comes", "caa_comes", "caa_stops", "powerha_comes"))),
    Scenario("caa-appears", "CAA starts during a remedy's grace, or between decision and deed: recycle and recfgct are held.",
             _scene("caa_appears", on=WITH_CAA)),
    Scenario("peer-domain", "Sessions stick on a node of a peer domain: no recycle of an online one, recfgct of none.",
             _scene(*STUCK, amid=("peer_domain_comes",))),
    Scenario("migration", "The partition moves: what its sessions need waits until that is over.",
             _scene("partition_migrates", "session_is_lost_in_a_migration", "migration_meets_a_stuck_session", times=(4, 8))),
    Scenario("in-band-hmc", "An HMC is connected through the hypervisor: that it is known nowhere else is no fault, and it "
             "forbids recycle.", _scene("hmc_comes_in_band", "every_hmc_goes_in_band", "session_sticks_beside_one_in_band")),
    Scenario("vios-ssp", "Sessions stick on a VIOS of a shared storage pool: refresh at most.",
             _scene(*STUCK, on=(Platform.VIOS,), amid=("storage_pool_comes",))),
    Scenario("lparmgr-stuck", "lparmgr of a VIOS works no more: its remedy is shadow by default, so a human mends it.",
             _scene("lparmgr_is_stuck", on=(Platform.VIOS,))),
    Scenario("commands-hang", "Commands never end, alone and amid other trouble: what cannot be asked is unknown, and no fault.",
             _scene("nothing", "rmc_dies", *STUCK, amid=("command_hangs", "commands_hang", "changing_command_hangs"))),
    Scenario("garbage", "Commands lie, fail or are gone, alone and amid other trouble: what cannot be read is unknown, and no "
             "fault.", _scene("nothing", "rmc_dies", *STUCK, amid=("command_lies", "command_lies", "changing_command_fails"),
                              times=(4, 8))),
    Scenario("clock-jumps", "The wall clock jumps a day either way amid other trouble: no budget is freed or spent.",
             _scene("rmc_dies", "rmc_will_not_stay", *STUCK, amid=("clock_jumps",))),
    Scenario("agent-crashes", "The agent dies, also in the middle of a remedy: RMC is running afterwards, and in a crash loop it "
             "only observes.", _scene("agent_dies", "agent_dies_often", "agent_dies_while_it_heals", times=(4, 8))),
    Scenario("state-full", "No room in the state folder: no remedy is begun that could not be written down first.",
             _scene("rmc_dies", *STUCK, amid=("state_folder_fills",))),
    Scenario("operator-works", "An operator pauses, maintains, installs or works on RMC amid other trouble: every remedy waits.",
             _scene("rmc_dies", *STUCK, amid=("operator_pauses", "operator_maintains", "installs", "operator_works"))),
    Scenario("mix", "Troubles of all kinds, drawn at random and overlapping: all that can be healed is, no harm is done.", _mix),
)}
