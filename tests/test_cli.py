"""The command: what it takes, what it says, and its exit codes."""
from __future__ import annotations

import errno
import io
import json
import os
import posix
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional

import pytest

from rmcagent import __version__, cli, config, published, show
from rmcagent.cli import main
from rmcagent.clock import SystemClock
from rmcagent.command import arguments, files
from rmcagent.command.arguments import Asked
from rmcagent.report import Event
from rmcagent.report.kept import Kept

AGENT = Path(cli.__file__).parent.parent
VENDOR = AGENT.parent / "packaging" / "common" / "vendor"
Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


@pytest.fixture
def public(tmp_path: Path, monkeypatch: Patch) -> Path:
    """The public folder, as if it were the platform's own."""
    folder = tmp_path / "public"
    folder.mkdir()
    monkeypatch.setattr(files, "public", lambda asked: str(folder / "status.json"))
    monkeypatch.setenv("NO_COLOR", "1")
    return folder


def document(**facts: Any) -> Dict[str, Any]:
    """What a daemon that is this very process published just now."""
    return {
        "schema": 1, "verdict": "healthy", "because": "RMC runs", "taken_at": "2026-05-04T12:00:28+00:00", "pid": os.getpid(),
        "boot": published._boot(), "monotonic": time.monotonic(), "look_seconds": 60.0, "timeout_seconds": 20.0, **facts,
    }


def publish(folder: Path, **facts: Any) -> None:
    (folder / "status.json").write_text(json.dumps(document(**facts)))


def configured(folder: Path, text: str = "") -> str:
    path = folder / "rmcagent.yaml"
    path.write_text(text)
    path.chmod(0o600)
    folder.chmod(0o700)
    return str(path)


# ---- status

@pytest.mark.parametrize("verdict, code", sorted(show.STATUS_CODES.items()))
def test_status_says_the_verdict_and_ends_with_its_code(
    verdict: str, code: int, public: Path, capsys: Capture,
) -> None:
    publish(public, verdict=verdict)

    assert main(["status"]) == code

    assert capsys.readouterr().out.startswith(f"* rmcagent: {verdict}: RMC runs\n")


def test_status_as_json_is_the_document_and_its_age(public: Path, capsys: Capture) -> None:
    publish(public, monotonic=time.monotonic() - 7, hmcs=[{"name": "\u202e"}])

    assert main(["status", "--json"]) == 0

    out = capsys.readouterr().out
    told = json.loads(out)
    assert out.isascii()
    assert (told["verdict"], told["age_seconds"], told["hmcs"]) == ("healthy", 7, [{"name": "\u202e"}])


def test_without_a_published_document_the_agent_is_not_running(public: Path, capsys: Capture) -> None:
    assert (main(["status"]), main(["status", "--json"])) == (3, 3)

    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("* rmcagent: not-running: nothing was published in ")
    told = json.loads("".join(out[1:]))
    assert (told["schema"], told["verdict"], told["findings"], told["decision"]["kind"]) == (1, "not-running", [], "rest")
    assert (told["cluster"]["recycle"], told["cluster"]["recfgct"]) == ("forbidden", "forbidden")


def test_after_a_clean_stop_every_key_of_status_is_there(public: Path, capsys: Capture) -> None:
    (public / "status.json").write_text('{"schema": 1, "verdict": "not-running", "taken_at": "2026-05-04T12:00:28+00:00"}')

    assert main(["status", "--json"]) == 3

    told = json.loads(capsys.readouterr().out)
    keys = "schema verdict taken_at subsystems hmcs cluster findings gaps decision decisions log".split()
    assert [key for key in keys if key not in told] == [] and told["taken_at"] == "2026-05-04T12:00:28+00:00"


def test_a_daemon_that_died_is_not_called_healthy(public: Path, capsys: Capture) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    publish(public, pid=child.pid)

    assert main(["status"]) == 1

    assert f"not-running: the daemon (pid {child.pid}) ended without a clean stop" in capsys.readouterr().out


@pytest.mark.skipif(not published._boot(), reason="this system has no boot id")
def test_a_document_of_an_earlier_boot_has_no_daemon_whoever_has_its_pid_now(public: Path) -> None:
    publish(public, boot="00000000-0000-0000-0000-000000000000")

    assert main(["status"]) == 1


def test_an_old_look_is_unknown(public: Path, capsys: Capture) -> None:
    publish(public, verdict="needs-human", monotonic=time.monotonic() - 500)

    assert main(["status"]) == 4

    assert capsys.readouterr().out.startswith("* rmcagent: unknown: the last look is too old")


@pytest.mark.parametrize("content", [
    b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"schema": 2, "verdict": "healthy"}', b'{"schema": 1}',
    b'{"schema": 1, "verdict": 5}',
])
def test_a_damaged_document_gets_a_sentence(content: bytes, public: Path, capsys: Capture) -> None:
    (public / "status.json").write_bytes(content)

    assert main(["status"]) == 4

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("rmcagent: cannot read ") and told.err.count("\n") == 1


def test_a_document_that_is_a_folder_gets_a_sentence(public: Path, capsys: Capture) -> None:
    (public / "status.json").mkdir()

    assert main(["status"]) == 4

    assert "not a regular file" in capsys.readouterr().err


AGE = f'"boot": "{published._boot()}", "monotonic"'


@pytest.mark.parametrize("facts", [
    f"{AGE}: 1{'0' * 400}", f"{AGE}: NaN", f"{AGE}: -1e999", '"look_seconds": null', '"look_seconds": "x"',
    '"timeout_seconds": []', '"why": 5', '"why": {}', f'"look_seconds": 1{"0" * 400}',
    '"budgets": {"start": [{"times": "x", "spent": 1, "span_seconds": 1}]}',
    '"budgets": {"start": [{"times": 1, "spent": 1, "span_seconds": Infinity}]}', f'"hmcs": {"[" * 500}{"]" * 500}',
], ids=lambda facts: facts[:60])
@pytest.mark.parametrize("argv", [["status"], ["status", "--json"], ["why"]], ids=" ".join)
def test_a_document_of_the_wrong_shape_is_damaged_and_no_mistake_of_ours(
    argv: List[str], facts: str, public: Path, capsys: Capture,
) -> None:
    (public / "status.json").write_text(json.dumps(document())[:-1] + f", {facts}}}")

    assert main(argv) == 4

    told = capsys.readouterr()
    assert (told.out, told.err) == ("", f"rmcagent: cannot read {public / 'status.json'}: damaged, or of another version; "
                                        f"a running agent replaces it at its next look\n")


DECISION: Dict[str, Any] = {
    "fault": "rmc-down", "kind": "refuse", "remedy": "recycle", "because": "a", "until": "2026-05-04T13:00:00+00:00",
    "refusals": [{"guard": "cluster", "because": "b", "unblock": "c", "until": None}],
}
WHOLE: Dict[str, Any] = {
    "mode": "act", "next_look": "2026-05-04T12:01:28+00:00", "pause": {"until": "2026-05-04T13:00:00+00:00", "reason": "x"},
    "subsystems": {"ctrmc": {"state": "active", "pid": 5}}, "hmcs": [{"address": "192.0.2.9", "link": "up", "reachable": True}],
    "cluster": {"state": "absent", "recycle": "allowed", "evidence": "none"}, "gaps": [{"about": "x", "because": "y"}],
    "findings": [{"fault": "rmc-down", "since": "2026-05-04T12:00:00+00:00", "evidence": "it is so", "advice": "z"}],
    "decisions": [DECISION, {"kind": "escalate", "unblock": ["d"]}],
    "budgets": {"start": [{"times": 2, "spent": 1, "span_seconds": 3600.0}]},
    "why": [{"episode": "E-1", "because": ["e"], "refused_by": [{"guard": "cluster", "because": "f", "unblock": "g"}]}],
}


def test_whatever_stands_in_the_document_nothing_is_called_a_mistake_of_ours(public: Path, capsys: Capture) -> None:
    for facts in (copy for odd in (None, [5, "x"], {"x": {}}) for copy in spoilt(document(**WHOLE), odd)):
        (public / "status.json").write_text(json.dumps(facts))

        codes = (main(["status"]), main(["why"]))

        assert not {2, 5, 6, 7}.intersection(codes) and "please report" not in capsys.readouterr().err, facts


def spoilt(value: Any, odd: Any) -> Iterator[Any]:
    """The value with `odd` in the place of each of its parts, at any depth."""
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        for other in (odd, *spoilt(part, odd)):
            copy = value.copy()
            copy[key] = other
            yield copy


# ---- whose document it is

@pytest.mark.parametrize("plant", [
    os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: path.symlink_to("other.json"),
], ids=["fifo", "device", "link"])
def test_what_is_no_regular_file_is_not_read_and_nothing_waits_for_it(
    plant: Callable[[Path], None], public: Path, capsys: Capture,
) -> None:
    (public / "other.json").write_text(json.dumps(document()))
    plant(public / "status.json")

    assert main(["status"]) == 4

    assert capsys.readouterr().err == (f"rmcagent: cannot read {public / 'status.json'}: not a regular file; remove it, a "
                                       f"running agent replaces it at its next look\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_document_that_somebody_else_made_is_not_believed(public: Path, capsys: Capture) -> None:
    publish(public)
    os.chown(public / "status.json", 12345, -1)
    public.chmod(0o1777)

    forged, told = main(["status"]), capsys.readouterr().err
    os.chown(public, 12345, -1)

    assert (forged, told) == (4, f"rmcagent: cannot read {public / 'status.json'}: its owner is uid 12345, neither root nor its "
                                 f"folder's owner: it may be made up; remove it\n")
    assert main(["status"]) == 0            # the daemon of another user, who publishes in a folder of his own


@pytest.mark.parametrize("argv", [["--config", "F", "status"], ["status", "--config", "F"], ["status", "--config=F"]])
def test_a_named_configuration_says_where_the_public_folder_is(
    argv: List[str], tmp_path: Path, capsys: Capture,
) -> None:
    publish(tmp_path, verdict="paused")
    path = configured(tmp_path, f"paths: {{public: {tmp_path}}}\n")

    assert main([word.replace("F", path) for word in argv]) == 152

    assert capsys.readouterr().out.startswith("* rmcagent: paused")


@pytest.mark.parametrize("text, found", [("paths: {public: /elsewhere}\n", "/elsewhere"), ("mode: nonsense\n", "/run/rmcagent")])
def test_where_nothing_was_published_the_installed_configuration_is_asked_for_the_folder(
    tmp_path: Path, monkeypatch: Patch, text: str, found: str
) -> None:
    installed = tmp_path / "rmcagent.yaml"
    installed.write_text(text)
    tmp_path.chmod(0o700)
    monkeypatch.setattr(arguments, "CONFIG", str(installed))
    monkeypatch.setattr(posix, "access", lambda path, how: how == posix.R_OK)
    monkeypatch.setattr(sys, "platform", "linux")

    assert files.public(Asked("status", [], {})) == f"{found}/status.json"


def test_the_platform_says_where_the_public_folder_is(monkeypatch: Patch) -> None:
    found = []
    for platform in ("linux", "aix", "aix7"):
        monkeypatch.setattr(sys, "platform", platform)
        found.append(files.public(Asked("status", [], {})))

    assert found == ["/run/rmcagent/status.json", "/var/rmcagent/public/status.json", "/var/rmcagent/public/status.json"]


def test_watching_ends_well_with_ctrl_c(public: Path, monkeypatch: Patch, capsys: Capture) -> None:
    publish(public)
    naps = iter([None, None])

    def nap(seconds: float) -> None:
        assert seconds == 2.0
        if next(naps, "over") == "over":
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", nap)

    assert main(["status", "--watch"]) == 0

    assert capsys.readouterr().out.count("* rmcagent: healthy") == 3


@pytest.mark.parametrize("terminal, environment, coloured", [
    (True, {"TERM": "xterm"}, True), (True, {"TERM": "dumb"}, False), (True, {}, False),
    (True, {"TERM": "xterm", "NO_COLOR": "1"}, False), (False, {"TERM": "xterm"}, False),
])
def test_colour_is_for_terminals_that_want_it(
    terminal: bool, environment: Dict[str, str], coloured: bool, monkeypatch: Patch,
) -> None:
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)

    assert arguments.colour() is coloured


# ---- check and metrics

@pytest.mark.parametrize("verdict, code", [
    ("healthy", 0), ("degraded", 1), ("healing", 1), ("paused", 1), ("needs-human", 2), ("not-running", 2), ("unknown", 3),
    ("blind", 3),
])
def test_check_ends_as_nagios_wants_it(verdict: str, code: int, public: Path, capsys: Capture) -> None:
    publish(public, verdict=verdict)

    assert main(["check"]) == code

    out = capsys.readouterr().out
    assert out.startswith(f"RMC {('OK', 'WARNING', 'CRITICAL', 'UNKNOWN')[code]}: ") and out.count("\n") == 1


def test_check_is_critical_where_nothing_was_published(public: Path, capsys: Capture) -> None:
    assert main(["check"]) == 2

    assert capsys.readouterr().out.startswith("RMC CRITICAL: not-running")


def test_what_check_cannot_read_is_unknown_in_one_line_on_stdout(public: Path, capsys: Capture) -> None:
    (public / "status.json").write_text("{")

    assert main(["check"]) == 3

    told = capsys.readouterr()
    assert told.err == ""
    assert told.out.startswith("RMC UNKNOWN: cannot read ") and told.out.count("\n") == 1 and "|" not in told.out


def test_check_by_a_configuration_with_mistakes_is_unknown(tmp_path: Path, capsys: Capture) -> None:
    assert main(["check", "--config", configured(tmp_path, "mode: dance|x\nmodes: 1\n")]) == 3

    told = capsys.readouterr()
    assert told.out.startswith("RMC UNKNOWN: ") and told.out.count("\n") == 1 and "|" not in told.out


@pytest.mark.parametrize("argv", [["check", "--bogus"], ["check", "extra"], ["--config", "/none.yaml", "check"]])
def test_a_slip_in_the_plug_ins_command_line_is_unknown_and_no_alarm(argv: List[str], capsys: Capture) -> None:
    assert main(argv) == 3

    told = capsys.readouterr()
    assert told.err == "" and told.out.startswith("RMC UNKNOWN: ") and told.out.count("\n") == 1


def test_metrics_are_what_the_document_says_by_now(public: Path, capsys: Capture) -> None:
    publish(public, monotonic=time.monotonic() - 3600.0)

    assert main(["metrics"]) == 0

    out = capsys.readouterr().out
    assert 'rmcagent_verdict{verdict="unknown"} 1\n' in out and 'rmcagent_verdict{verdict="healthy"} 0\n' in out


def test_without_a_published_document_there_are_no_metrics(public: Path, capsys: Capture) -> None:
    assert main(["metrics"]) == 7

    assert capsys.readouterr().out == ""


# ---- history

def kept_events(folder: Path) -> str:
    """A configuration whose state folder holds two events."""
    state = folder / "state"
    state.mkdir(mode=0o700)
    kept = Kept(str(state))
    at = datetime.now(timezone.utc)
    kept.write(Event("RMCA2001W", "problem found", (("fault", "rmc-down"), ("episode", "E-1"))), at - timedelta(hours=3))
    kept.write(Event("RMCA2002N", "problem gone", (("fault", "rmc-down"), ("episode", "E-1"))), at - timedelta(minutes=5))
    return configured(folder, f"paths: {{state: {state}}}\n")


def test_history_tells_what_was_kept(tmp_path: Path, capsys: Capture) -> None:
    path = kept_events(tmp_path)

    assert main(["history", "--config", path]) == 0
    whole = capsys.readouterr().out
    assert main(["history", "--since", "1h", "--config", path]) == 0
    newest = capsys.readouterr().out
    assert main(["history", "--json", "--config", path]) == 0
    told = json.loads(capsys.readouterr().out)

    assert "RMCA2001W" in whole and "RMCA2002N" in whole
    assert "RMCA2001W" not in newest and "RMCA2002N" in newest
    assert [event["code"] for event in told["events"]] == ["RMCA2001W", "RMCA2002N"]


def test_history_is_drawn_into_a_file(tmp_path: Path, capsys: Capture) -> None:
    picture = tmp_path / "h.svg"

    assert main(["history", "--config", kept_events(tmp_path), "--svg", str(picture)]) == 0

    assert picture.read_text("ascii").startswith("<svg") and capsys.readouterr().out == ""


def test_following_tells_what_is_there_and_ends_well_with_ctrl_c(tmp_path: Path, monkeypatch: Patch, capsys: Capture) -> None:
    def interrupt(self: Any, seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SystemClock, "sleep", interrupt)

    assert main(["history", "--follow", "--since", "1d", "--config", kept_events(tmp_path)]) == 0

    assert "RMCA2002N" in capsys.readouterr().out


@pytest.mark.real
def test_what_comes_is_told_as_it_comes_until_nobody_reads(tmp_path: Path) -> None:
    path = kept_events(tmp_path)
    words = ["history", "--follow", "--json", "--since", "1h", "--config", path]
    following = subprocess.Popen([sys.executable, "-m", "rmcagent", *words],
                                 stdout=subprocess.PIPE, env={"PYTHONPATH": str(AGENT)}, text=True)
    assert following.stdout is not None
    before = json.loads(following.stdout.readline())

    # By a clock that was set back: what just came is news all the same.
    Kept(str(tmp_path / "state")).write(Event("RMCA1002I", "stopped"), datetime.now(timezone.utc) - timedelta(days=2))
    came = json.loads(following.stdout.readline())
    following.stdout.close()

    assert (before["code"], came["code"], following.wait(20)) == ("RMCA2002N", "RMCA1002I", 0)


@pytest.mark.parametrize("argv, said", [
    (["--since", "yesterday"], "cannot tell since yesterday: give how long ago"),
    (["--json", "--svg", "x.svg"], "cannot take --svg with --json: write one of them"),
    (["--follow", "--svg", "x.svg"], "cannot take --svg with --follow: write one of them"),
])
def test_history_that_cannot_be_told_gets_a_sentence(argv: List[str], said: str, tmp_path: Path, capsys: Capture) -> None:
    assert main(["history", *argv, "--config", kept_events(tmp_path)]) == 2

    assert capsys.readouterr().err.startswith(f"rmcagent: {said}")


# ---- why

ENTRY = {"at": "2026-05-04T12:00:28+00:00", "kind": "wait", "fault": "link-down"}
ENTRIES = [{**ENTRY, "episode": "E-1"}, {**ENTRY, "episode": "E-2"}, {**ENTRY, "episode": "E-2"}]


def test_why_tells_the_last_decision_or_an_episodes(public: Path, capsys: Capture) -> None:
    publish(public, why=ENTRIES)

    assert (main(["why"]), main(["why", "E-2"]), main(["why", "E-2", "--json"])) == (0, 0, 0)

    out = capsys.readouterr().out
    assert out.count("E-2 link-down wait\n") == 3
    assert json.loads(out[out.index("["):]) == [{**entry, "over": "over"} for entry in ENTRIES[1:]]


def test_why_tells_what_is_decided_now_where_nothing_was_written_of_it(public: Path, capsys: Capture) -> None:
    due = {"kind": "wait", "remedy": "start", "because": "start is next", "until": "2026-05-04T14:00:00+00:00"}
    publish(public, why=[], decision={**due, "fault": "rmc-stopped"})

    assert main(["why"]) == 0

    assert capsys.readouterr().out.startswith("* 2026-05-04T12:00:28+00:00 rmc-stopped start is due at 14:00:00: start is next\n")


@pytest.mark.parametrize("facts, argv, code, said", [
    ({"why": ENTRIES}, ["why", "E-9"], 1, "rmcagent: cannot find episode E-9: known are E-1, E-2\n"),
    ({"why": []}, ["why"], 0, "nothing was decided yet: no finding has asked for it\n"),
    ({"verdict": "not-running"}, ["why"], 7, "rmcagent: cannot tell why: the agent is not running"),
    (None, ["why"], 7, "rmcagent: cannot tell why: the agent is not running"),
])
def test_why_says_what_it_has_not_got(
    facts: Optional[Dict[str, Any]], argv: List[str], code: int, said: str, public: Path, capsys: Capture,
) -> None:
    if facts is not None:
        publish(public, **facts)

    assert main(argv) == code

    told = capsys.readouterr()
    assert (told.out + told.err).startswith(said)


# ---- what is passed on to the daemon

def test_a_full_disk_is_told_with_where_and_what_mends_it(daemon: Daemon, tmp_path: Path, capsys: Capture) -> None:
    path = configured(tmp_path, "paths: {state: /var/rmcagent}\n")
    daemon.raises = OSError(errno.ENOSPC, "No space left on device")

    assert main(["pause", "--for", "1h", "--reason", "x", "--config", path]) == 1

    assert capsys.readouterr().err == ("rmcagent: cannot pause: cannot write into /var/rmcagent: No space left on device; make "
                                       "room there, rmcagent doctor tells what takes it\n")


class Daemon:
    """Stands for rmcagent.daemon and keeps what it was asked."""

    class Locked(Exception):
        pass

    def __init__(self) -> None:
        self.asked: List[Any] = []
        self.answer: Dict[str, Any] = {"ok": True, "text": "done", "exit": 0}
        self.raises: Optional[BaseException] = None

    def ask(self, settings: config.Settings, request: Dict[str, Any]) -> Dict[str, Any]:
        self.asked.append(request)
        if self.raises:
            raise self.raises
        return self.answer

    def run(self, loaded: config.Loaded, path: str) -> int:
        self.asked.append(path)
        if self.raises:
            raise self.raises
        return 0

    def plan(self, loaded: config.Loaded, path: str, told: Optional[Dict[str, Any]]) -> Dict[str, Any]:
        self.asked.append(told)
        return document(decision={"kind": "wait", "because": "too early"}, **self.answer)


@pytest.fixture
def daemon(monkeypatch: Patch) -> Daemon:
    import rmcagent

    made = Daemon()
    monkeypatch.setattr(rmcagent, "daemon", made, raising=False)
    monkeypatch.setitem(sys.modules, "rmcagent.daemon", made)
    return made


def test_pause_resume_and_reload_are_asked_of_the_daemon(daemon: Daemon, tmp_path: Path, capsys: Capture) -> None:
    path, who = configured(tmp_path), "root" if os.geteuid() == 0 else f"uid {os.geteuid()}"

    codes = [main([*argv, "--config", path]) for argv in (
        ["pause", "--for", "2h", "--reason", "LPM\nweek \x1b[2J"], ["resume"], ["reload"],
    )]

    assert codes == [0, 0, 0]
    pause = {"do": "pause", "for": 7200.0, "reason": "LPM week \\x1b[2J", "by": who}
    assert daemon.asked == [pause, {"do": "resume"}, {"do": "reload"}]
    assert capsys.readouterr().out == "done\n" * 3


def test_a_remedy_is_asked_of_the_daemon(daemon: Daemon, tmp_path: Path, capsys: Capture) -> None:
    path, who = configured(tmp_path), "root" if os.geteuid() == 0 else f"uid {os.geteuid()}"
    daemon.answer = {"ok": True, "text": "would begin refresh:\nrmcctrl -p\x1b", "exit": 0}

    assert main(["heal", "refresh", "--dry-run", "--config", path]) == 0

    assert daemon.asked == [{"do": "heal", "remedy": "refresh", "dry_run": True, "by": who}]
    assert capsys.readouterr().out == "would begin refresh:\nrmcctrl -p\\x1b\n"


def test_who_asks_is_named_though_it_be_through_sudo(daemon: Daemon, tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setenv("SUDO_USER", "operator\x1b")

    main(["heal", "recycle", "--config", configured(tmp_path)])

    assert daemon.asked[0]["by"] == "operator\\x1b" and daemon.asked[0]["dry_run"] is False


@pytest.mark.parametrize("code", [11, 12])
def test_a_remedy_that_is_refused_says_all_that_holds_it(code: int, daemon: Daemon, tmp_path: Path, capsys: Capture) -> None:
    daemon.answer = {"ok": False, "text": "refused\nbudget: spent", "exit": code}

    assert main(["heal", "recycle", "--config", configured(tmp_path)]) == code

    assert capsys.readouterr().err == "rmcagent: cannot heal: refused\nrmcagent: budget: spent\n"


@pytest.mark.parametrize("argv, said", [
    (["heal"], "cannot heal: name a remedy, one of refresh, start, "),
    (["heal", "recicle"], 'cannot heal by recicle: unknown remedy, did you mean "recycle"?'),
    (["heal", "refresh", "recycle"], "cannot run heal with recycle: too many arguments"),
])
def test_a_remedy_that_is_none_gets_a_sentence(argv: List[str], said: str, capsys: Capture) -> None:
    assert main(argv) == 2

    assert capsys.readouterr().err.startswith(f"rmcagent: {said}")


def test_what_the_daemon_declines_is_said_with_its_code(daemon: Daemon, tmp_path: Path, capsys: Capture) -> None:
    daemon.answer = {"ok": False, "text": "the daemon is not running", "exit": 7}

    assert main(["resume", "--config", configured(tmp_path)]) == 7

    assert capsys.readouterr().err == "rmcagent: cannot resume: the daemon is not running\n"


@pytest.mark.parametrize("argv, said", [
    (["pause"], 'cannot pause: say for how long and why, as in rmcagent pause --for 2h --reason "LPM week"'),
    (["pause", "--for", "2h"], "cannot pause: say for how long and why"),
    (["pause", "--for", "2h", "--reason", "  "], "cannot pause: say for how long and why"),
    (["pause", "--for", "2", "--reason", "x"], "cannot pause for 2: it has no unit"),
    (["pause", "--for", "0s", "--reason", "x"], "cannot pause for 0s: it must be over 0s and at most 365d"),
    (["pause", "--for", "366d", "--reason", "x"], "cannot pause for 366d: it must be over 0s and at most 365d"),
    (["pause", "--for", "9" * 40 + "d", "--reason", "x"], "cannot pause for 999"),
    (["pause", "--for"], "cannot take --for: it needs a value"),
    (["stauts"], 'cannot run stauts: unknown verb, did you mean "status"?'),
    (["status", "--jsn"], 'cannot run status with --jsn: unknown option, did you mean "--json"?'),
    (["status", "--reason", "x"], "cannot run status with --reason: unknown option"),
    (["status", "--json=yes"], "cannot take --json=yes: --json has no value"),
    (["plan", "today"], "cannot run plan with today: too many arguments, write rmcagent plan --json"),
    (["config", "chek"], 'cannot run config chek: unknown verb, did you mean "config check"?'),
    (["config"], 'cannot run config: unknown verb, did you mean "config '),
    (["\x1b[2J\n"], "cannot run \\x1b[2J"),
    ([], "cannot tell what to do: give a verb"),
])
def test_a_slip_gets_one_sentence_with_a_suggestion(argv: List[str], said: str, capsys: Capture) -> None:
    assert main(argv) == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"rmcagent: {said}") and "\x1b" not in told.err


def test_run_hands_the_configuration_to_the_daemon(daemon: Daemon, tmp_path: Path) -> None:
    path = configured(tmp_path)

    assert main(["--config", path, "run"]) == 0

    assert daemon.asked == [path]


@pytest.mark.parametrize("raised, code, said", [
    (PermissionError("cannot start: only root may run the daemon"), 4, "cannot start: only root may run the daemon"),
    (PermissionError(13, "Permission denied", "/var/lib/rmcagent"), 4, "cannot use /var/lib/rmcagent: Permission denied"),
    (FileNotFoundError(2, "No such file or directory", "/x\x1b"), 1, "cannot use /x\\x1b: No such file or directory"),
    (OSError(28, "No space left on device"), 1, "cannot go on: No space left on device"),
    (Daemon.Locked("cannot start: another rmcagent is running (pid 9)"), 1, "cannot start: another rmcagent is running (pid 9)"),
    (ZeroDivisionError("division by zero"), 1, "cannot go on: ZeroDivisionError: division by zero; please report"),
])
def test_whatever_goes_wrong_is_one_sentence(
    raised: Exception, code: int, said: str, daemon: Daemon, tmp_path: Path, capsys: Capture,
) -> None:
    daemon.raises = raised

    assert main(["run", "--config", configured(tmp_path)]) == code

    assert capsys.readouterr().err == f"rmcagent: {said}\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_whoever_ends_a_command_withdraws_what_it_asked_for(
    number: signal.Signals, daemon: Daemon, tmp_path: Path, capsys: Capture, monkeypatch: Patch,
) -> None:
    """As Ctrl-C does, and only once: a second signal must not keep it from withdrawing."""
    withdrawn: List[str] = []
    numbers = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)

    def unheard(number: int, frame: Any) -> None:
        withdrawn.append("unheard")

    def ask(*words: Any) -> Dict[str, Any]:
        try:
            signal.raise_signal(number)
        finally:
            signal.raise_signal(signal.SIGHUP)
            withdrawn.append("withdrawn")
        return {"ok": True, "text": "done", "exit": 0}

    monkeypatch.setattr(daemon, "ask", ask)
    before = [signal.signal(one, unheard) for one in numbers]
    try:
        code = main(["heal", "refresh", "--config", configured(tmp_path)])
    finally:
        after = [signal.signal(one, handler) for one, handler in zip(numbers, before)]

    assert after == [unheard, unheard, unheard]
    assert (code, withdrawn, capsys.readouterr()) == (128 + number, ["withdrawn"], ("", ""))


def test_who_ignores_the_end_of_his_terminal_waits_on(daemon: Daemon, tmp_path: Path, monkeypatch: Patch) -> None:
    def ask(*words: Any) -> Dict[str, Any]:
        signal.raise_signal(signal.SIGHUP)
        return {"ok": True, "text": "done", "exit": 0}

    monkeypatch.setattr(daemon, "ask", ask)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        code = main(["heal", "refresh", "--config", configured(tmp_path)])
    finally:
        signal.signal(signal.SIGHUP, before)

    assert code == 0


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_a_terminal_cannot_spell_is_escaped_and_ends_no_command(
    encoding: str, daemon: Daemon, tmp_path: Path, monkeypatch: Patch,
) -> None:
    strange = tmp_path / "\u4e2d\udce9.yaml"
    Path(configured(tmp_path)).replace(strange)
    daemon.answer = {"ok": True, "text": "begun: refresh: hmc-\u4e2d\u6587\xe9 \u202e", "exit": 0}
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict") for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)

    codes = [main([*words, "--config", str(strange)]) for words in (["heal", "refresh"], ["config", "check"])]
    print("\u4e2d", end="")
    refused = main(["heal", "\u4e2d\udce9\xe9"]), main(["config", "check", "--config", "/\u4e2d"])
    for stream in (out, err):
        stream.flush()

    told, first = out.buffer.getvalue().decode("ascii"), err.buffer.getvalue().decode("ascii")  # type: ignore[attr-defined]
    assert (codes, refused) == ([0, 0], (2, 6))
    assert told.startswith("begun: refresh: hmc-\\u4e2d\\u6587\\xe9 \\u202e\nOK: ") and told.endswith("\\u4e2d")
    assert "\\u4e2d\\udce9.yaml (1 file), policy" in told and "heal by \\u4e2d\\udce9\\xe9:" in first


def test_ctrl_c_is_quiet(daemon: Daemon, tmp_path: Path, capsys: Capture) -> None:
    daemon.raises = KeyboardInterrupt()

    assert main(["run", "--config", configured(tmp_path)]) == 130

    assert capsys.readouterr().err == ""


def test_plan_prints_what_the_daemon_would_do(daemon: Daemon, tmp_path: Path, capsys: Capture) -> None:
    path = configured(tmp_path)

    assert (main(["plan", "--config", path]), main(["plan", "--json", "--config", path])) == (10, 10)

    out = capsys.readouterr().out
    assert out.startswith("* plan: wait: too early\n")
    assert json.loads(out[out.index("{"):])["decision"]["kind"] == "wait"


@pytest.mark.parametrize("facts, fresh, verdict", [
    ({"verdict": "degraded"}, True, "degraded"),
    ({"monotonic": time.monotonic() - 1000}, False, "unknown"),
    ({"pid": 2 ** 22 + 1}, False, "not-running"),
])
def test_plan_hears_a_daemon_only_while_its_look_is_fresh(
    facts: Dict[str, Any], fresh: bool, verdict: str, daemon: Daemon, public: Path, tmp_path: Path, capsys: Capture,
    monkeypatch: Patch,
) -> None:
    publish(public, **facts)
    monkeypatch.setattr("rmcagent.command.here.public", files.public)

    main(["plan", "--json", "--config", configured(tmp_path)])

    told = json.loads(capsys.readouterr().out)["daemon"]
    assert (told["fresh"], told["verdict"]) == (fresh, verdict)
    assert (daemon.asked[-1] or {}).get("verdict") == (verdict if fresh else None)


# ---- configuration, help, version

def test_config_check_approves_with_the_policys_hash(tmp_path: Path, capsys: Capture) -> None:
    path = configured(tmp_path, "remedies: {refresh: {settle: 1m}}\n")

    assert main(["config", "check", "--config", path]) == 0

    told = capsys.readouterr()
    assert told.out.startswith(f"OK: {path} (1 file), policy ")
    assert told.err.startswith(f"rmcagent: warning: {path}:1: ")


def test_config_check_tells_every_mistake(tmp_path: Path, capsys: Capture) -> None:
    path = configured(tmp_path, "mode: dance\ncadense: {}\n")

    assert main(["config", "check", "--config", path]) == 6

    told = capsys.readouterr()
    assert told.out == ""
    assert [line.split(": ")[1] for line in told.err.splitlines()] == [f"{path}:1", f"{path}:2"]


@pytest.mark.parametrize("argv", [["run"], ["plan"], ["reload"], ["status"], ["why"]])
def test_a_configuration_that_is_named_but_missing_is_invalid(argv: List[str], tmp_path: Path) -> None:
    assert main([*argv, "--config", str(tmp_path / "none.yaml")]) == 6


@pytest.mark.parametrize("argv", [["--help"], ["-h"], ["status", "--help"], ["config", "check", "-h"]])
def test_help_fits_80_columns_and_shows_an_example(argv: List[str], capsys: Capture) -> None:
    assert main(argv) == 0

    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert all(verb.example in out for name, verb in cli.VERBS.items() if argv[0].startswith("-") or name == " ".join(argv[:-1]))


def test_every_verb_has_a_line_and_an_example_that_can_be_typed() -> None:
    import shlex

    for name, verb in cli.VERBS.items():
        words = shlex.split(verb.example)
        assert verb.does and words[0] == "rmcagent"
        if name != "demo":
            asked = arguments.parsed(words[1:], cli.VERBS)
            assert asked is not None and asked.verb == name


def test_the_version_is_told(capsys: Capture) -> None:
    assert main(["--version"]) == 0

    assert capsys.readouterr().out == f"rmcagent {__version__}\n"


# ---- as a process

def python(*argv: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-S", *argv], stdout=stdout, stderr=subprocess.PIPE, env={"PYTHONPATH": f"{AGENT}:{VENDOR}"}, text=True,
        timeout=60, check=False,
    )


def nowhere(folder: Path) -> List[str]:
    """Options that name a configuration with whose folders no daemon runs."""
    policy = folder / "rmcagent.yaml"
    policy.write_text(f"paths: {{state: {folder}/state, public: {folder}/public}}\n")
    policy.chmod(0o600)
    return ["--config", str(policy)]


@pytest.mark.real
@pytest.mark.parametrize("argv, closed, code", [
    (["statsu"], 2, 2), (["check", "--config", "/none.yaml"], 1, 3), (["--help"], 1, 0),
])
def test_what_the_caller_closed_changes_no_exit_code(argv: List[str], closed: int, code: int) -> None:
    script = f'exec "$@" {closed}>&-'

    ran = subprocess.run(["/bin/sh", "-c", script, "sh", sys.executable, "-S", "-m", "rmcagent", *argv],
                         env={"PYTHONPATH": str(AGENT)}, capture_output=True, text=True, timeout=60, check=False)

    assert (ran.returncode, ran.stdout, ran.stderr) == (code, "", "")


@pytest.mark.real
def test_a_reader_that_goes_away_is_no_trouble() -> None:
    reader, writer = os.pipe()
    os.close(reader)

    ran = python("-m", "rmcagent", "--help", stdout=writer)

    os.close(writer)
    assert (ran.returncode, ran.stderr) == (141, "")


@pytest.mark.real
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("argv", [["--help"], ["status"]])
def test_a_full_disk_gets_a_sentence(argv: List[str], tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        ran = python("-m", "rmcagent", *argv, *nowhere(tmp_path), stdout=full.fileno())

    assert (ran.returncode, ran.stderr) == (1, "rmcagent: cannot go on: No space left on device\n")


@pytest.mark.real
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("argv", [["check"], ["check", "--config", "/none.yaml"], ["--config", "/none.yaml", "check"]])
def test_a_plug_in_whose_line_cannot_be_written_is_unknown_and_not_critical(argv: List[str]) -> None:
    with open("/dev/full", "w") as full:
        ran = python("-m", "rmcagent", *argv, stdout=full.fileno())

    assert (ran.returncode, ran.stderr) == (3, "")


@pytest.mark.real
def test_a_plug_in_that_cannot_even_be_asked_has_told_so_when_it_ends() -> None:
    ran = python("-m", "rmcagent", "check", "--config", "/none.yaml")

    assert (ran.returncode, ran.stdout.splitlines()[0][:12], ran.stderr) == (3, "RMC UNKNOWN:", "")


@pytest.mark.real
@pytest.mark.parametrize("argv, code, said", [
    (["status"], 3, "* rmcagent: not-running: nothing was published in {}/public\n"),
    (["check"], 2, "RMC CRITICAL: not-running: nothing was published, the daemon never ran here -> start rmcagent\n"),
])
def test_what_only_reads_has_told_all_when_it_ends(argv: List[str], code: int, said: str, tmp_path: Path) -> None:
    ran = python("-m", "rmcagent", *argv, *nowhere(tmp_path))

    assert (ran.returncode, ran.stdout, ran.stderr) == (code, said.format(tmp_path), "")


@pytest.mark.real
def test_the_module_is_the_command() -> None:
    ran = python("-m", "rmcagent", "statsu")

    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == 'rmcagent: cannot run statsu: unknown verb, did you mean "status"?\n'
