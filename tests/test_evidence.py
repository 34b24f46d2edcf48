"""Danger is proved again at the moment of use: what comes up between decision and deed stops the deed, and no clock frees one."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Set, Tuple

import pytest

from day import HOUR, MINUTE, Day
from rmcagent.model import Decision, Kind, Platform, Refusal, Remedy, State
from rmcagent.records import _line
from rmcagent.sim.live.stage import Stage

AIX, LINUX, VIOS = Platform.AIX, Platform.LINUX, Platform.VIOS
RECYCLE, RECFGCT = Remedy.RECYCLE, Remedy.RECFGCT
ON_EACH = pytest.mark.parametrize("platform", [AIX, VIOS, LINUX], ids=lambda platform: platform.value)
OF_EACH = pytest.mark.parametrize("remedy", [RECYCLE, RECFGCT], ids=lambda remedy: remedy.value)
FAULT = {RECYCLE: "stick_session", RECFGCT: "break_identity"}
PATIENCE = 60.0


class Verge:
    """A partition on which that remedy is decided upon; what is planted comes up before its evidence is gathered."""

    def __init__(self, folder: Path, platform: Platform, remedy: Remedy, hmcs: Tuple[str, ...] = ("192.0.2.21",)) -> None:
        self.day = Day(folder, platform, hmcs, policy="guards: {splay: 0s}\n")
        self.remedy = remedy
        self.planted: List[Callable[[Day], None]] = []
        self.gathered = 0
        self.gather = self.day.cycle.observer.evidence
        self.day.cycle.observer.evidence = self._evidence  # type: ignore[method-assign, assignment]
        self.day.run(30 * MINUTE)
        self.day.do(FAULT[remedy])

    def _evidence(self, *known: Any) -> Any:
        if self.remedy is RECYCLE or "rmcctrl -z" in self.day.did():
            self.gathered += 1
            for plant in self.planted:
                plant(self.day)
        return self.gather(*known)

    def reach(self, *plants: Callable[[Day], None], within: float = 3 * HOUR) -> None:
        """Let time pass until the remedy has been decided upon, and the evidence for it gathered once more."""
        self.planted, before = list(plants), self.gathered
        end = self.day.clock.monotonic() + within
        while self.gathered == before:
            assert self.day.clock.monotonic() < end, (self.day.did(), self.day.cycle.view.decisions)
            self.day.clock.sleep(self.day.cycle.step())
        self.planted = []

    @property
    def begun(self) -> bool:
        return any(attempt.remedy is self.remedy for attempt in self.day.cycle.ledger.attempts.values())

    def refusals(self) -> Tuple[Refusal, ...]:
        held: Tuple[Decision, ...] = tuple(one for one in self.day.cycle.view.decisions if one.remedy is self.remedy)
        return tuple(refusal for decision in held for refusal in decision.refused_by)


class Danger(NamedTuple):
    guard: str
    says: str
    comes: Callable[[Day], None]
    goes: Callable[[Day], None]


def away(day: Day, *names: str, **facts: Any) -> None:
    """As if it had never been: its services end, and nothing of it is configured."""
    for name in names:
        if name in day.partition.subsystems:
            day.partition.end(name)
    for name, value in facts.items():
        setattr(day.partition, name, value)
    day.partition.changed()


NO_CAA: Mapping[str, Any] = {"caa": "", "caa_name": "", "caa_disk": "", "ssp": ""}
SERVICES = ("cthags", "cthats", "clconfd")


def no_powerha(day: Day) -> None:
    away(day, "clstrmgrES", powerha="", powerha_name="")
    del day.partition.subsystems["clstrmgrES"]


def moves(day: Day) -> None:
    day.partition.row("IBM.DRM").state = State.STARTING


def rests(day: Day) -> None:
    day.partition.row("IBM.DRM").state = State.ACTIVE


def program(name: str, guard: str) -> Danger:
    return Danger(guard, f"{name} is running", lambda day: day.do("run_program", name), lambda day: day.do("end_program", name))


DANGERS: Mapping[str, Danger] = {
    "caa": Danger("cluster", "CAA is active", lambda day: day.do("start_caa"), lambda day: away(day, *SERVICES, **NO_CAA)),
    "powerha": Danger("cluster", "PowerHA is in ST_INIT", lambda day: day.do("start_powerha", "ST_INIT"), no_powerha),
    "ssp": Danger("cluster", "shared storage pool", lambda day: day.do("start_ssp"), lambda day: away(day, *SERVICES, **NO_CAA)),
    "peer domain": Danger("cluster", "the peer domain pd1 is Online", lambda day: day.do("define_peer_domain"),
                          lambda day: away(day, *SERVICES, domains={})),
    "lscluster hangs": Danger("cluster", "lscluster -m could not tell", lambda day: day.do("hang_command", "lscluster"),
                              lambda day: day.do("mend_command", "lscluster")),
    "migration": Danger("migration", "", lambda day: day.do("start_migration"), lambda day: day.do("end_migration", True)),
    "installer": program("rpm", "install"),
    "clmgr": program("clmgr", "busy"),
    "rmcctrl of somebody's": program("rmcctrl", "busy"),
    "shutdown": program("shutdown", "shutdown"),
    "transition": Danger("transition", "IBM.DRM is starting", moves, rests),
    "full var": Danger("var-full", "98% full", lambda day: day.do("fill_var", 0.98), lambda day: day.do("fill_var", 0.5)),
}
OF_AIX = ("caa", "powerha", "lscluster hangs")
OF_VIOS = (*OF_AIX, "ssp")


def dangers_of(platform: Platform) -> Tuple[str, ...]:
    others = {LINUX: OF_VIOS, AIX: ("ssp",), VIOS: ()}[platform]
    return tuple(name for name in DANGERS if name not in others)


@ON_EACH
@OF_EACH
def test_whatever_comes_up_between_decision_and_deed_stops_the_deed_until_it_is_gone(
    tmp_path: Path, platform: Platform, remedy: Remedy
) -> None:
    verge = Verge(tmp_path, platform, remedy)

    held: Dict[str, Tuple[bool, Tuple[Refusal, ...]]] = {}
    for name in dangers_of(platform):
        verge.reach(DANGERS[name].comes)
        held[name] = (verge.begun, verge.refusals())
        DANGERS[name].goes(verge.day)
    verge.reach()

    for name, (begun, spoken) in held.items():
        danger = DANGERS[name]
        said = [refusal for refusal in spoken if refusal.guard == danger.guard and danger.says in refusal.because]
        assert not begun and said and all(refusal.unblock for refusal in spoken), (name, spoken)
    assert verge.begun and verge.day.partition.disasters == []


@ON_EACH
@OF_EACH
@pytest.mark.parametrize("comes", ["its own link", "a second HMC", "in-band"])
def test_an_hmc_that_connects_between_decision_and_deed_is_not_cut_off(
    tmp_path: Path, platform: Platform, remedy: Remedy, comes: str
) -> None:
    verge = Verge(tmp_path, platform, remedy)

    def connects(day: Day) -> None:
        if comes == "in-band":
            day.do("in_band", "hmc9")
            return
        day.partition.identity_broken = False
        if comes == "a second HMC":
            day.do("add_hmc", "192.0.2.99")
        else:
            day.partition.hmcs[0].stuck, day.partition.hmcs[0].connected = None, True
            day.partition.changed()

    verge.reach(connects)
    begun = verge.begun
    verge.day.run(30 * MINUTE)

    assert (begun, verge.begun, verge.day.partition.disasters) == (False, False, [])


# -- the evidence is no older than the policy says


@ON_EACH
def test_evidence_that_was_long_in_coming_is_too_old_and_says_so(tmp_path: Path, platform: Platform) -> None:
    """What answered first is older than allowed when the last has answered."""
    verge = Verge(tmp_path, platform, RECFGCT)
    settings = verge.day.cycle.settings
    verge.day.cycle.settings = replace(settings, guards=replace(settings.guards, evidence=timedelta(seconds=1)))

    verge.reach(lambda day: day.do("slow_down", 30.0))

    spoken = [refusal.because for refusal in verge.refusals()]
    assert not verge.begun
    assert any(because.startswith("lsrpdomain: its answer is older than 1s, told ") for because in spoken), spoken


# -- all HMCs gone at once


@ON_EACH
def test_hmcs_that_went_down_together_hold_recycle_back_until_one_has_answered_for_long_enough(
    tmp_path: Path, platform: Platform
) -> None:
    day = Day(tmp_path, platform, ("192.0.2.21", "192.0.2.22"), policy="guards: {splay: 0s}\n")
    day.run(30 * MINUTE)
    day.do("hmc_unreachable")
    day.do("stick_session")
    day.run(3 * HOUR)
    away_for_long = list(day.did())
    day.do("hmc_reachable", "192.0.2.22")
    day.run(19 * MINUTE)
    (decision,) = [one for one in day.cycle.view.decisions if one.finding and one.finding.fault.value == "link-down"]
    waiting = list(day.did())

    day.run(5 * MINUTE)

    assert "rmcctrl -z" not in away_for_long + waiting
    assert (decision.kind, [refusal.guard for refusal in decision.refused_by]) == (Kind.WAIT, ["hmc-back"])
    assert "rmcctrl -z" in day.did()


# -- a wall clock that is set


class Life(NamedTuple):
    """What was begun, and after how many seconds of real time."""

    did: Tuple[Tuple[float, str], ...]

    @property
    def words(self) -> Tuple[str, ...]:
        return tuple(command for _, command in self.did)


def life(folder: Path, fault: str, jump: Optional[timedelta], then: str) -> Life:
    """Budgets are spent within six hours; the clock is set; the agent or the partition begins anew; a day and more passes."""
    day = Day(folder, policy="cadence: {pulse: 2m, look: 2m}\n")
    begun = day.clock.now()
    day.run(30 * MINUTE)
    break_it(day, fault)
    day.run(6 * HOUR)
    set_at = len(day.partition.did)
    day.clock.jump(jump or timedelta(0))
    day.run(10 * MINUTE)
    if then == "reboot":
        day.do("reboot")
        break_it(day, fault)
    if then:
        day.restart()
    day.run(28 * HOUR)
    return Life(tuple(
        ((at - begun - (jump or timedelta(0) if number >= set_at else timedelta(0))).total_seconds(), command)
        for number, (at, command) in enumerate(day.partition.did)
    ))


def times(lived: Life, command: str) -> List[float]:
    return [at for at, begun in lived.did if begun == command]


def break_it(day: Day, fault: str) -> None:
    if fault == "crash":
        day.do("ctrmc_wont_start", 999)
        day.do("crash")
    else:
        day.do("break_identity")
        day.partition.take_identity = lambda: None  # type: ignore[method-assign]


@lru_cache(None)
def undisturbed(folder: Path, fault: str, then: str) -> Life:
    return life(folder, fault, None, then)


DAY = timedelta(days=1)


def begun_after(folder: Path, set_by: timedelta, at: float) -> List[Tuple[float, str]]:
    """Seconds from the fault to each command; the clock is set `at` seconds after the fault."""
    day = Day(folder)
    day.run(30 * MINUTE)
    day.do("stick_session", mended_by=None)
    begun, done = day.clock.now(), day.clock.monotonic()
    day.run(at)
    so_far = len(day.partition.did)
    day.clock.jump(set_by)
    day.run(2 * HOUR - (day.clock.monotonic() - done))
    return [((when - begun - (set_by if number >= so_far else timedelta(0))).total_seconds(), command)
            for number, (when, command) in enumerate(day.partition.did)]


@pytest.mark.parametrize("at", [MINUTE, 10 * MINUTE, 40 * MINUTE], ids=["in the grace", "while it settles", "in the cooldown"])
def test_a_clock_set_by_a_day_moves_no_grace_no_settle_and_no_cooldown(tmp_path: Path, at: float) -> None:
    plain, forward, back = (begun_after(tmp_path / str(number), set_by, at)
                            for number, set_by in enumerate((timedelta(0), DAY, -DAY)))

    assert {"rmcctrl -z"} < {command for _, command in plain}
    for other in (forward, back):
        assert [command for _, command in other] == [command for _, command in plain]
        assert all(abs(one - two) < 0.01 for (one, _), (two, _) in zip(other, plain))


@pytest.mark.parametrize("then", ["", "restart", "reboot"])
@pytest.mark.parametrize("jump", [DAY, -DAY], ids=["a day forward", "a day back"])
def test_a_clock_set_by_a_day_ends_no_pause(tmp_path: Path, jump: timedelta, then: str) -> None:
    day = Day(tmp_path)
    day.run(30 * MINUTE)
    day.cycle.pause(day.cycle.steady.now() + timedelta(hours=3), "SAN work", "root")
    day.clock.jump(jump)
    day.run(10 * MINUTE)
    if then == "reboot":
        day.do("reboot")
    if then:
        day.restart()
    day.run(20 * MINUTE)
    day.do("crash")

    day.run(2 * HOUR)
    held = day.did()
    day.run(HOUR if (jump, then) != (-DAY, "reboot") else 25 * HOUR)

    assert held == [] and day.did() == ["rmcctrl -A", "rmcctrl -p"]


@pytest.mark.slow
@pytest.mark.parametrize("jump", [DAY, -DAY], ids=["a day forward", "a day back"])
@pytest.mark.parametrize("then", ["", "restart", "reboot"])
@pytest.mark.parametrize("fault", ["crash", "identity"])
def test_a_clock_set_by_a_day_neither_frees_nor_spends_nor_fires(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, fault: str, then: str, jump: timedelta
) -> None:
    plain = undisturbed(tmp_path_factory.getbasetemp() / f"plain-{fault}-{then}", fault, then)

    lived = life(tmp_path, fault, jump, then)

    assert len(plain.words) > 10 and len(times(lived, "rmcctrl -z")) > 2
    for command, allowed in (("rmcctrl -z", 2), ("recfgct", 1)):
        begun = times(lived, command)
        assert all(later - sooner > 24 * HOUR for sooner, later in zip(begun, begun[allowed:]))
    if then == "reboot" and jump < timedelta(0):
        return          # what lies in the future after a boot is taken as of then: later, never sooner
    assert lived.words == plain.words
    assert all(abs(one - other) <= 2 * 120 for (one, _), (other, _) in zip(lived.did, plain.did))


# -- a ledger that cannot be believed, and a state folder that is none: the real daemon


class Bad(NamedTuple):
    """`kept`: whether the file is left byte for byte as it was; else it is set aside."""

    spoil: Callable[[Path], object]
    says: str
    kept: bool = True


def newer(path: Path) -> None:
    path.write_bytes(_line({"k": "ledger", "v": 2}) + b"whatever the future holds\n")


def torn_apart(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"00000000 {}\n" + b"".join(lines[1:]))


BAD_LEDGERS: Mapping[str, Bad] = {
    "damaged": Bad(torn_apart, "the checksum of line 2 is wrong; set aside as LEDGER.damaged-1", kept=False),
    "of a newer version": Bad(newer, "cannot use LEDGER: a newer rmcagent wrote it; install that, or move it away"),
    "somebody else's": Bad(lambda path: os.chown(path, 65534, -1),
                           "cannot trust LEDGER: its owner is uid 65534, who could change it; "
                           "move it away, and start the agent again"),
}


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("what", list(BAD_LEDGERS))
def test_on_a_ledger_that_cannot_be_believed_the_daemon_says_so_does_nothing_and_loses_nothing(tmp_path: Path, what: str) -> None:
    bad = BAD_LEDGERS[what]
    with Stage(tmp_path) as stage:
        ledger = Path(stage.world.config()["paths"]["state"]) / "ledger.jsonl"
        stage.start()
        assert stage.wait_healthy(PATIENCE) and stage.stop() == 0
        bad.spoil(ledger)
        content, owner = ledger.read_bytes(), ledger.stat().st_uid
        stage.start()

        stage.world.do("crash")

        told = stage.wait_for("RMCA1009E", PATIENCE)
        assert told and bad.says.replace("LEDGER", str(ledger)) in told.fields["because"], stage.told
        assert told.fields["therefore"] == "every budget counts as spent"
        assert stage.wait_until(lambda: held_by(stage) == {"budget"}, PATIENCE), stage.status()
        assert not stage.wait_until(lambda: stage.did() != [], 4.0)
        plan = asked(stage.config, "plan", "--json")
        assert "budget" in json.loads(plan.stdout)["decision"]["refused_by"], plan
        left = ledger if bad.kept else Path(f"{ledger}.damaged-1")
        assert (left.read_bytes(), left.stat().st_uid) == (content, owner)
        assert stage.complaints() == ""


def held_by(stage: Stage) -> Set[str]:
    return {guard for decision in stage.status().get("decisions", []) for guard in decision["refused_by"]}


def asked(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/", "PYTHONPATH": str(Path(__file__).parents[1] / "agent")}
    return subprocess.run([sys.executable, "-m", "rmcagent", *words, "--config", str(config)], capture_output=True, text=True,
                          timeout=PATIENCE, env=environment)


NO_FOLDER = "cannot use STATE: it is no folder, or leads to none; move it away, or name another under paths"
NOT_OURS = "cannot use STATE: its owner is uid 65534 (mode 0755), who could change it; run: chown 0 STATE; chmod 700 STATE"


def given_away(path: Path) -> Path:
    path.mkdir()
    path.chmod(0o755)
    os.chown(path, 65534, -1)
    return path


@pytest.mark.real
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("makes, says, code", [
    (lambda state: state.write_text("mine\n"), NO_FOLDER, 1),
    (lambda state: state.symlink_to(state.parent / "nowhere"), NO_FOLDER, 1),
    (lambda state: state.symlink_to(state), NO_FOLDER, 1),
    (given_away, NOT_OURS, 4),
    (lambda state: state.symlink_to(given_away(state.parent / "theirs")), NOT_OURS, 4),
], ids=["a file", "a link to nowhere", "a link to itself", "somebody else's", "a link to somebody else's"])
def test_without_a_state_folder_of_its_own_no_daemon_begins_and_what_is_there_stays_as_it_is(
    tmp_path: Path, makes: Callable[[Path], object], says: str, code: int
) -> None:
    state, config = tmp_path / "state", tmp_path / "rmcagent.yaml"
    config.write_text(f"platform: linux\npaths: {{state: {state}, public: {tmp_path}/public}}\nreport: {{file: off}}\n")
    config.chmod(0o600)
    makes(state)
    before = described(tmp_path)

    ended = asked(config, "run")

    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", f"rmcagent: {says.replace('STATE', str(state))}\n")
    assert described(tmp_path) == before


def described(folder: Path) -> Dict[str, Tuple[int, int, str]]:
    """Everything below it: mode, owner, and what it says or leads to."""
    return {str(path): (path.lstat().st_mode, path.lstat().st_uid,
                        os.readlink(path) if path.is_symlink() else path.read_text() if path.is_file() else "")
            for path in sorted(folder.rglob("*"))}
