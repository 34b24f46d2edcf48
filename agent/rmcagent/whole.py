"""A file that somebody asked for by name: written aside, through no link, and given its name when it is whole."""
from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from typing import Callable, Iterator

FRESH = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)


@contextmanager
def written(path: str, option: str, mode: int, over: bool = False) -> Iterator[Callable[[bytes], object]]:
    """What is written within stands under `path` at the end, all of it or nothing; its place is taken before what lasts.

    `over`: a regular file of that name is replaced; else nothing is. `option` named the path. Raises OSError, in a sentence.
    """
    if os.path.lexists(path) and not (over and stat.S_ISREG(os.lstat(path).st_mode)):
        raise _taken(path, option, over)
    aside = f"{path}.{os.getpid()}.part"
    try:
        number = os.open(aside, FRESH, mode)
    except OSError as problem:
        raise _cannot(path, option, problem) from None
    try:
        with open(number, "wb", buffering=0) as file:
            def write(content: bytes) -> None:
                try:
                    while content:
                        content = content[file.write(content):]
                except OSError as problem:
                    raise _cannot(path, option, problem) from None

            yield write
            try:
                os.fsync(number)
                (os.rename if over else _give_name)(aside, path)
            except FileExistsError:
                raise _taken(path, option, over) from None
            except OSError as problem:
                raise _cannot(path, option, problem) from None
    finally:
        if os.path.lexists(aside):
            os.unlink(aside)


def _give_name(aside: str, path: str) -> None:
    """As rename, but never in the place of anything. Raises FileExistsError."""
    try:
        os.link(aside, path)
    except FileExistsError:
        raise
    except OSError:                     # a file system that knows no links
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        os.rename(aside, path)


def _taken(path: str, option: str, over: bool) -> OSError:
    what = " that is no regular file" if over else ""
    return OSError(f"cannot write {path}: there is something of that name{what}; give another {option}")


def _cannot(path: str, option: str, problem: OSError) -> OSError:
    return OSError(f"cannot write {path}: {problem.strerror}; give another {option}")
