"""What may befall a partition, its HMCs or its agent: each trouble from its beginning to its end, when somebody has mended it.

Whatever has begun is over at a trouble's last step, so that troubles can follow each other for a month; what two of them must not
do at the same time is told by what they take.
"""
from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Callable, Mapping, Sequence, Tuple

from rmcagent.model import Platform
from rmcagent.sim.partition.nouns import AUTOSTART, COMMANDS
from rmcagent.sim.rehearsal.script import Happening

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
EVERYWHERE = (Platform.AIX, Platform.VIOS, Platform.LINUX)
WITH_CAA = (Platform.AIX, Platform.VIOS)
CHANGING = ("rmcctrl", "rmcrefreshMD", "refrsrc", "recfgct", "startsrc", "clmgr", "lparmgr")
INSTALLERS = {Platform.AIX: ("installp", "emgr"), Platform.VIOS: ("installp",), Platform.LINUX: ("rpm", "dnf")}


@dataclass(frozen=True)
class Stage:
    """Where a trouble is to happen, how long it may last, and the chance that shapes it."""

    chance: random.Random
    platform: Platform
    hmcs: Tuple[str, ...]
    room: float = DAY / 2                     # seconds

    def seconds(self, least: float, most: float) -> float:
        """Whole seconds, no longer than there is room for."""
        return float(round(min(self.chance.uniform(least, most), self.room)))

    def until_mended(self, most: float = 12 * HOUR) -> float:
        """Somebody comes after hours; now and then nobody does for longer than a day."""
        rare = self.chance.random() < 0.05
        return self.seconds(DAY, 1.5 * DAY) if rare else self.seconds(min(3 * HOUR, most), most)

    def likely(self, probability: float) -> bool:
        return self.chance.random() < probability


Steps = Tuple[Happening, ...]                 # in order, in seconds since the trouble began


@dataclass(frozen=True)
class Trouble:
    takes: str                                # words; two troubles that take the same one never overlap
    steps: Callable[[Stage], Steps]
    platforms: Tuple[Platform, ...] = EVERYWHERE


def step(at: float, do: str, **arguments: object) -> Happening:
    return Happening(at, do, arguments)


def nothing(stage: Stage) -> Steps:
    return ()


# RMC on this partition.

def rmc_dies(stage: Stage) -> Steps:
    return (step(0, "crash"),)


def rmc_will_not_stay(stage: Stage) -> Steps:
    return (step(0, "ctrmc_wont_start", times=stage.chance.choice((1, 2, 3, 50))), step(1, "crash"),
            step(stage.until_mended(), "restart_rmc"))


def rmc_hangs(stage: Stage) -> Steps:
    return step(0, "hung_rmc"), step(stage.until_mended(), "restart_rmc")


def rmc_is_stopped(stage: Stage) -> Steps:
    return step(0, "stop_cleanly"), step(stage.until_mended(), "restart_rmc")


def manager_dies(stage: Stage) -> Steps:
    mended_by = stage.chance.choice(("manager", "manager", "recycle"))
    return (step(0, "manager_crash", name=stage.chance.choice(AUTOSTART), mended_by=mended_by),
            step(stage.until_mended(), "restart_rmc"))


def remote_is_disabled(stage: Stage) -> Steps:
    return step(0, "disable_remote"), step(stage.until_mended(), "enable_remote")


def at_boot_is_disabled(stage: Stage) -> Steps:
    return step(0, "disable_at_boot"), step(stage.until_mended(), "enable_at_boot")


# Sessions, identities, HMCs and the network.

def session_is_stuck(stage: Stage) -> Steps:
    return (step(0, "stick_session", mended_by=stage.chance.choice(("refresh", "recycle", "recycle"))),
            step(stage.until_mended(), "mend_session"))


def one_session_is_stuck(stage: Stage) -> Steps:
    hmc, mended_by = stage.chance.choice(stage.hmcs), stage.chance.choice(("refresh", "recycle", None))
    return step(0, "stick_session", hmc=hmc, mended_by=mended_by), step(stage.until_mended(), "mend_session", hmc=hmc)


def hmcs_are_forgotten(stage: Stage) -> Steps:
    return (step(0, "forget_hmcs", mended_by=stage.chance.choice(("refresh", "recycle", "recfgct"))),
            step(stage.until_mended(), "mend_session"))


def handshake_is_stuck(stage: Stage) -> Steps:
    return step(0, "break_identity"), step(stage.until_mended(), "mend_identity")


def identity_is_lost(stage: Stage) -> Steps:
    return step(0, "clash_identity"), step(stage.until_mended(), "mend_identity")


def node_is_cloned(stage: Stage) -> Steps:
    return (step(0, "clone", number=stage.chance.randrange(7, 250)), step(stage.until_mended(), "mend_identity"))


def node_id_is_taken(stage: Stage) -> Steps:
    return step(0, "flap"), step(stage.until_mended(), "mend_identity")


def hmc_restarts(stage: Stage) -> Steps:
    which = None if stage.likely(0.6) else stage.chance.choice(stage.hmcs)
    return step(0, "hmc_down", address=which), step(stage.seconds(5 * MINUTE, 45 * MINUTE), "hmc_up", address=which)


def hmc_works_no_more(stage: Stage) -> Steps:
    return step(0, "hmc_sick"), step(stage.until_mended(6 * HOUR), "hmc_up")


def hmc_flaps(stage: Stage) -> Steps:
    steps, at, end = [], 0.0, stage.seconds(40 * MINUTE, 2 * HOUR)
    which = None if stage.likely(0.5) else stage.chance.choice(stage.hmcs)
    while at < end:
        steps += [step(at, "hmc_unreachable", address=which), step(at + 150, "hmc_reachable", address=which)]
        at += 150 + stage.seconds(2 * MINUTE, 6 * MINUTE)
    return tuple(steps)


def hmc_is_replaced(stage: Stage) -> Steps:
    """[my inference: RSCT keeps the old one's resource until somebody removes it]"""
    old, new = stage.chance.choice(stage.hmcs), f"198.18.{stage.chance.randrange(256)}.{stage.chance.randrange(1, 255)}"
    return step(0, "replace_hmc", old=old, new=new), step(stage.seconds(9 * DAY, 16 * DAY), "retire_hmc", address=old)


def firewall_is_closed(stage: Stage) -> Steps:
    which = None if stage.likely(0.8) else stage.chance.choice(stage.hmcs)
    return step(0, "hmc_unreachable", address=which), step(stage.until_mended(), "hmc_reachable", address=which)


def large_packets_are_lost(stage: Stage) -> Steps:
    return step(0, "drop_large_packets"), step(stage.until_mended(), "pass_large_packets")


# Logs and disks.

def log_storms(stage: Stage) -> Steps:
    """It is the HMC that is ill: it answers with errors."""
    end, lines = stage.seconds(30 * MINUTE, 2 * HOUR), float(stage.chance.randrange(4, 30))
    storm = (step(1, "storm", per_second=lines, kind="hmc"), step(end, "end_storm"))
    return (step(0, "hmc_sick"), *storm, step(end, "hmc_up")) if stage.likely(0.5) else storm


def network_errors_are_logged(stage: Stage) -> Steps:
    return (step(0, "storm", per_second=float(stage.chance.randrange(4, 20)), kind="network"),
            step(stage.seconds(20 * MINUTE, 2 * HOUR), "end_storm"))


def var_fills(stage: Stage) -> Steps:
    share = stage.chance.choice((0.92, 0.95, 0.98, 0.995, 1.0))
    return step(0, "fill_var", share=share), step(stage.until_mended(), "fill_var", share=0.3)


# Clusters, and what an operator does.

def caa_comes(stage: Stage) -> Steps:
    return step(0, "start_caa"), step(stage.until_mended(), "remove_caa")


def caa_appears(stage: Stage) -> Steps:
    """During the grace of the remedy that it forbids, or between the decision and its deed; recfgct may be what is due."""
    upon = stage.chance.choice(("lsrpdomain", "lspv", "lscluster"))
    appears = (step(1, "caa_upon", command=upon) if stage.likely(0.5) else
               step(stage.seconds(MINUTE, 20 * MINUTE), "start_caa"))
    stuck = step(0, "stick_session", mended_by="recycle") if stage.likely(0.5) else step(0, "break_identity")
    end = stage.until_mended()
    mended = (step(end, "mend_session"), step(end, "mend_identity"))
    return (stuck, appears, *mended, step(end + stage.seconds(20 * MINUTE, HOUR), "remove_caa"))


def caa_stops(stage: Stage) -> Steps:
    """It is stopped here, stays configured, and is started again."""
    stopped, end = stage.seconds(HOUR, 3 * HOUR), stage.until_mended()
    return (step(0, "start_caa"), step(min(stopped, end / 3), "stop_caa"), step(end * 2 / 3, "start_caa"),
            step(end, "remove_caa"))


def powerha_comes(stage: Stage) -> Steps:
    state = stage.chance.choice(("ST_STABLE", "ST_BARRIER", "ST_UNSTABLE", "ST_RP_FAILED", "ST_INIT"))
    return step(0, "start_caa"), step(30, "start_powerha", state=state), step(stage.until_mended(), "remove_caa")


def storage_pool_comes(stage: Stage) -> Steps:
    return step(0, "start_ssp"), step(stage.until_mended(), "remove_caa")


def peer_domain_comes(stage: Stage) -> Steps:
    state = stage.chance.choice(("Online", "Online", "Pending Online", "Offline"))
    return step(0, "define_peer_domain", state=state), step(stage.until_mended(), "remove_peer_domain")


def partition_migrates(stage: Stage) -> Steps:
    """The sessions are lost with the old machine's adapter, and come back on the new one."""
    end = stage.seconds(4 * MINUTE, 40 * MINUTE)
    lost = stage.likely(0.7)
    steps = (step(0, "start_migration"), step(end / 2, "hmc_unreachable"), step(end, "end_migration", aborted=stage.likely(0.2)),
             step(end + 60, "hmc_reachable"))
    return steps if lost else steps[::2]


def session_is_lost_in_a_migration(stage: Stage) -> Steps:
    """It sticks on the new machine: a remedy is due at the very end of the migration."""
    moved = stage.seconds(4 * MINUTE, 40 * MINUTE)
    return (step(0, "start_migration"), step(moved / 2, "stick_session", mended_by="recycle"),
            step(moved, "end_migration", aborted=stage.likely(0.2)), step(moved + stage.until_mended(), "mend_session"))


def migration_meets_a_stuck_session(stage: Stage) -> Steps:
    """It begins during the grace, or so, of the remedy that would disturb it."""
    began = stage.seconds(MINUTE, 25 * MINUTE)
    moved = began + stage.seconds(4 * MINUTE, 40 * MINUTE)
    return (step(0, "stick_session", mended_by="recycle"), step(began, "start_migration"),
            step(moved, "end_migration", aborted=stage.likely(0.2)), step(moved + stage.until_mended(), "mend_session"))


def reboots(stage: Stage) -> Steps:
    return (step(0, "reboot"),)


def installs(stage: Stage) -> Steps:
    program = stage.chance.choice(INSTALLERS[stage.platform])
    return step(0, "run_program", name=program), step(stage.seconds(10 * MINUTE, 3 * HOUR), "end_program", name=program)


def operator_works(stage: Stage) -> Steps:
    program = stage.chance.choice(("rmcctrl", "recfgct", "startrpdomain") if stage.platform is Platform.LINUX else
                                  ("rmcctrl", "recfgct", "clmgr"))
    return step(0, "run_program", name=program), step(stage.seconds(2 * MINUTE, HOUR), "end_program", name=program)


def operator_pauses(stage: Stage) -> Steps:
    seconds = stage.seconds(30 * MINUTE, 6 * HOUR)
    return (step(0, "pause", seconds=seconds), step(seconds / 2 if stage.likely(0.5) else seconds + 60, "resume"))


def operator_maintains(stage: Stage) -> Steps:
    return step(0, "maintain"), step(stage.seconds(30 * MINUTE, 6 * HOUR), "end_maintenance")


def hmc_comes_in_band(stage: Stage) -> Steps:
    return step(0, "in_band"), step(stage.until_mended(), "end_in_band")


def every_hmc_goes_in_band(stage: Stage) -> Steps:
    end = stage.until_mended()
    return (step(0, "in_band"), step(30, "hmc_unreachable"), step(end, "hmc_reachable"), step(end + HOUR, "end_in_band"))


def session_sticks_beside_one_in_band(stage: Stage) -> Steps:
    end = stage.until_mended()
    return (step(0, "in_band"), step(30, "stick_session", mended_by="recycle"), step(end, "mend_session"),
            step(end + HOUR, "end_in_band"))


def lparmgr_is_stuck(stage: Stage) -> Steps:
    return step(0, "stick_lparmgr"), step(stage.until_mended(), "mend_lparmgr")


# Commands that hang, lie or are gone. [What the agent cannot find out is left out: rmcdomainstatus, lsrpdomain or ioscli that say
# nothing with exit 0 while there is something; lsrpdomain removed while a domain is there, which the same fileset brings.]

UNDETECTABLE = {"empty_command": ("rmcdomainstatus", "lsrpdomain", "ioscli"), "remove_command": ("lsrpdomain",)}


def reading(platform: Platform) -> Sequence[str]:
    return [name for name in COMMANDS[platform] if name not in CHANGING]


def command_hangs(stage: Stage) -> Steps:
    name = stage.chance.choice(reading(stage.platform))
    return (step(0, "hang_command", name=name, stubborn=stage.likely(0.3), forks=stage.likely(0.3)),
            step(stage.until_mended(6 * HOUR), "mend_command", name=name))


def commands_hang(stage: Stage) -> Steps:
    """Those of RMC all at once, as they do when rmcd itself or the disk beneath it hangs; or every one there is."""
    names = reading(stage.platform) if stage.likely(0.2) else ("lsrsrc", "rmcdomainstatus", "lsrpdomain")
    end = stage.until_mended(4 * HOUR)
    return (*(step(0, "hang_command", name=name) for name in names), *(step(end, "mend_command", name=name) for name in names))


def changing_command_hangs(stage: Stage) -> Steps:
    """Whoever mends it ends what still hangs."""
    name = stage.chance.choice(("rmcctrl", "rmcctrl -A", "rmcctrl -p", "refrsrc"))
    end = stage.until_mended(6 * HOUR)
    return (step(0, "hang_command", name=name), step(end, "mend_command", name=name), step(end + 1, "end_hanging"))


def command_lies(stage: Stage) -> Steps:
    name = stage.chance.choice(reading(stage.platform))
    how = stage.chance.choice(("garble_command", "cut_command", "localise", "fail_command", "remove_command", "empty_command"))
    if name in UNDETECTABLE.get(how, ()):
        how = "garble_command"
    more = {"rc": stage.chance.choice((1, 2, 127, 255)), "text": "cannot say"} if how == "fail_command" else {}
    return step(0, how, name=name, **more), step(stage.until_mended(6 * HOUR), "mend_command", name=name)


def changing_command_fails(stage: Stage) -> Steps:
    name = stage.chance.choice(("rmcctrl", "rmcctrl -A", "rmcctrl -z", "refrsrc", "startsrc", "recfgct"))
    return (step(0, "fail_command", name=name, rc=1, text="0513-059 cannot"),
            step(stage.until_mended(6 * HOUR), "mend_command", name=name))


def partition_is_loaded(stage: Stage) -> Steps:
    return (step(0, "slow_down", factor=float(stage.chance.randrange(5, 300))),
            step(stage.seconds(20 * MINUTE, 2 * HOUR), "slow_down"))


# The agent itself, its state folder and its clock.

def agent_dies(stage: Stage) -> Steps:
    return step(0, "kill_agent", again=stage.seconds(5, 20 * MINUTE)),


def agent_dies_often(stage: Stage) -> Steps:
    """A crash loop; now and then RMC dies in it, and is not started before the agent acts again."""
    gap = stage.seconds(20, 3 * MINUTE)
    deaths = tuple(step(number * gap, "kill_agent") for number in range(stage.chance.randrange(3, 6)))
    return (*deaths, step(5 * gap, "crash")) if stage.likely(0.5) else deaths


def agent_dies_while_it_heals(stage: Stage) -> Steps:
    end = stage.until_mended()
    mended_by = stage.chance.choice(("recycle", "recycle", "recfgct"))
    return (*agent_dies_in_a_remedy(stage), step(1, "stick_session", mended_by=mended_by), step(end, "mend_session"))


def agent_is_upgraded(stage: Stage) -> Steps:
    return step(0, "stop_agent", again=stage.seconds(10, 5 * MINUTE)),


def agent_dies_in_a_remedy(stage: Stage) -> Steps:
    return step(0, "kill_in_remedy", after=stage.seconds(0, 40), again=stage.seconds(5, 10 * MINUTE), helper=stage.likely(0.4)),


def state_folder_fills(stage: Stage) -> Steps:
    return step(0, "fill_state"), step(stage.seconds(20 * MINUTE, 6 * HOUR), "free_state")


def clock_jumps(stage: Stage) -> Steps:
    by = stage.chance.choice((DAY, -DAY, DAY, -DAY, HOUR, -HOUR))
    return step(0, "jump_clock", seconds=by), step(stage.seconds(30 * MINUTE, 12 * HOUR), "jump_clock", seconds=-by)


def clock_is_set(stage: Stage) -> Steps:
    return step(0, "jump_clock", seconds=stage.chance.choice((DAY, -DAY))),


TROUBLES: Mapping[str, Trouble] = {trouble.steps.__name__: trouble for trouble in (
    Trouble("", nothing), Trouble("rmc", rmc_dies), Trouble("rmc", rmc_will_not_stay), Trouble("rmc", rmc_hangs),
    Trouble("rmc", rmc_is_stopped), Trouble("rmc", manager_dies), Trouble("remote", remote_is_disabled),
    Trouble("at_boot", at_boot_is_disabled), Trouble("sessions", session_is_stuck), Trouble("sessions", one_session_is_stuck),
    Trouble("sessions", hmcs_are_forgotten), Trouble("identity", handshake_is_stuck), Trouble("identity", identity_is_lost),
    Trouble("boot identity", node_is_cloned), Trouble("identity", node_id_is_taken), Trouble("hmcs", hmc_restarts),
    Trouble("hmcs", hmc_works_no_more), Trouble("hmcs", hmc_flaps), Trouble("hmcs", hmc_is_replaced),
    Trouble("hmcs", firewall_is_closed), Trouble("packets", large_packets_are_lost), Trouble("hmcs", log_storms),
    Trouble("hmcs", network_errors_are_logged), Trouble("var", var_fills), Trouble("cluster", caa_comes, WITH_CAA),
    Trouble("cluster", caa_stops, WITH_CAA), Trouble("cluster", powerha_comes, WITH_CAA),
    Trouble("cluster identity sessions", caa_appears, WITH_CAA), Trouble("cluster", storage_pool_comes, (Platform.VIOS,)),
    Trouble("cluster", peer_domain_comes), Trouble("boot", partition_migrates),
    Trouble("boot sessions", session_is_lost_in_a_migration), Trouble("boot sessions", migration_meets_a_stuck_session),
    Trouble("boot", reboots), Trouble("boot", installs), Trouble("boot", operator_works), Trouble("pause", operator_pauses),
    Trouble("pause", operator_maintains), Trouble("in_band", hmc_comes_in_band), Trouble("in_band hmcs", every_hmc_goes_in_band),
    Trouble("in_band sessions", session_sticks_beside_one_in_band), Trouble("lparmgr", lparmgr_is_stuck, (Platform.VIOS,)),
    Trouble("commands", command_hangs), Trouble("commands", commands_hang), Trouble("commands", changing_command_hangs),
    Trouble("commands", command_lies), Trouble("commands", changing_command_fails), Trouble("load", partition_is_loaded),
    Trouble("agent", agent_dies), Trouble("agent", agent_dies_often), Trouble("agent sessions", agent_dies_while_it_heals),
    Trouble("agent", agent_is_upgraded), Trouble("agent", agent_dies_in_a_remedy), Trouble("state", state_folder_fills),
    Trouble("clock", clock_jumps), Trouble("clock", clock_is_set),
)}
