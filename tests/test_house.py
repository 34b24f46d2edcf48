"""The house rules: who imports whom, who touches the machine, how a file reads. Each rule is shown a breach it must see."""
from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from typing import List, Tuple

import pytest

import house
from house import PACKAGE, ROOT, Rule, Source, breaches, our_files, the_package, the_tests

FULLEST_ROOM = 8


def test_every_module_imports_only_what_lies_below_it() -> None:
    assert breaches(house.layers) == []


def test_only_functions_of_a_command_reach_the_simulation() -> None:
    assert breaches(house.simulation_is_reached_late) == []


def test_the_machine_is_met_in_the_modules_named_for_it_only() -> None:
    assert breaches(house.the_machine_is_met_in_few_places) == []


def test_no_command_goes_through_a_shell() -> None:
    assert breaches(house.no_shell) == []


def test_nothing_listens() -> None:
    assert breaches(house.nothing_listens) == []


def test_rooms_do_not_print() -> None:
    assert breaches(house.only_the_command_prints) == []


def test_everything_is_caught_in_two_places_only() -> None:
    assert breaches(house.nobody_catches_everything) == []


def test_every_module_says_what_belongs_in_it() -> None:
    assert breaches(house.modules_introduce_themselves) == []


def test_no_module_is_longer_than_a_reader_bears() -> None:
    assert breaches(house.modules_are_short) == []


def test_what_others_build_upon_says_what_it_promises() -> None:
    assert breaches(house.the_contract_is_explained) == []


def test_every_file_is_python_3_9() -> None:
    assert breaches(house.it_is_python_3_9, the_package() + the_tests()) == []


def test_fast_tests_do_not_sleep() -> None:
    assert breaches(house.fast_tests_do_not_sleep, the_tests()) == []


BREACHES: List[Tuple[Rule, str, str]] = [
    (house.layers, "reason.decide", "from rmcagent.partition import host"),
    (house.layers, "reason.decide", "from rmcagent.clock import SystemClock"),
    (house.layers, "reason.decide", "def f():\n    import rmcagent.ledger"),
    (house.layers, "partition.observe", "from rmcagent.reason.guards import evidence"),
    (house.layers, "partition.observe", "from rmcagent import report"),
    (house.layers, "model", "from rmcagent import config"),
    (house.layers, "cycle", "from rmcagent.daemon import run"),
    (house.layers, "sim.demo", "from rmcagent.cli import main"),
    (house.layers, "reason.decide", "from . import guards"),
    (house.layers, "surprise", "from rmcagent import model"),
    (house.simulation_is_reached_late, "command.here", "from rmcagent.sim import rehearse"),
    (house.simulation_is_reached_late, "daemon", "def f():\n    from rmcagent.sim.live import shims"),
    (house.the_machine_is_met_in_few_places, "reason.decide", "import os.path"),
    (house.the_machine_is_met_in_few_places, "partition.observe", "def f():\n    from time import sleep"),
    (house.the_machine_is_met_in_few_places, "partition.act", "import subprocess"),
    (house.the_machine_is_met_in_few_places, "partition.parse", "text = open('/etc/hosts').read()"),
    (house.the_machine_is_met_in_few_places, "daemon", "import threading"),
    (house.the_machine_is_met_in_few_places, "ledger", "import yaml"),
    (house.no_shell, "partition.host", "import subprocess\nsubprocess.run('ls', shell=True)"),
    (house.no_shell, "partition.host", "import os\nos.system('ls')"),
    (house.nothing_listens, "report", "import socket\nsocket.socket().listen(1)"),
    (house.only_the_command_prints, "partition.observe", "print(1)"),
    (house.nobody_catches_everything, "ledger", "try:\n    1\nexcept Exception:\n    2"),
    (house.nobody_catches_everything, "ledger", "try:\n    1\nexcept (OSError, BaseException):\n    2"),
    (house.nobody_catches_everything, "ledger", "try:\n    1\nexcept:\n    2"),
    (house.nobody_catches_everything, "cli", "try:\n    1\nexcept Exception:\n    2\ntry:\n    3\nexcept Exception:\n    4"),
    (house.modules_introduce_themselves, "show", "import re"),
    (house.modules_introduce_themselves, "show", "'''Show.'''\ndef f() -> int:\n    return 1"),
    (house.modules_are_short, "show", "\n" * (house.LONGEST_MODULE + 1)),
    (house.it_is_python_3_9, "show", "match x:\n    case 1:\n        pass"),
    (house.the_contract_is_explained, "config", "def load(path):\n    x = 1\n    return x"),
    (house.the_contract_is_explained, "partition.host", "class H:\n    '''H.'''\n    def f(self):\n        x = 1\n        g(x)"),
    (house.fast_tests_do_not_sleep, "tests/test_a", "import time\ndef test_a():\n    time.sleep(1)"),
    (house.fast_tests_do_not_sleep, "tests/test_a", "import time\ndef test_a():\n    while True:\n        time.sleep(1)"),
]


@pytest.mark.parametrize("rule, name, text", BREACHES, ids=[f"{rule.__name__}-{at}" for at, (rule, _, _) in enumerate(BREACHES)])
def test_a_breach_is_seen(rule: Rule, name: str, text: str) -> None:
    complaints = list(rule(Source(name, text)))

    assert len(complaints) == 1, complaints


def test_every_rule_is_shown_a_breach() -> None:
    rules = {value for value in vars(house).values() if getattr(value, "__annotations__", {}).get("return") == "Iterator[str]"}

    assert rules == {rule for rule, _, _ in BREACHES}


def test_what_is_allowed_is_no_breach() -> None:
    allowed = [(house.layers, "reason.decide", "from rmcagent.reason import guards\nfrom rmcagent import __version__"),
               (house.simulation_is_reached_late, "command.here", "def f():\n    from rmcagent.sim import rehearse"),
               (house.nobody_catches_everything, "ledger", "try:\n    1\nexcept OSError:\n    2"),
               (house.no_shell, "partition.host", "import subprocess\nsubprocess.run(['ls'], shell=False)"),
               (house.nothing_listens, "report", "talk.listen(1)"),
               (house.nobody_catches_everything, "ledger", "try:\n    1\nexcept BaseException:\n    f()\n    raise"),
               (house.fast_tests_do_not_sleep, "tests/test_a", "def f():\n    while True:\n        time.sleep(0.01)"),
               (house.fast_tests_do_not_sleep, "tests/bench/a", "import time\ndef a():\n    time.sleep(60)")]

    assert [list(rule(Source(name, text))) for rule, name, text in allowed] == [[]] * len(allowed)


def test_no_room_holds_more_files_than_a_newcomer_can_name() -> None:
    rooms = {str(door.parent.relative_to(PACKAGE)): len(list(door.parent.glob("*.py"))) - 1
             for door in PACKAGE.rglob("__init__.py") if door.parent != PACKAGE}

    assert {"partition", "reason", "sim"} <= set(rooms)
    assert {room: files for room, files in rooms.items() if files > FULLEST_ROOM} == {}


def test_the_ladders_remedies_are_those_the_hands_can_spell() -> None:
    from rmcagent.model import Fault, Remedy
    from rmcagent.partition.act import SPELLINGS
    from rmcagent.reason.ladder import LADDER

    assert set(SPELLINGS) == set(Remedy) == {remedy for remedies in LADDER.values() for remedy in remedies}
    assert set(LADDER) == set(Fault)


def test_the_readme_has_one_line_for_the_demo_and_one_for_the_tests() -> None:
    lines = [line for line in readme().splitlines() if line.startswith("python3 ")]

    assert [line.split()[-1] for line in lines] == ["demo", ".venv/bin/pytest"]


def test_the_readme_names_every_event() -> None:
    from rmcagent.report import EVENTS

    told = dict(re.findall(r"^\| (RMCA\d{4}[INWE]) \| (.+) \|$", readme(), re.MULTILINE))

    assert told == {code: event.name for code, event in EVENTS.items()}


def test_the_readme_names_every_module_and_no_other() -> None:
    told = set(re.findall(r"`(?!tests/)([a-z_/]+\.py)`", readme().partition("## Where does X happen")[2].partition("\n## ")[0]))
    there = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"}
    told_by_room = {path for path in there if path.startswith("sim/partition/") and "`sim/partition/`" in readme()}

    assert told == there - told_by_room


def readme() -> str:
    return (ROOT / "README.md").read_text("utf-8")


# Written apart, so that this file does not break its own rule.
UNWANTED = {
    "a path of the machine it was made on": r"(?<![\w.])/(wor" r"k|roo" r"t)/|/tmp/de" r"v-|\.\./shar" r"ed\b",
    "a package index": r"pypi\.or" r"g|pythonhoste" r"d|index-ur" r"l|find-link" r"s",
    "unfinished work": r"\bTOD" r"O\b|\bFIXM" r"E\b",
}


def test_no_file_speaks_of_the_machine_it_was_made_on() -> None:
    found = [f"{path.relative_to(ROOT)}: {what} ({hit.group()})" for path in our_files()
             for what, pattern in UNWANTED.items() for hit in [re.search(pattern, path.read_text("utf-8", "replace"))] if hit]

    assert found == []


@pytest.mark.parametrize("text", ["cat /wor" "k/main", "see ../shar" "ed/x", "https://pypi.or" "g/simple", "# TOD" "O: more"])
def test_speaking_of_it_would_be_seen(text: str) -> None:
    assert [what for what, pattern in UNWANTED.items() if re.search(pattern, text)]


# ---- tools -------------------------------------------------------------------------------------------------------------

HEAVY = ("yaml", "psutil", "tenacity", "argparse", "subprocess", "socket", "tempfile", "systemd", "logging", "_hashlib",
         "rmcagent.sim")


@pytest.mark.real
@pytest.mark.parametrize("module", ["cli", "daemon", "partition.observe"])
def test_importing_the_agent_loads_nothing_heavy(module: str) -> None:
    if not (PACKAGE / f"{module.replace('.', '/')}.py").exists():
        pytest.fail(f"{module}.py is not there")
    asked = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); import rmcagent.{module}; print(*sys.modules)"

    loaded = run("-I", "-S", "-c", asked).stdout.split()

    assert f"rmcagent.{module}" in loaded and [name for name in HEAVY if name in loaded] == []


@pytest.mark.real
def test_the_types_hold() -> None:
    if not find_spec("mypy"):
        pytest.skip("mypy is not installed: pip install '.[test]'")

    checked = run("-m", "mypy", "--strict", "agent/rmcagent")

    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.real
def test_the_linter_is_silent() -> None:
    if not find_spec("ruff"):
        pytest.skip("ruff is not installed: pip install '.[test]'")

    checked = run("-m", "ruff", "check", "--output-format", "concise", ".")

    assert checked.returncode == 0, checked.stdout + checked.stderr


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=300)
