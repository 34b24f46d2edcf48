"""What each remedy runs: remedy name -> steps, and the order in which a helper takes them; the only module that changes anything.

The helper itself (host.SystemHost.begin) is a process of its own session; it and the simulation both drive `performing`.
"""
from __future__ import annotations

from typing import Callable, Generator, List, Mapping, Tuple

from rmcagent.model import Answer, Deed, Remedy, Step

# SRC itself may start these; ctrmc only through rmcctrl, anything else never.
MANAGERS = ("IBM.DRM", "IBM.MgmtDomainRM", "IBM.ServiceRM", "IBM.HostRM", "IBM.CSMAgentRM")

RMCCTRL_SECONDS = 120.0
RECFGCT_SECONDS = 900.0
OTHER_SECONDS = 60.0
ENDING_SECONDS = 20.0        # between SIGTERM and SIGKILL

# What recfgct prints when it declines and leaves RMC as it was [seen in capture recfgct--refused-online-peer-domain].
DECLINED = "Cannot run if an online Peer Domain exists"

# Steps the helper does itself, without a command of RSCT's.
SAVE = "@save"          # @save FILE COMMAND ...: a reading command's output into the archive's folder
ARCHIVE = "@archive"    # @archive FOLDER: into the archive's folder, 0600, space checked
RECORD = "@record"      # @record WHEN NODE_ID_FILE: the node id into the progress notes
END = "@end"            # @end NAME ...: the processes of exactly these names: SIGTERM, and SIGKILL for what is left
START = "@start"        # @start COMMAND ...: one that may stay in the foreground, and is left there when its time is over
WAIT = "@wait"          # @wait FILE: until it exists


class CannotSpell(ValueError):
    """A remedy has no steps here; the text says why, `unblock` what would help."""

    def __init__(self, because: str, unblock: str = "install the command") -> None:
        super().__init__(because)
        self.unblock = unblock


def deed(attempt: int, remedy: Remedy, subject: str, commands: Mapping[str, str], paths: Mapping[str, str],
         enable_remote: bool = True) -> Deed:
    """Spell a remedy out. `commands` holds the absolute path of each command that is installed here."""
    steps = SPELLINGS[remedy](commands, paths, subject)
    if not enable_remote:
        steps = tuple(step for step in steps if step.argv[1:] != ("-p",))
    if not steps:
        raise CannotSpell(f"cannot {remedy.value}: remote clients were disabled on purpose, and no other step is installed here",
                          "rmcctrl -p, where remote clients are wanted after all")
    return Deed(attempt, remedy, steps)


def performing(deed: Deed) -> Generator[Step, Answer, Tuple[str, ...]]:
    """Yield each step in its turn, take its answer, and return what failed.

    A failed `needed` step ends a remedy that has touched nothing yet; later it skips to the steps marked `always`, for
    RMC must end up started whatever happened. Steps marked `mends` run only then.
    """
    failed: List[str] = []
    touched = skipping = False
    for step in deed.steps:
        if (skipping and not step.always) or (step.mends and not skipping):
            continue
        answer = yield step
        touched = touched or _touches(step, answer)
        if answer.exit_code == 0:
            continue
        failed.append(f"{step.name}: {_ending(answer)}")
        if DECLINED in answer.stdout + answer.stderr or (step.needed and not touched):
            break
        skipping = skipping or step.needed
    return tuple(failed)


def _touches(step: Step, answer: Answer) -> bool:
    """Whether it may have changed something; where no process could be listed, none was ended."""
    return step.argv[0] not in (SAVE, ARCHIVE, RECORD, WAIT) and not (step.argv[0] == END and answer.timed_out)


def _ending(answer: Answer) -> str:
    if answer.missing:
        return "not found"
    said = (answer.stderr.strip() or answer.stdout.strip()).splitlines()
    ending = "did not end" if answer.exit_code is None else f"exit {answer.exit_code}"
    return f"{ending}, {said[0][:120]}" if said else ending


def _refresh(commands: Mapping[str, str], paths: Mapping[str, str], subject: str) -> Tuple[Step, ...]:
    steps = [_rmcctrl(commands, "-p")]
    if "rmcrefreshMD" in commands:
        steps.append(Step("rmcrefreshMD", (commands["rmcrefreshMD"], "-s", "ctrmc"), OTHER_SECONDS))
    if "refrsrc" in commands:
        steps.append(Step("refrsrc", (commands["refrsrc"], "IBM.MCP"), OTHER_SECONDS))
    return tuple(steps)


def _start(commands: Mapping[str, str], paths: Mapping[str, str], subject: str) -> Tuple[Step, ...]:
    return (_rmcctrl(commands, "-A", always=True, tries=3), _rmcctrl(commands, "-p", always=True))


def _manager(commands: Mapping[str, str], paths: Mapping[str, str], subject: str) -> Tuple[Step, ...]:
    if subject not in MANAGERS:
        raise CannotSpell(f"cannot start {subject or 'a manager without a name'}: only {', '.join(MANAGERS)} are started by hand",
                          f"see what should start {subject}, or take it out of expect.subsystems")
    return (Step(f"startsrc {subject}", (_path(commands, "startsrc"), "-s", subject), OTHER_SECONDS),)


def _lparmgr(commands: Mapping[str, str], paths: Mapping[str, str], subject: str) -> Tuple[Step, ...]:
    """[my inference, from one administrator's notes: these two names, this command, and a socket that tells when it is up]"""
    if "lparmgr" not in commands:
        raise CannotSpell("cannot restart lparmgr: it is not installed here",
                          "only a VIOS has it, as /usr/ios/lpm/sbin/lparmgr: where it stands elsewhere, name it in `commands`")
    return (
        # Beside those that could not be listed no others are started; once one was ended, they are, whatever failed.
        Step("end lparmgr", (END, "accessprocess", "lparmgr"), ENDING_SECONDS, needed=True),
        Step("lparmgr all start", (START, commands["lparmgr"], "all", "start"), OTHER_SECONDS, always=True),
        Step("wait for apsock", (WAIT, paths["apsock"]), OTHER_SECONDS, always=True),
    )


def _recycle(commands: Mapping[str, str], paths: Mapping[str, str], subject: str) -> Tuple[Step, ...]:
    return (_rmcctrl(commands, "-z"), *_start(commands, paths, subject))


def _recfgct(commands: Mapping[str, str], paths: Mapping[str, str], subject: str) -> Tuple[Step, ...]:
    saved = [Step(f"save {name}", (SAVE, f"{name}.txt", commands[name], argument), OTHER_SECONDS)
             for name, argument in (("lscondition", "-C"), ("lsresponse", "-C"), ("ctsthl", "-l"), ("lsrsrc", "IBM.MCP"))
             if name in commands]
    return (
        *saved,
        Step("archive", (ARCHIVE, f"{paths['var_ct']}/cfg"), OTHER_SECONDS, needed=True),
        Step("record before", (RECORD, "before", paths["node_id"]), OTHER_SECONDS),
        Step("recfgct", (_path(commands, "recfgct"),), RECFGCT_SECONDS, needed=True),
        # recfgct starts ctrmc itself; one that failed half-way may not have.
        _rmcctrl(commands, "-A", always=True, mends=True),
        _rmcctrl(commands, "-p", always=True),
        # One that failed may have changed the node id all the same.
        Step("record after", (RECORD, "after", paths["node_id"]), OTHER_SECONDS, always=True),
    )


SPELLINGS: Mapping[Remedy, Callable[[Mapping[str, str], Mapping[str, str], str], Tuple[Step, ...]]] = {
    Remedy.REFRESH: _refresh,
    Remedy.START: _start,
    Remedy.MANAGER: _manager,
    Remedy.LPARMGR: _lparmgr,
    Remedy.RECYCLE: _recycle,
    Remedy.RECFGCT: _recfgct,
}


def _rmcctrl(commands: Mapping[str, str], flag: str, always: bool = False, mends: bool = False, tries: int = 1) -> Step:
    return Step(f"rmcctrl {flag}", (_path(commands, "rmcctrl"), flag), RMCCTRL_SECONDS, always=always, mends=mends, tries=tries)


def _path(commands: Mapping[str, str], name: str) -> str:
    if name not in commands:
        raise CannotSpell(f"cannot run {name}: it is not installed here")
    return commands[name]
