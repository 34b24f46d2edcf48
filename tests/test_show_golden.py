"""What an administrator reads in each verdict, letter by letter: tests/golden/scene-*.txt.

    RENEW_GOLDEN=1 .venv/bin/pytest -n 0 tests/test_show_golden.py        writes them anew; read the difference before it is kept
"""
from __future__ import annotations

import difflib
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any, Dict, List

import pytest

import scenes
from rmcagent import cli, published, show

GOLDEN = Path(__file__).parent / "golden"
AGENT = Path(cli.__file__).parent.parent
ASCII_LINES = set(map(chr, range(0x20, 0x7F))) | {"\n"}
CODES = {                                # of status, plan (None: it looks for itself), check
    "healthy": (0, 0, 0), "degraded": (150, 10, 1), "healing": (150, 10, 1), "needs-human": (151, 11, 2), "paused": (152, 10, 1),
    "blind": (153, 13, 3), "unknown": (4, 13, 3), "network": (151, 11, 2), "shadow": (150, 10, 1), "partial": (150, 11, 1),
    "hung": (4, 13, 3), "storm": (150, 11, 1), "stale": (4, None, 3), "killed": (1, None, 2), "stopped": (3, None, 2),
}


def transcript(name: str) -> str:
    """Each verb as typed, what it prints, and its exit code."""
    document, alive, age = scenes.scene(name)
    now = show.as_of(document, alive, age)
    status, check = show.status_code(document, alive, age), show.check_code(document, alive, age)
    told = [("status", show.status_text(now), status), ("status --brief", show.brief_text(now), status),
            ("check", show.check_text(document, alive, age), check)]
    if name in scenes.SCENES:
        told += [("plan", show.plan_text(document), show.plan_code(document)),
                 ("why", show.why_text(document["why"]) or "nothing was decided\n", 0)]
    return "\n".join(f"$ rmcagent {verb}\n{text}[exit {code}]\n" for verb, text, code in told)


def difference(name: str, text: str) -> str:
    """What differs from the golden text, line by line; "" is nothing. Writes it where that is asked for."""
    path = GOLDEN / f"scene-{name}.txt"
    if os.environ.get("RENEW_GOLDEN"):
        path.write_text(text, "ascii")
    golden = path.read_text("ascii").splitlines() if path.exists() else []
    lines = difflib.unified_diff(golden, text.splitlines(), f"tests/golden/{path.name}", "now", lineterm="")
    return "\n".join(lines)


@pytest.mark.parametrize("name", scenes.EACH)
def test_what_an_administrator_reads_is_what_was_agreed(name: str) -> None:
    differs = difference(name, transcript(name))

    assert not differs, f"{differs}\n(if that is meant: RENEW_GOLDEN=1, see the top of this file)"


@pytest.mark.parametrize("zone", ["EST5EDT", "IST-5:30"])
def test_what_an_administrator_reads_is_the_same_in_every_time_zone(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What errpt dates is in local time, on a simulated AIX as well: a crash is told from a stop everywhere."""
    monkeypatch.setattr(scenes, "played", scenes.played.__wrapped__)
    with monkeypatch.context() as here:
        here.setenv("TZ", zone)
        time.tzset()
        try:
            told = [transcript(name) for name in ("degraded", "healing", "needs-human")]
        finally:
            here.undo()
            time.tzset()

    assert told == [(GOLDEN / f"scene-{name}.txt").read_text("ascii") for name in ("degraded", "healing", "needs-human")]


@pytest.mark.parametrize("name", scenes.EACH)
def test_a_scene_is_plain_ascii_of_eighty_columns_and_one_screen(name: str) -> None:
    document, alive, age = scenes.scene(name)
    now = show.as_of(document, alive, age)

    screen, brief = show.status_text(now), show.brief_text(now)

    assert set(transcript(name)) <= ASCII_LINES
    assert max(map(len, (screen + brief).splitlines())) <= 80 and brief.count("\n") == 1
    assert screen.count("\n") <= 24


@pytest.mark.parametrize("name", scenes.EACH)
def test_a_scene_ends_with_its_exit_codes(name: str) -> None:
    document, alive, age = scenes.scene(name)
    status, plan, check = CODES[name]

    assert show.status_code(document, alive, age) == status
    assert show.check_code(document, alive, age) == check
    assert plan is None or show.plan_code(document) == plan


def test_there_is_a_scene_of_each_verdict() -> None:
    verdicts = {show.as_of(*scenes.scene(name))["verdict"] for name in scenes.EACH}

    assert verdicts == set(show.STATUS_CODES)


def test_no_golden_text_is_left_of_a_scene_that_is_gone() -> None:
    assert {path.stem for path in GOLDEN.glob("scene-*.txt")} == {f"scene-{name}" for name in (*scenes.EACH, "terminal")}


# ---- as typed, at a terminal

def typed(folder: Path, verdict: str, environment: Dict[str, str], columns: int = 80) -> str:
    """What `rmcagent status` writes to a real terminal of so many columns, of a look 12 s ago by this very process."""
    looked = {"pid": os.getpid(), "boot": published._boot(), "monotonic": time.monotonic() - 12.2}
    document: Dict[str, Any] = {**scenes.played(verdict), **looked}
    folder.chmod(0o700)
    (folder / "status.json").write_text(json.dumps(document))
    config = folder / "rmcagent.yaml"
    config.write_text(json.dumps({"paths": {"public": str(folder)}}))      # JSON is YAML
    config.chmod(0o600)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "rmcagent", "status", "--config", str(config)], stdin=theirs, stdout=theirs, stderr=theirs,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "PYTHONPATH": str(AGENT), **environment},
    )
    os.close(theirs)
    said: List[bytes] = []
    try:
        while said[-1:] != [b""]:
            said.append(os.read(ours, 65536))
    except OSError:                       # how a terminal ends on Linux
        pass
    finally:
        os.close(ours)
    assert process.wait(60) == show.STATUS_CODES[verdict]
    return re.sub(r"\d+ s ago", "12 s ago", b"".join(said).decode("ascii").replace("\r\n", "\n"))   # however busy this machine is


@pytest.mark.real
@pytest.mark.skipif(not published._boot(), reason="this system has no boot id")
@pytest.mark.parametrize("environment, columns", [
    ({"TERM": "xterm", "NO_COLOR": "1"}, 80), ({"TERM": "dumb"}, 80), ({}, 80), ({"TERM": "dumb"}, 200),
], ids=["NO_COLOR", "dumb", "no TERM", "wide"])
def test_a_terminal_that_wants_no_colour_gets_the_golden_text(
    environment: Dict[str, str], columns: int, tmp_path: Path,
) -> None:
    now = show.as_of(scenes.played("needs-human"), True, 12.2)

    assert typed(tmp_path, "needs-human", environment, columns) == show.status_text(now)


@pytest.mark.real
@pytest.mark.skipif(not published._boot(), reason="this system has no boot id")
def test_a_terminal_that_likes_colour_gets_the_verdict_in_it(tmp_path: Path) -> None:
    said = typed(tmp_path, "needs-human", {"TERM": "xterm-256color"})

    differs = difference("terminal", said.replace("\x1b", "<ESC>"))

    assert not differs, differs
    assert said.startswith("* \x1b[31mrmcagent: needs-human\x1b[0m: ") and said.count("\x1b") == 2
