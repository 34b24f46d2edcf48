"""The machine around the agent: rights, folders, space, syslog, registration, the clock, Python's modules."""
from __future__ import annotations

import re
import sys
from typing import Iterator, Optional, Tuple

from rmcagent import folders
from rmcagent.doctor.nouns import Complaint, Scene, Severity, advice, cannot_act, cannot_report
from rmcagent.model import Answer
from rmcagent.partition import parse

LITTLE_SPACE = 64 << 20
LEDGER_SPACE = 2 << 20                   # the ledger and its next one
FIRST_YEAR = 2020                        # before it, the wall clock was never set


def mode(scene: Scene) -> Iterator[Complaint]:
    if scene.settings.mode != "act":
        yield advice("configuration", f"mode is {scene.settings.mode}: no remedy is run, on purpose", "mode: act")
    marker = scene.config.rpartition("/")[0] + "/maintenance"
    if scene.host.exists(marker):
        yield advice("configuration", f"{marker} is there: no remedy is run, on purpose", f"rm {marker}")


def rights(scene: Scene) -> Iterator[Complaint]:
    vitals = scene.seen.vitals
    if not vitals.may_act:
        yield cannot_act("rights", "neither root nor the owner of rmcctrl asks: no remedy could be run, and some "
                         "answers are root's only", 'su root -c "rmcagent doctor"')
    if vitals.in_wpar:
        yield cannot_act("rights", "this is a WPAR: RMC and the HMC are the global environment's affair, and no "
                         "remedy is run here", "rmcagent doctor   # in the global environment")


def state_folder(scene: Scene) -> Iterator[Complaint]:
    state = scene.place.paths["state"]
    listed = scene.ask("/bin/ls", "-ldnL", state)
    owned = owner_and_mode(listed)
    if listed.exit_code == 0 and not listed.stdout.startswith("d"):
        yield cannot_act("state", f"{state} is no folder: the daemon does not start", f"mv {state} {state}.old")
    elif owned is not None:
        yield from _trust(state, *owned, ourselves=_number(scene.ask("/usr/bin/id", "-u").stdout))
        if scene.seen.vitals.may_act and scene.ask("/usr/bin/test", "-w", state).exit_code == 1:
            yield cannot_act("state", f"{state} cannot be written: no remedy is begun without its entry in the "
                             "ledger", f"df {state}; touch {state}/ledger.jsonl")
    elif not scene.host.exists(state):
        yield advice("state", f"{state} does not exist: the daemon makes it when it first starts",
                     f"mkdir -p -m 700 {state}")


def public_folder(scene: Scene) -> Iterator[Complaint]:
    try:
        folders.trust_public(scene.place.paths["public"])
    except PermissionError as reason:
        what, _, command = str(reason).partition("; run: ")
        yield cannot_act("state", f"{what}; the daemon does not start", command)


def space(scene: Scene) -> Iterator[Complaint]:
    """/var, RSCT's part of it and our own: a full one holds remedies back, a small one is full before anybody looks."""
    limits, told = scene.settings.faults, set()
    for name in ("var", "var_ct", "state"):
        path = scene.place.paths[name]
        found = scene.host.space(path)
        if found is None or not found.size or (found.size, found.free >> 22) in told:
            continue
        told.add((found.size, found.free >> 22))
        is_ours, share = name == "state", found.used_share
        how_full = f"{path} is {share:.0%} full, {found.free >> 20} MiB are free"
        mend = f"du -akx {path} | sort -n | tail"
        if is_ours and found.free < LEDGER_SPACE:
            yield cannot_act("space", f"{how_full}: the ledger cannot be written, and no remedy begins", mend)
        elif not is_ours and share >= limits.var_full:
            yield cannot_act("space", f"{how_full}: recycle and recfgct are held back", mend)
        elif found.free < LITTLE_SPACE or (not is_ours and share >= limits.var_warn):
            yield advice("space", f"{how_full}: a log storm or an archive soon fills it", mend)


# ---- syslog ------------------------------------------------------------------------------------------------------------

SYSLOG_CONF = "/etc/syslog.conf"
OTHER_SYSLOGS = ("rsyslogd", "syslog-ng")        # they have files of their own, which are not read here
SOCKET_UNIT = "systemctl start systemd-journald-dev-log.socket"
KEPT = "/var/log/rmcagent.syslog"


def syslog(scene: Scene) -> Iterator[Complaint]:
    """Whether the events arrive where somebody reads them. With a file of our own nothing is lost, whatever syslog does."""
    report = scene.settings.report
    has_file = report.file not in ("off", "auto") or (report.file == "auto" and not scene.on_linux)
    grave = Severity.ADVICE if has_file else Severity.CANNOT_REPORT
    socket = "/dev/log" if report.syslog.socket == "auto" else report.syslog.socket
    if not scene.host.exists(socket):
        mend = ("report: {syslog: {socket: auto}}" if socket != "/dev/log" else
                SOCKET_UNIT if scene.on_linux else "startsrc -s syslogd")
        yield Complaint("syslog", grave, f"no syslog socket {socket}: events wait for one, and the oldest are lost", mend)
    elif not scene.on_linux and not has_file and not set(OTHER_SYSLOGS) & set(scene.processes):
        yield from _rules(scene, report.syslog.facility)


def _rules(scene: Scene, facility: str) -> Iterator[Complaint]:
    text = scene.text(SYSLOG_CONF)
    kept = [where for where in recorded(text or "", facility) if not where.startswith("/") or scene.host.exists(where)]
    if text is None:
        yield advice("syslog", f"{SYSLOG_CONF} could not be read: whether events are recorded is unknown",
                     f"ls -l {SYSLOG_CONF}")
    elif not kept:
        # syslogd writes into files that are there only.
        yield cannot_report("syslog", f"{SYSLOG_CONF} has no rule that records {facility}.info in a file that exists, "
                            "and report.file is off: nobody learns of the events",
                            f"echo '{facility}.info {KEPT} rotate size 1m files 4' \\\n>> {SYSLOG_CONF}\n"
                            f"touch {KEPT}; refresh -s syslogd")


def recorded(text: str, facility: str) -> Tuple[str, ...]:
    """Where a syslog.conf sends all that a facility says from info upwards: files, hosts, users. A later selector of the same
    line overrides an earlier one; `none` takes a facility out."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or words[0].startswith("#"):
            continue
        chosen = False
        for selector in words[0].split(";"):
            facilities, _, priority = selector.rpartition(".")
            if {facility, "*"} & set(facilities.split(",")):
                chosen = priority in ("info", "debug", "*")
        if chosen:
            found.append(words[1])
    return tuple(found)


# ---- the agent's own standing ------------------------------------------------------------------------------------------

def registration(scene: Scene) -> Iterator[Complaint]:
    if scene.on_linux:
        answer = scene.ask(scene.place.commands["systemctl"], "is-enabled", "rmcagent.service")
        word = answer.stdout.strip()
        if not (answer.missing or answer.timed_out) and not word.startswith(("enabled", "static", "indirect", "generated")):
            known = word == "disabled"
            yield advice("boot", f"rmcagent.service is {'not enabled' if known else 'not known to systemd'}: nothing "
                         "starts the agent at boot", "systemctl enable --now rmcagent" if known else
                         "rmcagent run   # in the foreground; the deb and the rpm bring the unit")
        return
    try:
        row = parse.lssrc_one(scene.ask(scene.place.commands["lssrc"], "-s", "rmcagent"), "rmcagent")
    except parse.Unreadable:
        return                            # what is wrong with lssrc is told elsewhere
    if row is None:
        yield advice("boot", "rmcagent is not on file in SRC: nothing starts the agent at boot", "rmcagent register --apply")


def wall_clock(scene: Scene) -> Iterator[Complaint]:
    if scene.now.year < FIRST_YEAR:
        yield advice("clock", f"the clock says {scene.now:%Y-%m-%d}: once it is set, budgets and windows are counted "
                     "anew", "chronyc makestep" if scene.on_linux else "smit date")


def python(scene: Scene) -> Iterator[Complaint]:
    """On Linux /proc tells what psutil would."""
    if not scene.on_linux and not _importable(scene, "psutil"):
        yield advice("python", "psutil is not installed: a ctrmc that is a zombie passes for alive until lssrc says "
                     "otherwise", f"{sys.executable or 'python3'} -m pip install 'psutil<7.1'")
    try:
        import tenacity  # noqa: F401
    except ImportError:
        yield advice("python", "tenacity is not installed: rmcctrl -A has one try instead of three",
                     f"{sys.executable or 'python3'} -m pip install tenacity==9.1.2")


def _importable(scene: Scene, name: str) -> bool:
    """Asked of the folders, for psutil and systemd are each imported in one module only."""
    return any(scene.host.exists(f"{folder}/{name}") for folder in sys.path)


# ---- helpers -----------------------------------------------------------------------------------------------------------

def _trust(state: str, owner: int, mode: str, ourselves: Optional[int]) -> Iterator[Complaint]:
    others_write = "w" in (mode[5], mode[8])
    if owner not in (0, ourselves):
        yield cannot_act("state", f"{state} belongs to uid {owner}, who could change what the agent remembers; the "
                         "daemon does not start", f"chown root {state}; chmod 700 {state}")
    elif others_write:
        repaired = owner == ourselves
        then = "mends that when it starts, but not what was put there" if repaired else "does not start"
        complain = advice if repaired else cannot_act
        yield complain("state", f"others may write {state} ({mode}); the daemon {then}", f"ls -la {state}; chmod 700 {state}")


def owner_and_mode(answer: Answer) -> Optional[Tuple[int, str]]:
    """The owner's uid and the ten letters of `ls -ldn`; None: it could not tell."""
    words = answer.stdout.split()
    if answer.exit_code != 0 or len(words) < 4 or not re.fullmatch(r"[d-][rwxsStTlL-]{9}[.+@]?", words[0]):
        return None
    owner = _number(words[2])
    return None if owner is None else (owner, words[0][:10])


def _number(text: str) -> Optional[int]:
    word = text.strip()
    return int(word) if word.isascii() and word.isdigit() and len(word) < 12 else None
