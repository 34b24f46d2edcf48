"""A command from beginning to end: the tricks played on it, what it says, and the effects of those that change something."""
from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Mapping, Optional, Tuple

from rmcagent.model import State
from rmcagent.sim import voices
from rmcagent.sim.partition import readers
from rmcagent.sim.partition.nouns import (
    APSOCK,
    FOREVER,
    LPARMGR,
    LPARMGR_RUNS,
    NEEDS_RMC,
    READING,
    RECFGCT,
    RECONNECT_NEW,
    STARTING,
    STOPPING,
    WAKES,
    Reply,
    Trick,
)
from rmcagent.sim.voices import Said

if TYPE_CHECKING:
    from rmcagent.sim.partition.machine import Machine

Args = Tuple[str, ...]
# How long it will take, and what it does and says at its end.
Change = Tuple[float, Callable[[], Said]]


def begin(partition: Machine, name: str, args: Args) -> Reply:
    """Begin a command. The reply of one that changes something is filled in at its end, whoever waits for it or not."""
    trick = _trick(partition, (name, *args))
    if name not in partition.commands or (trick and trick.kind == "remove"):
        return Reply("", "", 127, 0.0, missing=True)
    changes = CHANGERS.get(name)
    if changes:
        partition.did.append((partition.clock.now(), " ".join((name, *args))))
    if trick and trick.kind == "hang":
        return Reply(seconds=FOREVER, stubborn=trick.stubborn, forks=trick.forks)
    if name in NEEDS_RMC and partition.hung:
        return Reply(seconds=FOREVER)
    if trick and trick.kind == "fail":
        return _reply(partition, Said("", f"{trick.text}\n" if trick.text else "", trick.exit_code), 0.1)
    if name in NEEDS_RMC and not partition.active("ctrmc"):
        return _reply(partition, voices.no_session(name), 0.1)
    if changes:
        return _under_way(partition, name, trick, *changes(partition, args))
    _wake(partition, name)
    if name == "errlogger":
        partition.errlogged.append(" ".join(args))
    return _reply(partition, _twisted(trick, readers.answer(partition, name, args)), READING.get(name, 0.01))


def _under_way(partition: Machine, name: str, trick: Optional[Trick], seconds: float, effect: Callable[[], Said]) -> Reply:
    partition.underway.append(name)
    reply = Reply(seconds=seconds * partition.pace)

    def end() -> None:
        partition.underway.remove(name)
        said = _twisted(trick, effect())
        reply.stdout, reply.stderr, reply.exit_code = said

    partition.later(seconds, end)
    return reply


def _reply(partition: Machine, said: Said, seconds: float) -> Reply:
    return Reply(*said, seconds * partition.slowness * partition.pace)


def _trick(partition: Machine, words: Args) -> Optional[Trick]:
    """The one whose words go furthest."""
    played = [start for start in partition.tricks if words[:len(start)] == start]
    return partition.tricks[max(played, key=len)] if played else None


def _twisted(trick: Optional[Trick], said: Said) -> Said:
    if trick is None:
        return said
    if trick.kind == "garble":
        return said._replace(stdout=trick.text)
    if trick.kind == "cut":
        return said._replace(stdout=said.stdout[:len(said.stdout) * 2 // 3].rstrip("\n")[:-1])
    if trick.kind == "localise":
        return said._replace(stdout=voices.translated(said.stdout), stderr=voices.translated(said.stderr))
    return Said()


def _wake(partition: Machine, name: str) -> None:
    manager = WAKES.get(name, "")
    if partition.state(manager) is State.INOPERATIVE:
        partition.start(manager)
        partition.changed()


def _rmcctrl(partition: Machine, args: Args) -> Change:
    flag = args[0] if args else ""
    if flag in ("-z", "-K"):
        return _stop(partition)
    if flag in ("-A", "-s"):
        return STARTING, lambda: _start(partition, flag == "-A")
    if flag in ("-p", "-P"):
        return 0.5, lambda: _remote(partition, flag == "-p")
    return 0.1, lambda: Said("", "Usage: rmcctrl {-a|-A|-d|-k|-K|-p|-P|-q|-Q|-s|-z|-h}\n", 1)


def _stop(partition: Machine) -> Change:
    """rmcctrl -z ends every resource manager: IBM.ConfigRM too, under whatever stands on it."""
    _beware(partition, "recycle", (
        (partition.active("cthags") or partition.active("cthats"), "under live Group Services"),
        (any(hmc.connected for hmc in partition.hmcs), "while an HMC was connected"),
        (partition.migrating, "during a migration"),
    ))
    running = [row for row in partition.rmc_rows() if row.state is State.ACTIVE]
    for row in running:
        row.state = State.STOPPING
    partition.changed()

    def stopped() -> Said:
        # [the words were never captured; 0513-044 is what stopsrc says, from memory]
        said = voices.requested_to_stop("ctrmc") if running else ""
        partition.stop_rmc()
        return Said(said)

    return STOPPING if running else 1.0, stopped


def _start(partition: Machine, add: bool) -> Said:
    """[inferred: what -A says when ctrmc is there already, and that it exits 0 then, was never seen]"""
    if partition.active("ctrmc"):
        return Said(voices.already_active("ctrmc"))
    partition.start("ctrmc")
    return Said((voices.added("ctrmc") if add else "") + voices.started("ctrmc", partition.row("ctrmc").pid))


def _remote(partition: Machine, enable: bool) -> Said:
    if not partition.active("ctrmc"):
        return voices.no_session("rmcctrl")
    partition.remote_enabled = enable
    return Said()


def _recfgct(partition: Machine, args: Args) -> Change:
    if "Online" in partition.domains.values():
        return 1.0, lambda: voices.RECFGCT_REFUSES
    _beware(partition, "recfgct", (
        (partition.caa == "active", "under an active CAA cluster"),
        (partition.caa == "stopped", "of a CAA cluster's node"),
        (bool(partition.domains), f"deletes peer domain {', '.join(partition.domains)}"),
        (any(hmc.connected for hmc in partition.hmcs), "while an HMC was connected"),
        (partition.migrating, "during a migration"),
    ))
    partition.stop_rmc()
    partition.changed()

    def configured() -> Said:
        partition.take_identity()
        # [inferred: "afterwards run rmcctrl -p" suggests that it leaves remote clients disabled]
        partition.remote_enabled = False
        partition.start("ctrmc")
        for hmc in partition.hmcs:
            hmc.delay = RECONNECT_NEW
        said = voices.added("ctcas") + voices.added("ctrmc") + voices.started("ctrmc", partition.row("ctrmc").pid)
        return Said(voices.CTRMC_MDDR + said)

    return RECFGCT, configured


def _startsrc(partition: Machine, args: Args) -> Change:
    name = args[1] if args[:1] == ("-s",) and len(args) > 1 else ""

    def start() -> Said:
        if name not in partition.subsystems:
            return voices.not_on_file(name)
        if partition.active(name):
            return Said(voices.already_active(name), "", 1)
        partition.start(name)
        return Said(voices.started(name, partition.row(name).pid))

    return 0.5, start


def _refresh(partition: Machine, args: Args) -> Change:
    def refreshed() -> Said:
        if partition.active("ctrmc"):
            partition.mend_sessions("refresh")
        return Said()

    return 1.0, refreshed


def _lparmgr(partition: Machine, args: Args) -> Change:
    """[inferred from one administrator's notes: beside processes that still run it mends nothing]"""
    _beware(partition, "lparmgr", ((partition.migrating, "during a migration"),))

    def start() -> Said:
        if args == ("all", "start") and not partition.lparmgr_runs:
            partition.lparmgr_runs = LPARMGR_RUNS
            partition.later(APSOCK, up)
        return Said()

    def up() -> None:
        partition.lparmgr_stuck = partition.lparmgr_runs != LPARMGR_RUNS

    return LPARMGR, start


def _beware(partition: Machine, deed: str, dangers: Tuple[Tuple[bool, str], ...]) -> None:
    """What a careful hand would not have done."""
    partition.disasters += [f"{deed} {how}" for danger, how in dangers if danger]


CHANGERS: Mapping[str, Callable[[Machine, Args], Change]] = {
    "rmcctrl": _rmcctrl,
    "recfgct": _recfgct,
    "startsrc": _startsrc,
    "refrsrc": _refresh,
    "rmcrefreshMD": _refresh,
    "lparmgr": _lparmgr,
}
