"""What a helper does itself before recfgct deletes it: save outputs, archive /var/ct/cfg, record the node id."""
from __future__ import annotations

import os
import re
import stat
import time
from itertools import count
from typing import TYPE_CHECKING, Callable, Iterator, List, Sequence, Tuple

from rmcagent.model import Answer, Step

if TYPE_CHECKING:
    import tarfile

KEPT = 3
MOST_BYTES = 256 << 20
MOST_ENTRIES = 20000
SPARE_BYTES = 1 << 20
NAME = re.compile(r"archive-\d+(\.\d+)?")
FILE = "cfg.tar"

# RMCKey is the secret shared with an HMC. Its value's form was never seen [my inference: "RMCKey = value", perhaps wrapped],
# so everything up to the next attribute or resource goes.
SECRET = "RMCKey"
NEXT = re.compile(r"\s*([A-Z]\w*\s+=\s|resource \d+:)")


class Archive:
    """The folder of one attempt, made when it is first needed; takes the steps that begin with @."""

    def __init__(self, folder: str, attempt: int, run: Callable[[Sequence[str], float], Answer],
                 note: Callable[[str, str], None]) -> None:
        self._folder = folder
        self._attempt = attempt
        self._run = run
        self._note = note
        self._own = ""

    def take(self, step: Step) -> Answer:
        """Do one step; whatever hinders it is a failing answer."""
        from tarfile import TarError

        began = time.monotonic()
        verb, *words = step.argv
        try:
            if verb == "@save":
                return self._save(words[0], words[1:], step.timeout)
            if verb == "@archive":
                self._archive(words[0])
            elif verb == "@record":
                self._record(words[0], words[1])
            else:
                raise ValueError(f"cannot take step {step.name}: there is no {verb}")
        except (OSError, ValueError, IndexError, TarError) as problem:
            return _answer(verb, began, 1, str(problem))
        return _answer(verb, began, 0)

    def _save(self, name: str, argv: Sequence[str], timeout: float) -> Answer:
        answer = self._run(argv, timeout)
        if answer.stdout:
            _write(os.path.join(self._place(), os.path.basename(name)), redacted(answer.stdout).encode())
        return answer

    def _archive(self, source: str) -> None:
        entries = list(_entries(source))
        needed = 2 * sum(size for _, size in entries) + SPARE_BYTES
        seen = os.statvfs(self._folder)
        if seen.f_bavail * seen.f_frsize < needed:
            raise OSError(f"cannot archive: {needed >> 10} KiB must be free in {self._folder}; make room there for {source}")
        target = os.path.join(self._place(), FILE)
        _tar(source, [path for path, _ in entries], target)
        self._note("archive", target)
        prune(self._folder, self._place())

    def _record(self, when: str, path: str) -> None:
        with open(path, "rb") as opened:
            lines = opened.read(4096).decode("ascii", "replace").splitlines()
        told = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
        if not told:
            raise ValueError(f"cannot record the node id: {path} holds none")
        self._note(f"node_id_{when}", "".join(letter for letter in told[0][:64] if letter.isprintable()))

    def _place(self) -> str:
        """A folder that no earlier attempt of the same number has used: numbers start anew with a lost ledger."""
        if not self._own:
            names = (f"archive-{self._attempt}{f'.{again}' if again else ''}" for again in count())
            own = next(path for path in (os.path.join(self._folder, name) for name in names) if not os.path.lexists(path))
            os.mkdir(own, 0o700)
            self._own = own
        return self._own


def redacted(text: str) -> str:
    """Without the value of any RMCKey, however it is laid out."""
    kept: List[str] = []
    hiding = False
    for line in text.splitlines(keepends=True):
        if SECRET in line:
            hiding = True
            kept.append(f"{line[:len(line) - len(line.lstrip())]}{SECRET} = (not kept)\n")
        elif not hiding or NEXT.match(line):
            hiding = False
            kept.append(line)
    return "".join(kept)


def prune(folder: str, newest: str) -> None:
    """Remove all archives but the newest three; `newest` is one of them whatever the clock says."""
    from shutil import rmtree

    older = [path for path in (os.path.join(folder, name) for name in os.listdir(folder) if NAME.fullmatch(name))
             if path != newest and os.path.isdir(path) and not os.path.islink(path)]
    older.sort(key=os.path.getmtime, reverse=True)
    for path in older[KEPT - 1:]:
        rmtree(path, ignore_errors=True)


def _entries(source: str) -> Iterator[Tuple[str, int]]:
    """Folders, regular files and links under `source` with their share of the archive; nothing that could block or run on."""
    total = number = 0
    pending = [source]
    while pending:
        path = pending.pop()
        seen = os.stat(path) if path == source else os.lstat(path)
        if stat.S_ISDIR(seen.st_mode):
            pending.extend(sorted((os.path.join(path, name) for name in os.listdir(path)), reverse=True))
        elif not (stat.S_ISREG(seen.st_mode) or stat.S_ISLNK(seen.st_mode)):
            continue
        size = 1024 + (seen.st_size if stat.S_ISREG(seen.st_mode) else 0)
        total, number = total + size, number + 1
        if total > MOST_BYTES or number > MOST_ENTRIES:
            raise OSError(f"cannot archive: it holds over {MOST_BYTES >> 20} MiB or {MOST_ENTRIES} files; look into {source}")
        yield path, size


def _tar(source: str, paths: Sequence[str], target: str) -> None:
    """A ustar file: AIX's own tar reads no other."""
    import tarfile

    part = f"{target}.part"
    above = os.path.dirname(os.path.abspath(source))
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            with tarfile.open(fileobj=opened, mode="w", format=tarfile.USTAR_FORMAT) as tar:
                for path in paths:
                    _add(tar, path, os.path.relpath(path, above))
            opened.flush()
            os.fsync(opened.fileno())
        os.rename(part, target)
    except BaseException:
        os.unlink(part)
        raise


def _add(tar: tarfile.TarFile, path: str, name: str) -> None:
    if os.path.islink(path) or os.path.isdir(path):
        tar.addfile(tar.gettarinfo(path, name))
        return
    # It may have become a FIFO or a link since it was listed.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb") as opened:
        told = tar.gettarinfo(path, name, fileobj=opened)
        tar.addfile(told, opened if told.isreg() else None)


def _write(path: str, content: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened:
        opened.write(content)


def _answer(verb: str, began: float, code: int, because: str = "") -> Answer:
    now = time.monotonic()
    return Answer(verb.lstrip("@"), code, stderr=because, ended_at=now, took=now - began)
