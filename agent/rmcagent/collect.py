"""The evidence bundle: what reading commands say here, the ends of RSCT's logs, what was left out; redacted and bounded."""
from __future__ import annotations

import os
import re
import stat
import sys
from typing import Any, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from rmcagent import config
from rmcagent.clock import Clock, Steady, SystemClock
from rmcagent.frozen import dataclass, replace
from rmcagent.model import Answer, Platform
from rmcagent.partition.bundle import names
from rmcagent.partition.bundle.archive import packed
from rmcagent.partition.bundle.redact import KEY, hide, redacted, secrets_of, survives, without
from rmcagent.partition.host import Host, SystemHost
from rmcagent.partition.observe import KEEP_ERRPT, Observer
from rmcagent.partition.platform import PATHS, Place, place
from rmcagent.partition.system.run import answer_id
from rmcagent.show import clean
from rmcagent.whole import written

LARGEST_ANSWER = 1 << 20
LARGEST_BUNDLE = 16 << 20
LARGEST_STATUS = 4 << 20
LOG_TAIL = 256 << 10
MOST_LOGS = 32
LONGEST_NAME = 80            # of a log in the bundle; tar's plain headers have room for 100
LEFT_OUT = "LEFT-OUT.txt"
BAR_AFTER = 1.0              # seconds
BAR = 24

DENIED = re.compile(r"not permitted|permission|not authori[sz]ed|must be root|denied", re.IGNORECASE)
LONGEST_REFUSAL = 500
LINK = "is a link, not followed"


@dataclass
class Gathered:
    """What goes into a bundle, by file name, and what does not, in sentences; owns both while they grow."""

    files: Dict[str, str]
    left_out: List[str]
    secrets: Set[str]


def collect(config_path: str, out: str) -> str:
    """Write a bundle to `out` ("-" is standard output, "" a new file here) and return what is to be said of it.

    Raises OSError where it cannot be written; nothing that exists is written over.
    """
    if out == "-" and sys.stdout.isatty():
        raise OSError("cannot write a bundle to a terminal; give --out FILE, or pipe it")
    loaded, problem = _policy(config_path)
    host, clock = SystemHost(), SystemClock()
    here = place(host, loaded.settings)
    taken_at = clock.now().astimezone()
    name = f"rmcagent-{re.sub(r'[^A-Za-z0-9.-]', '_', os.uname().nodename.partition('.')[0])[:64]}-{taken_at:%Y%m%dT%H%M%S}"
    path = out or f"{name}.tar.gz"
    if path != "-" and os.path.lexists(path):
        raise OSError(f"cannot write {path}: there is something of that name; give another --out")
    if path != "-" and not os.access(os.path.dirname(path) or ".", os.W_OK):
        raise OSError(f"cannot write {path}: its folder is not there, or not yours to write; give another --out")
    gathered = gather(host, here, loaded, clock, Progress(clock))
    gathered.left_out += [problem] if problem else []
    bundle = pack(gathered, name, taken_at.timestamp())
    if path == "-":
        sys.stdout.buffer.write(bundle)
        sys.stdout.buffer.flush()
    else:
        with written(path, "--out", 0o600) as write:
            write(bundle)
    return _told(path, len(bundle), gathered)


def gather(host: Host, here: Place, loaded: config.Loaded, clock: Clock, progress: Optional[Progress] = None) -> Gathered:
    """Ask everything once, and keep what was said without its secrets."""
    settings = loaded.settings
    listener = Listener(host, here, progress or Progress(clock))
    anyone: Any = listener
    # A look asks what the agent would ask, whatever that is.
    seen = Observer(anyone, here, settings, Steady(clock, clock.now(), clock.monotonic())).evidence()
    running = seen.state_of("ctrmc") is None or seen.ctrmc_alive is not False
    for command, arguments in names.FURTHER:
        path = here.commands.get(command) if command != "systemctl" or here.platform is Platform.LINUX else None
        argv = (path or command, *arguments)
        if path and answer_id((command, *arguments)) not in listener.asked and (running or command not in names.NEEDS_RMC):
            keep = KEEP_ERRPT if command == "errpt" else LARGEST_ANSWER
            listener.run(argv, settings.timeouts.get(command, settings.timeout).total_seconds(), keep)
    listener.progress.end()
    gathered = Gathered({}, [], listener.secrets())
    _add_answers(gathered, listener)
    _add_machine(gathered, listener, here, loaded, clock)
    _add_status(gathered, host, here)
    _add_logs(gathered, host, here, settings)
    _keep_bounds_and_secrets(gathered)
    return gathered


class Listener:
    """A host that remembers what it said; owns the answers. What it does not know itself it hands on."""

    def __init__(self, host: Host, here: Place, progress: Progress) -> None:
        self.host, self.here, self.progress = host, here, progress
        self.asked: Dict[str, Tuple[Sequence[str], Answer]] = {}
        self.plain: Dict[str, bytes] = {}       # small files, by where they stand where nothing was configured otherwise
        self.absent: List[str] = []
        self.reached: Dict[str, Optional[bool]] = {}
        self.links: List[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.host, name)

    def run(self, argv: Sequence[str], timeout: float, keep: int = 1 << 20) -> Answer:
        command = next((name for name, path in self.here.commands.items() if path == argv[0]), "")
        if command not in names.READING:
            return Answer(answer_id(argv), 126, stderr=f"cannot run {argv[0]}: it is no reading command\n", timed_out=True)
        self.progress.tell(" ".join((command, *argv[1:])), len(self.asked))
        answer = self.host.run(argv, timeout, keep)
        self.asked[answer_id((command, *argv[1:]))] = (argv, answer)
        return answer

    def read_from(self, path: str, offset: int, limit: int) -> Optional[bytes]:
        """A file that goes into the bundle is not read through a link."""
        is_packed = self._standard(path) in names.FILES
        if is_packed and is_link(self.host, path, os.path.dirname(path)):
            self.links += [path] if path not in self.links else []
            return None
        said = self.host.read_from(path, offset, limit)
        if said is not None and is_packed:
            self.plain[self._standard(path)] = said
        return said

    def exists(self, path: str) -> bool:
        there = self.host.exists(path)
        if not there and path.startswith("/") and self._standard(path) not in self.absent:
            self.absent.append(self._standard(path))
        return there

    def reach(self, addresses: Sequence[str], ports: Sequence[int], timeout: float) -> Mapping[str, Optional[bool]]:
        told = self.host.reach(addresses, ports, timeout)
        self.reached.update(told)
        return told

    def begin(self, deed: object, folder: str) -> None:
        raise OSError("cannot act: only looking here")

    def _standard(self, path: str) -> str:
        """Where this stands on a partition whose paths were not configured."""
        for role in sorted(PATHS, key=lambda role: -len(self.here.paths[role])):
            if path == self.here.paths[role] or path.startswith(self.here.paths[role] + "/"):
                return PATHS[role] + path[len(self.here.paths[role]):]
        return path

    def secrets(self) -> Set[str]:
        heard = [answer for name, (_, answer) in self.asked.items() if name.startswith("lsrsrc")]
        return {secret for answer in heard for said in (answer.stdout, answer.stderr) for secret in secrets_of(said)}


class Progress:
    """A bar on standard error, for work that lasts and a terminal that shows it; owns the line it drew."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.began, self.drawn = clock, clock.monotonic(), 0
        self.shown = sys.stderr is not None and sys.stderr.isatty()

    def tell(self, what: str, done: int) -> None:
        if self.shown and self.clock.monotonic() - self.began > BAR_AFTER:
            filled = min(done, BAR)
            line = f"[{'#' * filled}{'.' * (BAR - filled)}] {what}"[:79]
            sys.stderr.write("\r" + line.ljust(self.drawn))
            sys.stderr.flush()
            self.drawn = len(line)

    def end(self) -> None:
        if self.drawn:
            sys.stderr.write("\r" + " " * self.drawn + "\r")
            sys.stderr.flush()


# ---- what goes in ------------------------------------------------------------------------------------------------------

def _add_answers(gathered: Gathered, listener: Listener) -> None:
    rows = ["\t".join(names.COLUMNS)]
    for name, (argv, answer) in listener.asked.items():
        text, note = answer.stdout, _note(answer)
        if len(text.encode()) > LARGEST_ANSWER:
            # Whole lines: of errpt, which is the long one, the newest come first.
            text = text.encode()[:LARGEST_ANSWER].decode("utf-8", "ignore").rpartition("\n")[0] + "\n"
            note = note or (f"its first {LARGEST_ANSWER >> 20} MiB" if argv[-1].endswith("errpt") else names.CUT)
        if not answer.missing:
            _keep(gathered, f"{name}.txt", text, name)
            if answer.stderr:
                _keep(gathered, f"{names.ERRORS}{name}.txt", answer.stderr, name)
        code = "-" if answer.exit_code is None or answer.missing else str(answer.exit_code)
        rows.append("\t".join((f"{name}.txt", clean(" ".join(argv)), code, f"{answer.took:.2f}", str(len(text.encode())), note)))
        refused = DENIED.search(answer.stdout[:LONGEST_REFUSAL] + answer.stderr[:LONGEST_REFUSAL])
        if note or refused:
            asked = " ".join((os.path.basename(argv[0]), *argv[1:]))
            gathered.left_out.append(f"{asked}: {note or 'not permitted'}{_first_words(answer)}")
    gathered.files[names.INDEX] = "\n".join(rows) + "\n"


def _keep(gathered: Gathered, file: str, text: str, answer: str = "") -> None:
    gathered.files[file], hidden = hide(text, answer)
    _tell_hidden(gathered, file, hidden)


def _tell_hidden(gathered: Gathered, file: str, hidden: int) -> None:
    if hidden:
        gathered.left_out.append(f"{file}: {hidden} line{'s' if hidden > 1 else ''}, which may tell of a key")


def _note(answer: Answer) -> str:
    if answer.missing:
        return names.NOT_INSTALLED
    if answer.exit_code in (126, 127):
        return "cannot be run"
    if answer.exit_code is None and not answer.cut:
        return names.TIMED_OUT if answer.timed_out else "did not end by itself"
    return names.CUT if answer.cut else ""


def _first_words(answer: Answer) -> str:
    said = [line.strip() for line in answer.stderr.splitlines() if line.strip()]
    return f": {clean(redacted(said[0]), 120)}" if said and not answer.missing else ""


def _add_machine(gathered: Gathered, listener: Listener, here: Place, loaded: config.Loaded, clock: Clock) -> None:
    host = listener.host
    seen = host.vitals(here.commands["rmcctrl"])
    lock = {True: "held", False: "free", None: "unknown"}
    vitals = {
        "taken_at": clock.now().astimezone().isoformat(timespec="seconds"),
        "platform": here.platform.value,
        "boot": seen.boot,
        "identity": seen.identity,
        "up_for": "" if seen.up_for is None else str(int(seen.up_for.total_seconds())),
        "may_act": "yes" if seen.may_act else "no",
        "in_wpar": "yes" if seen.in_wpar else "no",
        "dr_lock": lock[host.locked(here.paths["dr_lock"]) if here.platform is Platform.LINUX else False],
        "absent": " ".join(path for path in listener.absent if not any(letter.isspace() for letter in path)),
        "policy": loaded.hash,
    }
    gathered.files[names.VITALS] = "".join(f"{key}={clean(value)}\n" for key, value in vitals.items())
    if not seen.may_act:
        gathered.left_out.append("not run as root: some of it may be refused, or told only in part")
    spaces = [(PATHS[role], host.space(here.paths[role])) for role in ("var", "var_ct")]
    gathered.files[names.SPACE] = "".join(f"{path}\t{space.size}\t{space.free}\n" for path, space in spaces if space)
    gathered.left_out += [f"free space of {path}: could not be read" for path, space in spaces if space is None]
    running = host.processes()
    if running is None:
        gathered.left_out.append("the process list: could not be read")
    else:
        plain = [name for name in running if len(name.split()) == 1]
        shown = [name for name in plain if not KEY.search(name)]
        gathered.files[names.PROCESSES] = "".join(f"{clean(name, 64)}\n" for name in shown)
        _tell_hidden(gathered, names.PROCESSES, len(plain) - len(shown))
    answers = {True: "answers", False: "does not answer", None: "could not be asked"}
    if listener.reached:
        gathered.files["reach.txt"] = "".join(f"{clean(at)} {answers[how]}\n" for at, how in sorted(listener.reached.items()))
    for path, said in listener.plain.items():
        _keep(gathered, names.FILES[path], said.decode("utf-8", "replace"))
    gathered.left_out += [f"{path}: {LINK}" for path in listener.links]


def _add_status(gathered: Gathered, host: Host, here: Place) -> None:
    path = os.path.join(here.paths["public"], names.STATUS)
    if is_link(host, path, here.paths["public"]):
        gathered.left_out.append(f"{path}: {LINK}")
        return
    said = host.read_from(path, 0, LARGEST_STATUS)
    if said is None:
        gathered.left_out.append(f"{path}: the agent has published nothing here, or it may not be read")
    else:
        _keep(gathered, names.STATUS, said.decode("utf-8", "replace"))


def _add_logs(gathered: Gathered, host: Host, here: Place, settings: config.Settings) -> None:
    patterns = [pattern.replace("{var_ct}", here.paths["var_ct"]) for pattern in settings.log.files]
    found = {log.path: (log, _fixed(pattern)) for pattern in patterns for log in host.files(pattern)}
    for number, (path, (log, below)) in enumerate(sorted(found.items())):
        if number == MOST_LOGS:
            gathered.left_out.append(f"{len(found) - MOST_LOGS} more logs: {MOST_LOGS} are enough")
            break
        if is_link(host, path, below):
            gathered.left_out.append(f"{path}: {LINK}")
            continue
        tail = host.read_from(path, max(0, log.size - LOG_TAIL), LOG_TAIL)
        if tail is None or b"\0" in tail:
            gathered.left_out.append(f"{path}: {'it may not be read' if tail is None else 'it is no text'}")
            continue
        if log.size > LOG_TAIL:
            tail = tail.partition(b"\n")[2]
            gathered.left_out.append(f"{path}: all but its last {LOG_TAIL >> 10} KiB")
        name = names.LOGS + re.sub(r"[^A-Za-z0-9._-]", "_", path.lstrip("/"))[-LONGEST_NAME:]
        _keep(gathered, f"{name}.{number}" if name in gathered.files else name, tail.decode("utf-8", "replace"))


def _fixed(pattern: str) -> str:
    """The folder that a pattern names before its first wildcard."""
    return os.path.dirname(re.split(r"[*?[]", pattern)[0]) or "/"


def is_link(host: Host, path: str, below: str) -> bool:
    """Whether a file of the machine's is a link, or links lead to it out of the folder it belongs to; as root, whoever made one
    would have read what is not theirs."""
    if not isinstance(host, SystemHost):     # what is simulated has no links
        return False
    try:
        if stat.S_ISLNK(os.lstat(path).st_mode):
            return True
        real, folder = os.path.realpath(path), os.path.realpath(below)
    except (OSError, ValueError):
        return False                         # not there, and so not read
    return os.path.commonpath((real, folder)) != folder


def _keep_bounds_and_secrets(gathered: Gathered) -> None:
    """Refuse every file in which a key survived, and what is beyond the bundle's size."""
    size = 0
    for name, text in list(gathered.files.items()):
        text = without(text, gathered.secrets)
        size += len(text.encode())
        if survives(text, gathered.secrets) or size > LARGEST_BUNDLE:
            full = f"the bundle would be over {LARGEST_BUNDLE >> 20} MiB"
            gathered.left_out.append(f"{name}: {full if size > LARGEST_BUNDLE else 'a key may have survived in it'}")
            size -= len(text.encode())
            del gathered.files[name]
        else:
            gathered.files[name] = text
    safe = [line for line in gathered.left_out if not survives(line, gathered.secrets)]
    unsafe = len(gathered.left_out) - len(safe)
    gathered.left_out = list(dict.fromkeys(clean(line, 300) for line in safe))
    _tell_hidden(gathered, LEFT_OUT, unsafe)


# ---- writing -----------------------------------------------------------------------------------------------------------

def pack(gathered: Gathered, name: str, at: float) -> bytes:
    """The archive's bytes: one folder, plain files, ours alone."""
    return packed({**gathered.files, LEFT_OUT: "".join(f"{line}\n" for line in gathered.left_out)}, name, at)


def _policy(path: str) -> Tuple[config.Loaded, str]:
    """The configuration, or the defaults where it cannot be had: evidence is wanted most where something is wrong."""
    try:
        return config.load(path), ""
    except config.ConfigError as wrong:
        first = str(wrong).splitlines()[0]
        return replace(config.parse("{}"), files=()), f"the configuration: not used, the defaults were ({clean(first, 200)})"


def _told(path: str, size: int, gathered: Gathered) -> str:
    from textwrap import fill

    where = "standard output" if path == "-" else clean(path)
    lines = [f"{where}: {len(gathered.files)} files, {(size + 1023) // 1024} KiB", "left out, or told in part:",
             *(fill(line, 80, initial_indent="  ", subsequent_indent="    ") for line in gathered.left_out or ["nothing"]),
             f"look at it: rmcagent plan --from {'FILE' if path == '-' else clean(path)}"]
    return "".join(f"{line.encode('ascii', 'backslashreplace').decode()}\n" for line in lines)
