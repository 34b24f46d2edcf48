"""What each verb may load: a start is most of what a short verb costs. Each is run as a process that tells what it loaded."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, FrozenSet, List, NamedTuple, Sequence, Set

import pytest

from house import PACKAGE, ROOT
from rmcagent.command.table import VERBS

pytestmark = pytest.mark.real

# Of ours, to the module: what `status` and `check` load before they know what to print, and then.
SHORT = {"", ".cli", ".command", ".command.arguments", ".command.files", ".command.table", ".command.told", ".published",
         ".show", ".show.codes", ".show.screen"}
# Of Python's own: json's scanner, and what tells a file's kind; not os, which is a tenth of the time of `status`.
BARE = {"__future__", "_json", "_stat", "stat"}
# What costs a start something: each of them more than all of ours that `status` loads, or more memory than it is worth.
COSTLY = ("argparse", "asyncio", "concurrent", "csv", "ctypes", "dataclasses", "datetime", "decimal", "difflib", "email", "enum",
          "gettext", "hashlib", "http", "importlib", "inspect", "json", "logging", "pathlib", "pickle", "random", "re", "runpy",
          "selectors", "shutil", "socket", "sqlite3", "ssl", "statistics", "subprocess", "tarfile", "tempfile", "textwrap",
          "threading", "tokenize", "traceback", "typing", "unittest", "urllib", "uuid", "xml", "zipfile", "zoneinfo",
          "psutil", "systemd", "tenacity", "yaml")
NOUNS = frozenset({"datetime", "enum", "re", "typing"})
SETTINGS = NOUNS | {"json", "yaml"}
COMMANDS = frozenset({"selectors", "socket", "subprocess", "threading"})
TOLD = ("published", "show", "command", "cli", "frozen")
SET = (*TOLD, "config")


class May(NamedTuple):
    """What a verb may load of COSTLY, and of our rooms (None: any but the simulation); and how it ends here."""

    argv: Sequence[str]
    costly: FrozenSet[str] = frozenset()
    rooms: Any = None
    code: int = 0


AT = ("--config", "@/rmcagent.yaml")
MAY: Dict[str, Sequence[May]] = {
    "plan": (May(("plan", "--from", "@/captured", *AT), SETTINGS | {"textwrap"}, code=13),
             May(("plan", *AT), SETTINGS | COMMANDS, code=13)),
    "why": (May(("why",), rooms=TOLD),),
    "metrics": (May(("metrics",), NOUNS, (*TOLD, "model")),),
    "history": (May(("history", *AT), SETTINGS, (*SET, "clock", "report", "model")),),
    "pause": (May(("pause", "--for", "1h", "--reason", "upgrade", *AT), SETTINGS, code=7),),
    "resume": (May(("resume", *AT), SETTINGS, code=7),),
    "reload": (May(("reload", *AT), SETTINGS, code=7),),
    "heal": (May(("heal", "refresh", *AT), SETTINGS, code=7),),
    "config check": (May(("config", "check", *AT), SETTINGS, SET),),
    "config show": (May(("config", "show", "--json", *AT), SETTINGS, SET),),
    "collect": (May(("collect", "--out", "@/bundle", *AT), SETTINGS | COMMANDS | {"shutil", "tarfile", "textwrap"}),),
    "classify": (May(("classify", "@/captured/lsnodeid.txt"), NOUNS | {"csv", "json"},
                     (*SET, "classify", "model", "partition")),),
    "doctor": (May(("doctor", *AT), SETTINGS | COMMANDS | {"tenacity", "textwrap"},
                   (*SET, "clock", "doctor", "folders", "model", "partition"), 5),),
    "register": (May(("register", "--check", *AT), SETTINGS | COMMANDS, (*SET, "model", "partition", "register"), 1),),
}
NOT_RUN = {"status", "check", "run", "rehearse", "demo"}     # the first two have tests of their own, the others take their time
# Tells what was loaded since it began, and what was asked for that is not installed here.
PROGRAM = """
import sys
before, asked = set(sys.modules), set()
class Noted:
    def find_spec(name, path=None, target=None):
        asked.add(name)
sys.meta_path.insert(0, Noted)
sys.path[:0] = [sys.argv[1], sys.argv[2]]
where = sys.argv[3]
del sys.argv[:4]
from rmcagent import cli, published
from rmcagent.command import files
published.BOOT_ID = where + "/boot_id"
if "--config" not in sys.argv:
    files.public = lambda asked: where + "/status.json"
code = cli.main(sys.argv)
print("loaded", *sorted(asked | set(sys.modules) - before))
sys.exit(code)
"""


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a configuration, what a daemon published just now, and a captured answer."""
    folder = tmp_path_factory.mktemp("where")
    folder.chmod(0o700)
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    told = {"schema": 1, "verdict": "healthy", "because": "RMC runs", "pid": os.getpid(), "boot": "b",
            "monotonic": time.monotonic(), "taken_at": now, "look_seconds": 600.0,
            "hmcs": [{"address": "192.0.2.1", "link": "up"}], "why": [{"at": "2026-05-04T12:00:28+00:00", "kind": "rest"}]}
    (folder / "status.json").write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")
    (folder / "boot_id").write_text("b\n")
    paths = {"state": str(folder / "state"), "public": str(folder / "public")}
    (folder / "rmcagent.yaml").write_text(f"paths: {json.dumps(paths)}\n")
    (folder / "rmcagent.yaml").chmod(0o600)
    (folder / "captured").mkdir()
    (folder / "captured" / "lsnodeid.txt").write_bytes((ROOT / "tests/captures/lsnodeid--plain.txt").read_bytes())
    return folder


def loaded(where: Path, argv: Sequence[str], code: int) -> Set[str]:
    """The modules that the verb loaded, or asked for in vain."""
    words = [word.replace("@", str(where)) for word in argv]
    vendor = ROOT / "packaging" / "common" / "vendor"
    ran = subprocess.run([sys.executable, "-I", "-S", "-c", PROGRAM, str(PACKAGE.parent), str(vendor), str(where), *words],
                         capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL, env={})
    assert ran.returncode == code, ran.stdout + ran.stderr
    return set(ran.stdout.splitlines()[-1].split()[1:])


def ours(names: Set[str]) -> Set[str]:
    return {name[len("rmcagent"):] for name in names if name.partition(".")[0] == "rmcagent"}


def others(names: Set[str]) -> Set[str]:
    return {name for name in names if name.partition(".")[0] != "rmcagent"}


# ---- the short verbs

@pytest.mark.parametrize("argv, prints", [
    (["status"], {".show.status"}), (["status", "--brief"], {".show.status"}), (["check"], {".show.check"}),
])
def test_status_and_check_load_what_they_print_and_nothing_else(argv: List[str], prints: Set[str], where: Path) -> None:
    names = loaded(where, argv, 0)

    assert ours(names) == SHORT | prints
    assert others(names) <= BARE


def test_status_as_json_loads_json_and_nothing_else(where: Path) -> None:
    names = loaded(where, ["status", "--json"], 0)

    assert ours(names) == SHORT
    assert {name for name in COSTLY if name in names} <= {"json", "re", "enum"}


def test_where_boots_have_no_name_as_on_aix_they_load_no_more(where: Path) -> None:
    (where / "boot_id").rename(where / "away")

    names = loaded(where, ["status", "--brief"], 0)

    (where / "away").rename(where / "boot_id")
    assert ours(names) == SHORT | {".show.status"}
    assert others(names) <= BARE | {"_datetime", "math", "time"}


@pytest.mark.parametrize("argv, prints, code", [(["status"], set(), 3), (["check"], {".show.check"}, 2)])
def test_where_nothing_was_published_they_load_no_more(argv: List[str], prints: Set[str], code: int, tmp_path: Path) -> None:
    names = loaded(tmp_path, argv, code)

    assert ours(names) == SHORT | prints
    assert others(names) <= BARE


@pytest.mark.parametrize("argv, prints, code", [(["status"], set(), 4), (["check"], {".show.check"}, 3)])
def test_a_broken_document_costs_json_and_nothing_else(argv: List[str], prints: Set[str], code: int, tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text('{\n "schema": 1,\n "verdict": "hea')

    names = loaded(tmp_path, argv, code)

    assert ours(names) == SHORT | prints
    assert {name for name in COSTLY if name in names} <= {"json", "re", "enum"}


@pytest.mark.parametrize("argv", [["--help"], ["--version"]])
def test_help_loads_no_verb(argv: List[str], tmp_path: Path) -> None:
    names = loaded(tmp_path, argv, 0)

    assert ours(names) <= SHORT and others(names) <= BARE


# ---- the others

def test_every_verb_says_what_it_may_load() -> None:
    assert set(MAY) | NOT_RUN == set(VERBS)


@pytest.mark.parametrize("may", [may for rows in MAY.values() for may in rows], ids=lambda may: " ".join(may.argv[:2]))
def test_no_verb_loads_more_than_it_may(may: May, where: Path) -> None:
    names = loaded(where, may.argv, may.code)

    assert {name for name in COSTLY if name in names} <= may.costly
    rooms = {name.split(".")[1] for name in ours(names) if name}
    assert "sim" not in rooms and (may.rooms is None or rooms <= set(may.rooms)), rooms


def test_a_rehearsal_alone_loads_the_simulation_and_needs_nothing_of_the_daemons_packages(where: Path) -> None:
    names = loaded(where, ["rehearse", "--list"], 0)

    assert ".sim.rehearsal.rehearse" in ours(names)
    assert {"psutil", "systemd", "tenacity", "subprocess", "socket"} & names == set()
