"""A pytest plugin that makes this machine as much like AIX as can be from within one process: `pytest -p aix_imitation -n 0`.

sys.platform says aix; psutil, sqlite3, systemd and inotify are not there; a contended lock says EACCES; there may be as many open
files as numbers; what AIX's libc lacks is gone from os and select. The locale must be told from outside (LC_ALL, PYTHONUTF8=0).
Processes that a test starts are this machine's own.
"""
from __future__ import annotations

import errno
import fcntl
import os
import select
import selectors
import shutil
import subprocess
import sys
import sysconfig
from typing import Any, Dict, List, Optional

import pytest

ABSENT = ("psutil", "sqlite3", "_sqlite3", "systemd", "inotify", "inotify_simple", "pyinotify")
WITHOUT_OS = ("sendfile", "getloadavg", "getrandom", "posix_fadvise", "posix_fallocate", "memfd_create", "eventfd", "pidfd_open",
              "copy_file_range", "splice", "getresuid", "getresgid", "setresuid", "setresgid", "O_PATH")
# What only Linux has, or psutil: there these tests cannot hold.
LINUX_ONLY: Dict[str, str] = {
    "test_host.py::test_a_hung_command_dies_with_its_grandchildren": "its ps tells no session: an orphan is not found",
    "test_cli.py::test_what_a_terminal_cannot_spell_is_escaped_and_ends_no_command": "this locale can make no file of that name",
    "test_shims.py::test_arguments_arrive_as_they_were_given": "the simulated commands are this machine's own, and speak UTF-8",
    "test_host.py::test_a_zombie_is_dead_and_a_number_that_is_none_cannot_be_told": "without psutil nobody tells of a zombie",
}


class Absent:
    """Finds nothing of what AIX's Python does not bring."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.split(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r} (AIX)", name=name)


def contended(flock: Any) -> Any:
    def aix(descriptor: Any, operation: int) -> None:
        try:
            flock(descriptor, operation)
        except BlockingIOError as reason:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from reason

    return aix


def imitate() -> None:
    for name in list(sys.modules):
        if name.split(".")[0] in ABSENT:
            del sys.modules[name]
    sys.meta_path.insert(0, Absent())  # type: ignore[arg-type]
    fcntl.flock = contended(fcntl.flock)
    sysconf = os.sysconf
    os.sysconf = lambda name: 2 ** 63 - 1 if name == "SC_OPEN_MAX" else sysconf(name)
    for name in WITHOUT_OS:
        if hasattr(os, name):
            delattr(os, name)
    if hasattr(select, "epoll"):
        del select.epoll
    selectors.DefaultSelector = selectors.PollSelector  # type: ignore[misc]
    shutil._USE_CP_SENDFILE = False  # type: ignore[attr-defined]
    subprocess._USE_VFORK = False  # type: ignore[attr-defined]
    sysconfig.get_config_vars()           # kept from now on: this Python was not built for AIX, and has no such file
    sys.platform = "aix"


imitate()


def pytest_report_header() -> str:
    import locale

    return f"imitating AIX: sys.platform {sys.platform}, {locale.getpreferredencoding(False)}, without {', '.join(ABSENT)}"


def pytest_collection_modifyitems(items: List[pytest.Item]) -> None:
    for item in items:
        because: Optional[str] = next((why for name, why in LINUX_ONLY.items() if name in item.nodeid), None)
        if because:
            item.add_marker(pytest.mark.skip(reason=f"not of AIX: {because}"))
