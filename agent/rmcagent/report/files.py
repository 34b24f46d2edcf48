"""Files that we write: the log file, rotated; a document that is replaced for everyone to read; and who may hang in our place."""
from __future__ import annotations

import errno
import os
import signal
import stat
import time
from typing import Any, Callable, Mapping, NamedTuple, Optional

FILE_BYTES = 1 << 20
FILES = 5                                 # the current one and four older: 5 MiB at most
SECONDS = 0.2                             # what a child that writes a file may need before we go on without it
POLL = 0.002
MOST_FILES = 4096                         # of ours: the soft limit is half of that
MOST_LINKS = 40
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
LOG_FILE = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY | NO_FOLLOW
FRESH_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NONBLOCK | NO_FOLLOW
THERE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | NO_FOLLOW
# To pass through, which is all that we may do in some.
FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | NO_FOLLOW
# An older AIX may have none of it.
DESCRIPTORS = {os.open, os.stat, os.unlink, os.rename, os.readlink, os.mkdir} <= os.supports_dir_fd and bool(NO_FOLLOW)

HANGS = "its file system does not answer; nothing is written there until it does"
# What we refuse, as a child's exit code: beyond all errno, which are its others.
LED_AWAY, OTHERS, NOT_OURS, HARD_LINK = 200, 201, 202, 203
REFUSED: Mapping[int, str] = {
    LED_AWAY: "a link leads there that somebody else could have made or could replace",
    OTHERS: "a folder on its path is neither root's nor ours, or others may write it",
    NOT_OURS: "what is there was not written by rmcagent; move it away",
    HARD_LINK: "it has a second name; remove one of them",
}


# ---- what may hang, and what is said of it

class Aside:
    """Does what may hang for days in a child, one at a time: where an operator's file lies, a file system may not answer.

    A child costs some four milliseconds of one processor. While the last one hangs there is no other.
    """

    def __init__(self) -> None:
        self.child = 0

    def do(self, work: Callable[[], None]) -> str:
        """Begin `work`, and wait for it a moment; what is wrong with it or the one before, or "". HANGS where none was begun."""
        late = self._ending() if self.child else ""
        if late is None:
            return HANGS
        try:
            self.child = os.fork()
        except OSError as problem:
            return f"no child to write it: {words(problem)}"
        if self.child == 0:
            _alone(work)
        until = time.monotonic() + SECONDS
        ending = self._ending()
        while ending is None and time.monotonic() < until:
            time.sleep(POLL)
            ending = self._ending()
        return late if ending is None else ending

    def _ending(self) -> Optional[str]:
        """How the child ended: "" for well, None for not yet."""
        try:
            pid, status = os.waitpid(self.child, os.WNOHANG)
        except ChildProcessError:
            pid, status = self.child, 0   # somebody else was told
        if pid == 0:
            return None
        self.child = 0
        code = os.waitstatus_to_exitcode(status)
        if code < 0:
            return f"its writer was ended by signal {-code}"
        return words(OSError(code, REFUSED.get(code) or os.strerror(code))) if code else ""


def _alone(work: Callable[[], None]) -> None:
    """Be the child: nothing of ours stays open in it, or our lock and sockets would be held for as long as it hangs."""
    code = 255
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            signal.signal(number, signal.SIG_DFL)
        os.closerange(0, MOST_FILES)
        work()
        code = 0
    except OSError as problem:
        code = problem.errno or code
    except ValueError:                    # a NUL in the path
        code = errno.EINVAL
    finally:
        os._exit(code)


class Once:
    """Says what is wrong once, and again only when it was well, or wrong in another way, in between."""

    def __init__(self, complain: Callable[[str], object]) -> None:
        self.complain = complain
        self.said = ""

    def say(self, problem: str) -> None:
        """`problem` is "" where all is well."""
        if problem and problem != self.said:
            self.complain(f"rmcagent: {problem}\n")
        self.said = problem


def words(problem: OSError) -> str:
    """The system's own words for it."""
    return problem.strerror or str(problem)


# ---- the log file

def log_path(wanted: str, platform: str) -> Optional[str]:
    """The log file that `report.file` names; None for none."""
    if wanted == "auto":
        return None if platform == "linux" else "/var/log/rmcagent/rmcagent.log"
    return None if wanted == "off" else wanted


def append(path: str, text: bytes) -> None:
    """Add lines to the log file, rotated at 1 MiB. Raises OSError where it cannot be written, which is left alone then."""
    folder, name = os.path.split(path)
    place = _opened(folder, make=True)
    try:
        if _size(place, name) + len(text) > FILE_BYTES:
            for number in range(FILES - 1, 0, -1):
                older = f"{name}.{number - 1}" if number > 1 else name
                if _there(place, older):
                    place.replace(older, f"{name}.{number}")
        descriptor = os.open(place.name(name), LOG_FILE, 0o600, dir_fd=place.descriptor)
        try:
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
                raise _refusal(HARD_LINK)
            os.write(descriptor, text)
        finally:
            os.close(descriptor)
    finally:
        place.close()


# ---- what is replaced

def publish(path: str, document: Mapping[str, Any]) -> None:
    """Replace the file at `path` by the document at once, for everyone to read. Raises OSError when it cannot be written.

    Not in a child: the public folder is the agent's own, in memory or beside its state. Where the state's file system hangs, no
    intent can be written, so that nothing may be done either, and systemd's watchdog should see it.
    """
    import json

    folder, name = os.path.split(path)
    if not os.path.isdir(folder):
        _make(folder)
        os.chmod(folder, 0o755)           # whatever our umask is
    _put(Place(folder), name, json.dumps(document, sort_keys=True, ensure_ascii=True, indent=1).encode("ascii") + b"\n")


def overwrite(path: str, content: bytes, ours: bytes) -> None:
    """Put a new file in the place of one that begins with `ours`, or of none, at once, for everyone to read. Raises OSError.

    Its folder must be there, and may be anybody's whom the operator chose; never is it left through somebody's link.
    """
    folder, name = os.path.split(path)
    place = _opened(folder)
    try:
        if not _is_ours(place, name, ours):
            raise _refusal(NOT_OURS)
        _put(place, name, content)
    finally:
        place.close()


def withdraw(path: str, ours: bytes) -> None:
    """Remove a file that begins with `ours` and is written no more; what cannot be removed is left."""
    folder, name = os.path.split(path)
    try:
        place = _opened(folder)
    except OSError:
        return
    try:
        if _there(place, name) and _is_ours(place, name, ours):
            place.remove(name)
    except OSError:
        return
    finally:
        place.close()


def _put(place: Place, name: str, content: bytes) -> None:
    temporary = f".{name}.new"
    place.remove(temporary)               # whatever lies there: a link would be written through, a FIFO would hold us
    try:
        descriptor = os.open(place.name(temporary), FRESH_FILE, 0o600, dir_fd=place.descriptor)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, 0o644)
        place.replace(temporary, name)
    except OSError:
        place.remove(temporary)
        raise


def _is_ours(place: Place, name: str, ours: bytes) -> bool:
    """Whether there is no such file, or one that we wrote; an empty one holds nothing, and a link is replaced, not followed."""
    try:
        status = os.stat(place.name(name), dir_fd=place.descriptor, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            return True
        if not stat.S_ISREG(status.st_mode):
            return False
        descriptor = os.open(place.name(name), THERE, dir_fd=place.descriptor)
    except FileNotFoundError:
        return True
    try:
        return os.read(descriptor, len(ours)) in (b"", ours)
    finally:
        os.close(descriptor)


# ---- the folder it lies in

class Place(NamedTuple):
    """A folder: by its path, or opened, so that what its path leads to later does not matter."""

    path: str
    descriptor: Optional[int] = None

    def name(self, name: str) -> str:
        return os.path.join(self.path, name) if self.descriptor is None else name

    def replace(self, old: str, new: str) -> None:
        os.replace(self.name(old), self.name(new), src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def remove(self, name: str) -> None:
        """Whether or not it is there, or can be removed."""
        try:
            os.unlink(self.name(name), dir_fd=self.descriptor)
        except OSError:
            return

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)


def _make(folder: str) -> None:
    """The folder and those above it, in which nobody else may write, whatever our umask is. Raises OSError."""
    if folder and not os.path.isdir(folder):
        _make(os.path.dirname(folder.rstrip("/")))
        os.mkdir(folder, 0o755)


def _opened(folder: str, make: bool = False) -> Place:
    """Open the folder an operator named, through such links only as root or we made where nobody else can. Raises OSError.

    Its owner may be another, node_exporter for one, who could put a link in its place, to where only root may write.
    """
    if not DESCRIPTORS:
        if make:
            _make(folder)
        _insist_on_ours(folder)
        return Place(folder)
    at, links = os.open("/", FOLDER), 0
    names = folder.split("/")[::-1]
    try:
        while names:
            name = names.pop() or "."
            if make and not _there(Place("", at), name):
                os.mkdir(name, 0o755, dir_fd=at)
            status = os.stat(name, dir_fd=at, follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                links += 1
                if links > MOST_LINKS or not (_is_safe(status) and _is_safe(os.fstat(at))):
                    raise _refusal(LED_AWAY)
                target = os.readlink(name, dir_fd=at)
                names += [*target.split("/")[::-1], *(["/"] if target.startswith("/") else [])]
            else:
                deeper = os.open(name, FOLDER, dir_fd=at)
                os.close(at)
                at = deeper
    except OSError:
        os.close(at)
        raise
    return Place(folder, at)


def _insist_on_ours(folder: str) -> None:
    """Where no folder can be held open: nobody else may be able to change where the path leads."""
    if os.path.realpath(folder) != os.path.normpath(folder):
        raise _refusal(LED_AWAY)
    while True:
        if not _is_safe(os.lstat(folder)):
            raise _refusal(OTHERS)
        if folder in ("/", ""):
            return
        folder = os.path.dirname(folder.rstrip("/"))


def _is_safe(status: os.stat_result) -> bool:
    """Whether only root or we can change it; what lies in a folder with the sticky bit, only its owner can."""
    free = stat.S_IMODE(status.st_mode) & 0o022 and not stat.S_ISLNK(status.st_mode)      # a link's own mode says nothing
    return status.st_uid in (0, os.geteuid()) and not (free and not status.st_mode & stat.S_ISVTX)


def _size(place: Place, name: str) -> int:
    try:
        return os.stat(place.name(name), dir_fd=place.descriptor, follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0


def _there(place: Place, name: str) -> bool:
    try:
        os.stat(place.name(name), dir_fd=place.descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _refusal(code: int) -> OSError:
    return OSError(code, REFUSED[code])
