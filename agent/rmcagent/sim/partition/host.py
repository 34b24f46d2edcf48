"""SimHost: a simulated partition behind the Host protocol, in virtual time; commands cost what they cost there."""
from __future__ import annotations

import errno
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from ipaddress import ip_address
from typing import Dict, Generator, List, Mapping, Optional, Sequence, Tuple

from rmcagent.model import Answer, Deed, Platform, Progress, Space, Step, Vitals
from rmcagent.partition.act import END, RECORD, START, WAIT, performing
from rmcagent.partition.host import FileStat
from rmcagent.partition.system.run import answer_id
from rmcagent.sim import voices
from rmcagent.sim.clock import VirtualClock
from rmcagent.sim.partition.faults import Partition
from rmcagent.sim.partition.nouns import Reply

VAR_CT = "/var/ct"
NODE_ID, NODE_ID_COPY = "/etc/ct_node_id", f"{VAR_CT}/cfg/ct_node_id"
BIN = "/sim/bin"
APSOCK = "/var/adm/lpm/apsock"
PORTS = (657, 12601)
RETRY_SECONDS = 2.0
WATCH_SECONDS = 1.0


class SimHost:
    """Everything the agent can ask of a partition or do to it. `state_files` are further files by path."""

    def __init__(self, partition: Partition, clock: VirtualClock, state_files: Optional[Mapping[str, bytes]] = None) -> None:
        self.partition = partition
        self.clock = clock
        self.state_files: Dict[str, bytes] = dict(state_files or {})
        self.asked: List[str] = []            # every reading command's line, for tests
        self.state_full = False               # no room in the agent's state folder
        self._helpers: Dict[Tuple[str, int], Helper] = {}
        self._watched: Tuple[int, ...] = ()

    def commands(self) -> Mapping[str, str]:
        """The path of each command this platform has."""
        return {name: f"{BIN}/{name}" for name in self.partition.commands if self._is_installed(name)}

    def _is_installed(self, name: str) -> bool:
        trick = self.partition.tricks.get((name,))
        return name in self.partition.commands and not (trick and trick.kind == "remove")

    def run(self, argv: Sequence[str], timeout: float, keep: int = 1 << 20) -> Answer:
        name = _name(argv)
        known = argv[0] == f"{BIN}/{name}"
        reply = self.partition.command(name, argv[1:]) if known else Reply(exit_code=127, seconds=0.0, missing=True)
        self.asked.append(" ".join((name, *argv[1:])))
        if self._loses_one_within(min(reply.seconds, timeout)):
            return Answer(_answer_id(tuple(argv)), ended_at=self.clock.monotonic(), took=reply.seconds)
        late = reply.seconds > timeout
        stdout, cut = ("", False) if late else _kept(reply.stdout, keep)
        return Answer(
            id=_answer_id(tuple(argv)), exit_code=None if late else reply.exit_code, stdout=stdout,
            stderr="" if late else reply.stderr[:keep], timed_out=late, cut=cut, missing=reply.missing,
            ended_at=self.clock.monotonic(), took=min(reply.seconds, timeout))

    def watch(self, pids: Sequence[int]) -> None:
        self._watched = tuple(pids)

    def _loses_one_within(self, seconds: float) -> bool:
        """Let time pass, no longer than until a process that is watched has ended."""
        clock = self.clock
        end = float(clock.monotonic()) + seconds
        changed = True                  # nobody ends but by what falls due
        while self._watched:
            left = end - float(clock.monotonic())
            if left <= WATCH_SECONDS:
                break
            quiet = min(left, clock.until_next()) // WATCH_SECONDS - 1.0
            if quiet >= 1.0 and not changed:
                clock.sleep(quiet * WATCH_SECONDS)
                continue
            due = clock.until_next() <= WATCH_SECONDS
            clock.sleep(WATCH_SECONDS)
            if (changed or due) and not all(map(self.alive, self._watched)):
                return True
            changed = False
        clock.sleep(max(0.0, end - float(clock.monotonic())))
        return False

    def exists(self, path: str) -> bool:
        if path.startswith(f"{BIN}/"):
            return self._is_installed(path[len(BIN) + 1:])
        return path in self._files() or any(path == log.path for log in self._logs())

    def read_from(self, path: str, offset: int, limit: int) -> Optional[bytes]:
        if path.startswith(f"{VAR_CT}/") and path[len(VAR_CT) + 1:] in self.partition.logs:
            return self.partition.logs[path[len(VAR_CT) + 1:]].read(offset, limit)
        text = self._files().get(path)
        return None if text is None else text[offset:offset + limit]

    def files(self, pattern: str) -> Tuple[FileStat, ...]:
        return tuple(sorted((log for log in self._logs() if _matches(log.path, pattern)), key=lambda log: log.path))[:256]

    def space(self, path: str) -> Optional[Space]:
        return Space(path, self.partition.var_size, self.partition.var_free) if path.startswith("/") else None

    def alive(self, pid: int) -> Optional[bool]:
        return pid in [row.pid for row in self.partition.subsystems.values()]

    def reach(self, addresses: Sequence[str], ports: Sequence[int], timeout: float) -> Mapping[str, Optional[bool]]:
        answers = {address: self._answers(address) and bool(set(ports) & set(PORTS)) if _literal(address) else None
                   for address in addresses}
        self.clock.sleep(timeout if False in answers.values() else 0.05)
        return answers

    def vitals(self, rmcctrl: str) -> Vitals:
        return Vitals(boot=self.partition.boot, identity=self.partition.machine, may_act=True,
                      up_for=self.clock.since(self.partition.booted_at))

    def processes(self) -> Optional[Mapping[str, Tuple[int, ...]]]:
        """All are root's."""
        partition = self.partition
        pids = {row.name: (row.pid,) for row in partition.subsystems.values() if row.pid is not None}
        others = (*partition.busy, *partition.underway, *partition.lparmgr_runs)
        return {name: pids.get(name, ()) for name in sorted({*pids, *others})}

    def runs(self, names: Sequence[str]) -> Optional[Tuple[str, ...]]:
        return tuple(name for name in names if name in self.partition.lparmgr_runs)

    def begin(self, deed: Deed, folder: str) -> None:
        if self.state_full and folder:
            raise OSError(errno.ENOSPC, "No space left on device", folder)
        self._helpers[folder, deed.attempt] = Helper(self.partition, self.clock, deed)

    def progress(self, attempt: int, folder: str) -> Optional[Progress]:
        helper = self._helpers.get((folder, attempt))
        return helper.progress() if helper else None

    def locked(self, path: str) -> Optional[bool]:
        """drmgr's lock, the only one there is here."""
        return self.partition.migrating

    def forget(self, attempt: int, folder: str) -> None:
        """What a helper wrote down is removed."""
        self._helpers.pop((folder, attempt), None)

    def kill_helper(self, attempt: int) -> None:
        """The helper dies: the command it waits for goes on and takes effect, no further step is taken."""
        for (_, number), helper in self._helpers.items():
            if number == attempt:
                helper.killed = True

    def end_hanging(self) -> None:
        """Somebody kills the changing commands that have not ended in their time."""
        for helper in list(self._helpers.values()):
            helper.end_hanging()

    def _answers(self, address: str) -> bool:
        if address in ("127.0.0.1", "::1"):
            return self.partition.active("ctrmc") and self.partition.remote_enabled
        return any(hmc.reachable for hmc in self.partition.hmcs if hmc.address == address)

    def _logs(self) -> Tuple[FileStat, ...]:
        return tuple(FileStat(f"{VAR_CT}/{path}", log.size, 1, log.inode) for path, log in self.partition.logs.items())

    def _files(self) -> Dict[str, bytes]:
        files = {NODE_ID: _node_id_file(self.partition.node_id), NODE_ID_COPY: _node_id_file(self.partition.node_id_copy),
                 **self.state_files}
        if self.partition.platform is Platform.VIOS and not self.partition.lparmgr_stuck:
            files[APSOCK] = b""
        return files


@dataclass
class Helper:
    """The process that performs a deed: its steps begin and end in virtual time, whatever becomes of the agent."""

    partition: Partition
    clock: VirtualClock
    deed: Deed
    killed: bool = False
    done: bool = False
    steps: List[str] = field(default_factory=list)
    failed: Tuple[str, ...] = ()
    notes: Dict[str, str] = field(default_factory=dict)
    ended_at: Optional[float] = None
    busy: bool = False                        # a command it started still runs
    running: Optional[Tuple[Step, int]] = None
    running_since: float = 0.0

    def __post_init__(self) -> None:
        self.boot = self.partition.boot
        self._steps: Generator[Step, Answer, Tuple[str, ...]] = performing(self.deed)
        self._advance(None)

    def progress(self) -> Progress:
        same_boot = self.partition.boot == self.boot
        alive = same_boot and (self.busy or not (self.killed or self.done))
        return Progress(self.deed.attempt, alive, self.done, tuple(self.steps), self.failed, dict(self.notes), self.ended_at)

    def _advance(self, answer: Optional[Answer]) -> None:
        """Hand the last step's answer over and begin the next step."""
        self.ended_at = self.clock.monotonic()
        if self.killed or self.partition.boot != self.boot:
            return
        try:
            step = next(self._steps) if answer is None else self._steps.send(answer)
        except StopIteration as end:
            self.done, self.failed = True, end.value
            return
        self.steps.append(step.name)
        self._begin(step, step.tries)

    def _begin(self, step: Step, tries: int) -> None:
        if self.killed or self.partition.boot != self.boot:
            return
        if step.argv[0] == WAIT:
            self._wait(step, self.clock.monotonic() + step.timeout)
            return
        if step.argv[0].startswith("@") and step.argv[0] != START:
            self._advance(self._own(step))
            return
        argv = step.argv[1:] if step.argv[0] == START else step.argv
        reply = self.partition.command(_name(argv), argv[1:])
        if step.argv[0] == START and reply.seconds > step.timeout:
            reply = Reply(seconds=step.timeout)          # it stays in the foreground, and is left there
        self.busy = True
        running = self.running = (step, tries)
        self.ended_at = self.running_since = self.clock.monotonic()
        if reply.seconds < float("inf"):
            self.clock.at(reply.seconds, lambda: self._end(step, reply, tries) if self.running is running else None)
        if reply.seconds > step.timeout:
            self.clock.at(step.timeout, lambda: self._late(step) if self.running is running else None)

    def _late(self, step: Step) -> None:
        """It is reported, and waited for."""
        self.notes["late"] = step.name

    def end_hanging(self) -> None:
        """Somebody kills the command that has not ended in its time."""
        if self.running and "late" in self.notes:
            self._end(self.running[0], Reply(exit_code=128 + 9), 1)

    def _end(self, step: Step, reply: Reply, tries: int) -> None:
        self.busy, self.running = False, None
        if self.notes.pop("late", ""):
            took = self.clock.monotonic() - self.running_since
            self.notes["was_late"] = f"{step.name} ended late, after {took / 60:.0f} minutes"
        again = reply.exit_code != 0 and tries > 1 and not reply.missing
        if again and not self.killed and self.partition.boot == self.boot:
            self.clock.at(RETRY_SECONDS, lambda: self._begin(step, tries - 1))
            return
        self._advance(Answer(_answer_id(tuple(step.argv)), reply.exit_code, reply.stdout, reply.stderr, missing=reply.missing,
                             ended_at=self.clock.monotonic(), took=reply.seconds))

    def _own(self, step: Step) -> Answer:
        """A step the helper does itself, without a command of RSCT's; it succeeds at once."""
        if step.argv[0] == RECORD:
            self.notes[f"node_id_{step.argv[1]}"] = self.partition.node_id
        if step.argv[0] == END:
            self.partition.end_programs(*step.argv[1:])
        return Answer(step.name, 0, ended_at=self.clock.monotonic())

    def _wait(self, step: Step, until: float) -> None:
        """For the only file that any step waits for: lparmgr's socket."""
        missing = self.partition.lparmgr_stuck
        if missing and self.clock.monotonic() < until:
            self.clock.at(1.0, lambda: self._wait(step, until))
            return
        said = f"cannot find {step.argv[1]} after {step.timeout:.0f} seconds\n" if missing else ""
        self._advance(Answer(step.name, int(missing), stderr=said, ended_at=self.clock.monotonic()))


def _name(argv: Sequence[str]) -> str:
    return argv[0].rsplit("/", 1)[-1]


_answer_id = lru_cache(maxsize=256)(answer_id)


@lru_cache(maxsize=64)
def _node_id_file(node_id: str) -> bytes:
    return voices.node_id_file(node_id).encode()


def _kept(text: str, keep: int) -> Tuple[str, bool]:
    """What is kept of it, and whether that is not all."""
    if text.isascii():
        return text[:keep], len(text) > keep
    return text.encode("utf-8", "replace")[:keep].decode("utf-8", "replace"), len(text.encode()) > keep


@lru_cache(maxsize=1024)
def _matches(path: str, pattern: str) -> bool:
    """A glob's star stops at a slash, fnmatch's does not."""
    parts, wanted = path.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(fnmatchcase(part, want) for part, want in zip(parts, wanted))


@lru_cache(maxsize=256)
def _literal(address: str) -> bool:
    try:
        return bool(ip_address(address.split("%")[0]))
    except ValueError:
        return False
