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
    import stat
    try:
        # Not blocking: a FIFO in its place must not hang us.
        with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY), "rb", buffering=0) as stream:
            status = os.fstat(stream.fileno())
            _distrust(reading, file, status)
            data = stream.read(LARGEST + 1) if stat.S_ISREG(status.st_mode) else None
        if data is None:
            reading.wrong(0, "cannot read it: not a regular file")
        elif len(data) > LARGEST:
            reading.wrong(0, f"cannot read it: larger than {spell_size(LARGEST)}")
        else:
            return data.decode("utf-8")
    except UnicodeDecodeError as why:
        line = why.object.count(b"\n", 0, why.start) + 1
        reading.wrong(line, f"cannot read it: byte 0x{why.object[why.start]:02x} is not UTF-8, save it as UTF-8")
    except (OSError, ValueError) as why:      # ValueError: a NUL in the name
        hint = "; install it or give --config F" if isinstance(why, FileNotFoundError) else ""
        reading.wrong(0, f"cannot read {file}: {getattr(why, 'strerror', None) or why}{hint}")
    reading.partial = True
    return None


def _distrust(reading: Reading, path: str, status: Any) -> None:
    """Report a file or folder that somebody else could change."""
    import os
    import stat
    mode = stat.S_IMODE(status.st_mode)
    sticky = stat.S_ISDIR(status.st_mode) and mode & stat.S_ISVTX
    if status.st_uid not in (0, os.geteuid()):
        reading.wrong(0, f"cannot trust it: its owner is uid {status.st_uid}; run: chown root {path}", path)
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and not sticky:
        reading.wrong(0, f"cannot trust it: others may write it (mode {mode:04o}); run: chmod go-w {path}", path)
