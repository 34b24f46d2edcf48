"""The configuration's files: which there are, what they say, and whether somebody else could change them."""
from __future__ import annotations

from typing import Any, List, Optional, Tuple

from rmcagent.config.reading import Reading
from rmcagent.config.values import spell_size

LARGEST = 1 << 20             # bytes of one file
MOST_FILES = 100              # in conf.d


def files_of(reading: Reading, path: str) -> Tuple[str, ...]:
    """The file and those of conf.d beside it, in the order in which they are read; distrusted folders are reported."""
    import os
    path = os.path.abspath(path)
    conf_d = os.path.join(os.path.dirname(path), "conf.d")
    names: List[str] = []
    try:
        planted = _planted(conf_d, os.lstat(conf_d))
        if planted:
            reading.wrong(0, planted, conf_d)
        else:
            names = sorted(name for name in os.listdir(conf_d) if not name.startswith("."))
    except FileNotFoundError:
        pass        # it need not exist
    except OSError as why:
        reading.wrong(0, f"cannot list the folder: {why.strerror}", conf_d)
    files = [path, *(os.path.join(conf_d, name) for name in names if name.endswith(".yaml"))]
    if len(files) > MOST_FILES:
        reading.wrong(0, f"cannot read {len(files)} files, join some of them: {MOST_FILES} at most", conf_d)
    for name in names:
        if name.endswith(".yml"):
            reading.warn(0, "is not read, for its name does not end in .yaml", os.path.join(conf_d, name))
    # A file behind a symbolic link can also be replaced by whoever may write where it really lies.
    behind = [os.path.dirname(os.path.realpath(file)) for file in files[:MOST_FILES]]
    for folder in dict.fromkeys((os.path.dirname(path), conf_d, *behind)):
        try:
            _distrust(reading, folder, os.stat(folder))
        except OSError:
            pass    # what is not there is reported where it is read
    return tuple(files[:MOST_FILES])


def text_of(reading: Reading, file: str) -> Optional[str]:
    """The text of a file; None where it cannot be read, which is then reported."""
    import os
    try:
        data, wrong = _content(reading, file)
        if not wrong:
            reading.quoting = reading.distrusted.isdisjoint((file, os.path.dirname(os.path.realpath(file))))
            return data.decode("utf-8")
        reading.wrong(0, wrong)
    except UnicodeDecodeError as why:
        line = why.object.count(b"\n", 0, why.start) + 1
        reading.wrong(line, f"cannot read it: byte 0x{why.object[why.start]:02x} is not UTF-8, save it as UTF-8")
    except (OSError, ValueError) as why:      # ValueError: a NUL in the name
        hint = "; install it or give --config F" if isinstance(why, FileNotFoundError) else ""
        reading.wrong(0, f"cannot read {file}: {getattr(why, 'strerror', None) or why}{hint}")
    reading.partial = True
    return None


def _content(reading: Reading, file: str) -> Tuple[bytes, str]:
    """What stands in the file, and what is wrong with it."""
    import os
    import stat
    entry = os.lstat(file)
    wrong = _planted(file, entry)
    if wrong:
        return b"", wrong
    # Not blocking: a FIFO in its place must not hang us. What was no link a moment ago must not have become one.
    follow = 0 if stat.S_ISLNK(entry.st_mode) else getattr(os, "O_NOFOLLOW", 0)
    with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | follow), "rb", buffering=0) as stream:
        status = os.fstat(stream.fileno())
        _distrust(reading, file, status)
        wrong = _planted(os.path.realpath(file), status)
        if wrong or not stat.S_ISREG(status.st_mode):
            return b"", wrong or "cannot read it: not a regular file"
        data = stream.read(LARGEST + 1)
    return data, f"cannot read it: larger than {spell_size(LARGEST)}" if len(data) > LARGEST else ""


def _planted(path: str, status: Any) -> str:
    """Why somebody else may have chosen which file this name leads to, whoever owns that file; empty where nobody could."""
    import os
    import stat
    folder, trusted = os.stat(os.path.dirname(path)), (0, os.geteuid())
    shared = folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or folder.st_uid not in trusted
    if stat.S_ISLNK(status.st_mode) and (shared or status.st_uid not in trusted):
        return "cannot trust it: a symbolic link that somebody else may have made; put the file itself there"
    if stat.S_ISREG(status.st_mode) and status.st_nlink > 1 and shared:
        return "cannot trust it: a hard link that somebody else may have made; put a copy there"
    return ""


def _distrust(reading: Reading, path: str, status: Any) -> None:
    """Report a file or folder that somebody else could change."""
    import os
    import stat
    mode = stat.S_IMODE(status.st_mode)
    sticky = stat.S_ISDIR(status.st_mode) and mode & stat.S_ISVTX
    strange, open_to_others = status.st_uid not in (0, os.geteuid()), mode & (stat.S_IWGRP | stat.S_IWOTH) and not sticky
    if strange:
        reading.wrong(0, f"cannot trust it: its owner is uid {status.st_uid}; run: chown root {path}", path)
    if open_to_others:
        reading.wrong(0, f"cannot trust it: others may write it (mode {mode:04o}); run: chmod go-w {path}", path)
    if strange or open_to_others:
        reading.distrusted.add(path)
