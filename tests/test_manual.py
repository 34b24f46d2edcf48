"""Manual, completion, README: what make.py makes of the tables is what is there, it is well-formed, and what it shows works."""
from __future__ import annotations

import importlib.util
import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Dict, List, Sequence

import pytest

import house
from house import ROOT
from rmcagent import config
from rmcagent.command.arguments import parsed
from rmcagent.command.table import VERBS
from rmcagent.config.table import each_key
from rmcagent.model import Remedy
from rmcagent.report import EVENTS
from rmcagent.show import codes
from rmcagent.sim.rehearsal.scenarios import SCENARIOS

MAN, COMPLETION = ROOT / "packaging" / "man", ROOT / "packaging" / "completion" / "rmcagent.bash"
CATALOG = ROOT / "packaging" / "linux" / "rmcagent.catalog"
PAGES = ("rmcagent.8", "rmcagent.yaml.5")
BASH = shutil.which("bash")
PATIENCE = 20.0


def made() -> Dict[Path, str]:
    spec = importlib.util.spec_from_file_location("make", MAN / "make.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    try:
        spec.loader.exec_module(module)
        texts: Dict[Path, str] = module.made()
    finally:
        sys.path[:] = before
    return texts


def test_what_is_committed_is_what_the_programs_tables_make() -> None:
    texts = made()

    stale = [str(path.relative_to(ROOT)) for path, text in texts.items() if not path.exists() or path.read_text("utf-8") != text]

    assert set(texts) == {ROOT / "README.md", CATALOG, COMPLETION, *(MAN / name for name in PAGES)}
    assert stale == [], "run python3 packaging/man/make.py"


def test_the_pages_are_ascii_and_tell_every_verb_option_key_and_event() -> None:
    command, policy = ((MAN / name).read_text("ascii").replace("\\-", "-") for name in PAGES)

    assert [verb for verb in VERBS if not re.search(rf"^\.It Ic {verb}( |$)", command, re.MULTILINE)] == []
    assert [row.example for row in VERBS.values() if row.example not in command.replace("\\(dq", '"')] == []
    assert [option for row in VERBS.values() for option in row.options if f"Fl {option[1:]}" not in command] == []
    assert [code for code in EVENTS if f".It Sy {code} " not in command] == []
    assert [event.name for event in EVENTS.values() if f"MESSAGE_ID {event.message_id}\n" not in command] == []
    assert [name for name, _ in each_key() if not re.search(rf"^\.It (Ic |Va )?{re.escape(name)}\b", policy, re.MULTILINE)] == []


def test_each_exit_code_means_what_the_program_ends_with_it_for() -> None:
    """The manual and the README are made of what is said; the program goes by the other tables, and by names beside them."""
    said = [(codes.STATUS_CODES, codes.STATUS_EXITS), (codes.CHECK_CODES, codes.CHECK_EXITS)]
    literal = [int(code) for source in house.the_package() for code in re.findall(r'"exit": ([0-9]+)', source.text)]

    assert [verdict for table, meanings in said for verdict, code in table.items()
            if verdict.replace("needs-", "needs a ").replace("-", " ") not in meanings[code]] == []
    assert set(codes.STATUS_EXITS) == {*codes.STATUS_CODES.values(), codes.status_code({"verdict": "healthy"}, False, 0)}
    assert set(codes.CHECK_EXITS) == {*codes.CHECK_CODES.values(), codes.check_code(None, True, None), 3}
    assert set(codes.PLAN_EXITS) == {*codes.PLAN_CODES.values(), codes.plan_code(None)}
    assert len(literal) > 3 and {*literal} <= set(codes.OTHER_EXITS)


def test_completing_starts_no_process() -> None:
    code = "\n".join(line.partition("# ")[0] for line in COMPLETION.read_text("ascii").splitlines())

    assert re.findall(r"\$\((?!\()|`|[<>]\(|&\s|\bcoproc\b", code.replace("&&", "")) == []


# ---- the README ---------------------------------------------------------------------------------------------------------

def test_each_piece_of_policy_in_the_readme_is_one_and_does_what_is_said_of_it() -> None:
    texts = re.findall(r"^```yaml\n(.*?)^```", section("Policy by example"), re.MULTILINE | re.DOTALL)

    loaded = [config.parse(text) for text in texts]

    assert [one.warnings for one in loaded] == [()] * 5
    shadow, weekend, never, named, chatty = (one.settings for one in loaded)
    saturday = datetime(2026, 5, 2, 1, 0)
    assert shadow.mode == "shadow"
    assert [name for name, remedy in weekend.remedies.items() if remedy.window] == ["recycle", "recfgct"]
    assert all(remedy.window.open_at(saturday) and not remedy.window.open_at(saturday - timedelta(days=1))
               for remedy in weekend.remedies.values() if remedy.window)
    assert never.remedies["recfgct"].mode == "off"
    assert (named.expect.management, named.expect.hmcs) == ("required", ("192.0.2.21", "192.0.2.22"))
    assert chatty.log.storm.bytes == 16 * config.defaults().log.storm.bytes


def test_every_command_of_ours_in_the_readme_and_in_the_events_is_taken_as_it_stands() -> None:
    texts = [readme(), *(event.do for event in EVENTS.values())]
    spans = [span for text in texts for span in re.findall(r"(?<!`)`(rmcagent [^`\n]+)`", re.sub(r"\n(?=[^\n|*])", " ", text))]
    lines = re.findall(r"^# (rmcagent [a-z].*)$", readme(), re.MULTILINE)

    asked = {command: parsed(shlex.split(command)[1:], VERBS) for command in {*spans, *lines} if "VERB" not in command}

    assert len(asked) > 30
    assert [verb for verb in VERBS if not any(one and one.verb == verb for one in asked.values())] == []


def test_the_readme_finds_in_the_journal_what_needs_a_human() -> None:
    assert re.findall("MESSAGE_ID=([0-9a-f]+)", readme()) == [EVENTS["RMCA4001E"].message_id]


def test_what_the_readme_refers_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", readme())

    assert len(links) > 5 and [link for link in links if not (ROOT / link).exists()] == []


def test_the_readme_promises_nothing_that_has_come() -> None:
    to_come = [line for line in readme().splitlines() if "to come" in line.lower()]

    assert [line for line in to_come if re.search(r"check|heal|journal|errlog|metrics|history", line)] == []


def readme() -> str:
    return (ROOT / "README.md").read_text("utf-8")


def section(title: str) -> str:
    return readme().partition(f"\n## {title}\n")[2].partition("\n## ")[0]


# ---- mandoc and man ----------------------------------------------------------------------------------------------------

@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("name", PAGES)
def test_mandoc_has_nothing_to_say_against_a_page(name: str) -> None:
    needs("mandoc", "mandoc")

    said = run("mandoc", "-T", "lint", "-W", "warning", str(MAN / name))

    assert (said.returncode, said.stdout) == (0, "")


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_given_to_a_man_that_knows_no_mdoc(name: str) -> None:
    needs("mandoc", "mandoc")

    man, plain = run("mandoc", "-T", "man", str(MAN / name)), run("mandoc", "-T", "ascii", str(MAN / name))

    judged = subprocess.run(["mandoc", "-T", "lint", "-W", "warning"], input=man.stdout, capture_output=True, text=True)
    assert (man.stderr, plain.stderr, judged.stdout) == ("", "", "") and plain.stdout.isascii()


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("reader", ["man", "mandoc"])
def test_a_page_fits_80_columns_and_still_tells_everything(name: str, reader: str) -> None:
    needs(reader, "man-db" if reader == "man" else "mandoc")
    command = ["man", "-l"] if reader == "man" else ["mandoc", "-T", "utf8", "-O", "width=78"]

    shown = run(*command, str(MAN / name), MANWIDTH="80", LC_ALL="C.UTF-8", MANPAGER="cat", MAN_KEEP_FORMATTING="")

    text = re.sub(".\b", "", shown.stdout)
    flat = re.sub(r"\s+", " ", re.sub(r"[\u2010-]\n\s*", "-", text))
    wanted = [*VERBS, *EVENTS, *(remedy.value for remedy in Remedy)] if name == PAGES[0] else [name for name, _ in each_key()]
    assert (shown.returncode, shown.stderr) == (0, "")
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert [word for word in wanted if word not in flat] == []
    assert [line for line in text.splitlines() if "`" in line or "\\" in line] == []


# ---- a real bash -------------------------------------------------------------------------------------------------------

# What is written, the word under the cursor last -> what is offered.
OFFERED = [
    ([""], ["run", "status", "check", "plan", "why", "pause", "resume", "reload", "heal", "config", "doctor", "rehearse"]),
    (["st"], ["status"]),
    (["re"], ["resume", "reload", "rehearse"]),
    (["--"], ["--help", "--version"]),
    (["config", ""], ["check", "show"]),
    (["config", "s"], ["show"]),
    (["config", "show", "--j"], ["--json"]),
    (["status", ""], ["--json", "--watch", "--config"]),
    (["--config", "x.yaml", "st"], ["status"]),
    (["--config", "=", "x.yaml", "st"], ["status"]),
    (["heal", "--config", "=", "x.yaml", "rec"], ["recycle"]),
    (["heal", ""], [remedy.value for remedy in Remedy]),
    (["heal", "rec"], ["recycle", "recfgct"]),
    (["heal", "recycle", ""], ["--dry-run"]),
    (["pause", "--for", ""], ["30m", "2h", "1d"]),
    (["pause", "--for", "=", "2"], ["2h"]),
    (["pause", "--for", "="], ["2h", "1d"]),
    (["pause", "--for", "2h", "--r"], ["--reason"]),
    (["pause", "--for", "=", "2h", "--r"], ["--reason"]),
    (["rehearse", "--for", ""], ["30d"]),
    (["rehearse", "--scenario", ""], list(SCENARIOS)),
    (["rehearse", "--scenario", "caa-a"], ["caa-active", "caa-appears"]),
]
# Nothing could be known of these.
NOTHING = [["why", "--json", "E-"], ["pause", "--reason", ""], ["rehearse", "--seed", ""], ["nonsense", ""], ["status", "--zz"],
           ["plan", "--from", ""], ["classify", ""]]


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("written, offered", OFFERED, ids=[" ".join(written) or "nothing" for written, _ in OFFERED])
def test_a_bash_offers_what_may_follow(written: List[str], offered: List[str]) -> None:
    replies = completed(written)

    assert [one for one in offered if one not in replies] == []
    assert [one for one in replies if not one.startswith(written[-1].replace("=", ""))] == []


@pytest.mark.slow
@pytest.mark.real
def test_a_bash_offers_the_verbs_and_options_of_the_table_and_no_others() -> None:
    assert set(completed([""])) == {verb.split()[0] for verb in VERBS}
    for verb, row in VERBS.items():
        assert set(completed([*verb.split(), "-"])) == {*row.options, "--help"}


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("written", NOTHING, ids=" ".join)
def test_a_bash_offers_nothing_where_nothing_is_known(written: List[str]) -> None:
    assert completed(written) == []


def completed(written: Sequence[str]) -> List[str]:
    """What the function answers, in a bash that forbids unset variables, knows no bash-completion and can start nothing."""
    if BASH is None:
        pytest.skip("bash is not installed")
    asked = ('set -eu; source "$1"; shift; how=$(complete -p rmcagent); [[ $how == "complete -F _rmcagent rmcagent" ]]; '
             'PATH=/nonexistent; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _rmcagent; printf "%s\\n" "${COMPREPLY[@]}"')
    answer = run(BASH, "--norc", "--noprofile", "-c", asked, "bash", str(COMPLETION), "rmcagent", *written)
    assert (answer.returncode, answer.stderr) == (0, "")
    return [line for line in answer.stdout.splitlines() if line]


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("typed, becomes", [
    ("rmcagent stat", "rmcagent status "),
    ("rmcagent config sh", "rmcagent config show "),
    ("rmcagent heal rec\tf", "rmcagent heal recfgct "),
    ("rmcagent plan --from my\\ bu", "rmcagent plan --from my\\ bundle.tar "),
    ("rmcagent rehearse --svg=ca", "rmcagent rehearse --svg=calm.svg "),
    ("rmcagent pause --for=30", "rmcagent pause --for=30m "),
    ("rmcagent classify c", "rmcagent classify calm.svg "),
])
def test_the_tab_key_completes_in_an_interactive_bash(tmp_path: Path, typed: str, becomes: str) -> None:
    for name in ("my bundle.tar", "calm.svg"):
        (tmp_path / name).touch()

    shown = interactive(tmp_path, f"{typed}\t")

    assert f"{becomes}|" in shown


def interactive(folder: Path, keys: str) -> str:
    """What stands on the line of a bash that reads these keys; a bar is typed at the end."""
    if BASH is None:
        pytest.skip("bash is not installed")
    master, terminal = pty.openpty()
    environment = {"PATH": "/nonexistent", "TERM": "dumb", "PS1": "ready> ", "INPUTRC": "/dev/null", "COLUMNS": "200"}
    bash = subprocess.Popen([BASH, "--norc", "--noprofile", "-i"], stdin=terminal, stdout=terminal, stderr=terminal, cwd=folder,
                            env=environment, start_new_session=True)
    os.close(terminal)
    try:
        _until(master, "ready> ")
        os.write(master, f"set -u; source '{COMPLETION}'; PS1='go> '\n".encode())
        _until(master, "\ngo> ")
        os.write(master, f"{keys}|".encode())
        return _until(master, "|")
    finally:
        bash.kill()
        bash.wait()
        os.close(master)


def _until(master: int, wanted: str) -> str:
    seen, until = "", time.monotonic() + PATIENCE
    while wanted not in seen:
        assert select.select([master], [], [], max(0.0, until - time.monotonic()))[0], f"waited in vain for {wanted!r}: {seen!r}"
        seen += os.read(master, 4096).decode("utf-8", "replace").replace("\r", "").replace("\a", "")
    return seen


def needs(tool: str, package: str) -> None:
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed: {package}")


def run(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=60,
                          env={"PATH": os.environ["PATH"], **more})
