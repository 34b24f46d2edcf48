"""Requests to the daemon as files: carried out once, answered, and whatever else lies there does no harm; and its folders."""
from __future__ import annotations

import fcntl
import io
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Tuple

import pytest

from rmcagent import config, daemon, folders, inbox, lives, lock
from rmcagent.clock import SystemClock
from rmcagent.daemon import Daemon
from rmcagent.inbox import ANSWERED_A_TURN, MAY_BE_DONE, MOST_LEFT_BEHIND, NOT_DONE, REQUEST_BYTES, Claim, Inbox, Unfit, Withdrawn
from rmcagent.ledger import Ledger
from rmcagent.life import Life
from rmcagent.partition.host import SystemHost

AGENT = str(Path(daemon.__file__).parents[1])
DONE: Dict[str, Any] = {"ok": True, "text": "done", "exit": 0}
PATIENCE = 10.0
BOOT = "boot-1"


class Desk:
    """The daemon's end of a folder; what was carried out is in `did`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "inbox"
        self.folder.mkdir()
        self.inbox = Inbox(str(self.folder), SystemClock())
        self.considered: List[Mapping[str, Any]] = []
        self.did: List[Mapping[str, Any]] = []

    def carry_out(self, request: Mapping[str, Any], claim: Claim) -> Dict[str, Any]:
        self.considered.append(request)
        claim()
        self.did.append(request)
        return DONE

    def turn(self) -> None:
        self.inbox.answer(self.carry_out, BOOT)

    def put(self, name: str, content: bytes = b'{"do": "resume"}', boot: str = BOOT, seconds: float = PATIENCE) -> Path:
        """What is asked, by somebody of that boot who waits for so long; what is no mapping as it is."""
        sender = f'"boot": "{boot}", "until": {time.monotonic() + seconds}, '.encode("ascii")
        path = self.folder / f"{name}.request"
        path.write_bytes(content[:1] + sender + content[1:] if content[:2] == b'{"' else content)
        return path

    def ask(self, knock: Callable[[], None], seconds: float = PATIENCE) -> Dict[str, Any]:
        return inbox.ask(str(self.folder), {"do": "resume"}, BOOT, knock, SystemClock(), seconds)

    def told(self, name: str) -> Dict[str, Any]:
        answer: Dict[str, Any] = json.loads((self.folder / f"{name}.answer").read_bytes())
        return answer

    def names(self) -> List[str]:
        return sorted(os.listdir(self.folder))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


# ---- asking and answering

def test_a_request_is_carried_out_once_and_answered(desk: Desk) -> None:
    desk.put("1-a", b'{"do": "pause", "for": 60}')

    desk.turn()
    desk.turn()

    assert desk.did == [{"do": "pause", "for": 60}]
    assert (desk.told("1-a"), desk.names()) == (DONE, ["1-a.answer"])


def test_who_asks_gets_the_answer_and_leaves_nothing_behind(desk: Desk) -> None:
    answer = desk.ask(desk.turn)

    assert (answer, desk.did, desk.names()) == (DONE, [{"do": "resume"}], [])


def test_a_request_that_nobody_answers_is_withdrawn(desk: Desk) -> None:
    answer = desk.ask(lambda: None, 0.05)
    desk.turn()

    assert (answer, desk.did, desk.names()) == (NOT_DONE, [], [])


def test_a_stale_answer_is_never_taken_for_ours(desk: Desk) -> None:
    for name in (f"{os.getpid()}.answer", f"{os.getpid()}-0.answer"):
        (desk.folder / name).write_text('{"ok": true, "text": "of yesterday", "exit": 0}')
    seen: List[str] = []

    def turn() -> None:
        seen.extend(name for name in desk.names() if name.endswith(".request"))
        desk.turn()

    answers = [desk.ask(turn) for _ in range(2)]

    assert answers == [DONE, DONE]
    assert len(set(seen)) == 2 and all(name.startswith(f"{os.getpid()}-") for name in seen)


def nonsense(path: Path) -> None:
    path.write_text("[]")


def half_an_answer(path: Path) -> None:
    path.write_text('{"ok": true, "te')


def a_text_that_is_none(path: Path) -> None:
    path.write_text('{"ok": true, "text": 7, "exit": 0}')


def endless(path: Path) -> None:
    path.write_bytes(json.dumps({**DONE, "text": "x" * REQUEST_BYTES}).encode())


def somebody_elses(path: Path) -> None:
    path.write_text(json.dumps(DONE))
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(path, 12345, -1)


def an_answer_elsewhere(path: Path) -> None:
    (path.parent.parent / "elsewhere").write_text(json.dumps(DONE))
    path.symlink_to(path.parent.parent / "elsewhere")


@pytest.mark.parametrize("plant", [
    os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir, an_answer_elsewhere, nonsense, half_an_answer,
    a_text_that_is_none, endless, somebody_elses,
], ids=["fifo", "device", "folder", "link", "nonsense", "unfinished", "no text", "too long", "of another"])
def test_what_is_no_whole_answer_of_the_daemons_is_none_yet(plant: Callable[[Path], None], desk: Desk) -> None:
    def in_the_answers_place() -> None:
        (request,) = desk.folder.glob("*.request")
        plant(request.with_suffix(".answer"))

    answer = desk.ask(in_the_answers_place, 0.05)

    assert answer["ok"] is False and "in time" in answer["text"]


def test_an_answer_that_is_still_being_written_is_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def begin() -> None:
        (request,) = desk.folder.glob("*.request")
        half_an_answer(request.with_suffix(".answer"))
        monkeypatch.setattr(clock, "sleep", lambda seconds: request.with_suffix(".answer").write_text(json.dumps(DONE)))

    clock = SystemClock()
    answer = inbox.ask(str(desk.folder), {"do": "resume"}, BOOT, begin, clock, PATIENCE)

    assert answer == DONE


def test_what_an_earlier_daemon_left_is_neither_carried_out_nor_kept(desk: Desk, tmp_path: Path) -> None:
    desk.put("1-a")
    (desk.folder / "2-b.answer").write_text("{}")
    (desk.folder / "3-c.request").symlink_to(tmp_path)
    os.mkfifo(desk.folder / "4-d.request")
    (desk.folder / "5-e.request").mkdir()

    desk.inbox.empty()
    desk.turn()

    assert (desk.did, desk.names(), tmp_path.is_dir()) == ([], [], True)


# ---- whoever asked waits no more

@pytest.mark.parametrize("boot, seconds", [(BOOT, -0.001), (BOOT, 7200.0), ("boot-0", PATIENCE), ("", PATIENCE)],
                         ids=["too late", "of no clock of ours", "another boot", "no boot"])
def test_what_nobody_of_this_boot_waits_for_is_not_carried_out(boot: str, seconds: float, desk: Desk) -> None:
    desk.put("1-a", boot=boot, seconds=seconds)

    desk.turn()

    assert desk.considered == [] and not list(desk.folder.glob("*.taken"))


@pytest.mark.parametrize("until", ["null", "true", '"9"', "NaN", "Infinity", "[]"])
def test_a_request_that_says_no_end_is_refused(until: str, desk: Desk) -> None:
    (desk.folder / "1-a.request").write_text(f'{{"do": "resume", "boot": "{BOOT}", "until": {until}}}')

    desk.turn()

    assert desk.did == [] and "not of this boot" in desk.told("1-a")["text"]


def withdraw(desk: Desk, path: Path) -> None:
    path.unlink()


def let_its_time_pass(desk: Desk, path: Path) -> None:
    now = time.monotonic()
    desk.inbox.clock.monotonic = lambda: now + 2 * PATIENCE  # type: ignore[method-assign]


@pytest.mark.parametrize("happens, left", [(withdraw, []), (let_its_time_pass, ["1-a.answer"])])
def test_what_is_withdrawn_while_it_is_considered_is_not_begun(
        happens: Callable[[Desk, Path], None], left: List[str], desk: Desk) -> None:
    desk.put("1-a")

    def carry_out(request: Mapping[str, Any], claim: Claim) -> Dict[str, Any]:
        happens(desk, desk.folder / "1-a.taken")
        return desk.carry_out(request, claim)

    desk.inbox.answer(carry_out, BOOT)

    assert (desk.did, desk.names()) == ([], left)


def test_what_the_daemon_came_to_too_late_is_told_truly(desk: Desk) -> None:
    def at_the_last_moment(name: str) -> bool:
        desk.turn()
        return withdrawn(name)

    withdrawn = inbox._withdrawn
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inbox, "_withdrawn", at_the_last_moment)
        answer = desk.ask(lambda: None, 0.05)

    assert (answer["text"], desk.did) == ("it was not carried out: the daemon came to it too late", [])


def test_who_gives_up_while_it_is_considered_is_told_truly_that_nothing_was_done(desk: Desk) -> None:
    with asking(desk, 0.1) as told:
        def carry_out(request: Mapping[str, Any], claim: Claim) -> Dict[str, Any]:
            told.result()
            return desk.carry_out(request, claim)

        desk.inbox.answer(carry_out, BOOT)

    assert (told.result(), desk.did) == (NOT_DONE, [])


def test_who_gives_up_once_it_is_carried_out_is_told_that_it_may_be(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "CLAIMED_SECONDS", 0.05)

    with asking(desk, 0.1) as told:
        def carry_out(request: Mapping[str, Any], claim: Claim) -> Dict[str, Any]:
            claim()
            told.result()
            return DONE

        desk.inbox.answer(carry_out, BOOT)

    assert told.result() == MAY_BE_DONE


def test_what_is_carried_out_is_waited_for_a_little_longer(desk: Desk) -> None:
    with asking(desk, 0.1) as told:
        def carry_out(request: Mapping[str, Any], claim: Claim) -> Dict[str, Any]:
            claim()
            while time.monotonic() < began + 0.2:
                time.sleep(0.02)
            return DONE

        began = time.monotonic()
        desk.inbox.answer(carry_out, BOOT)

    assert told.result() == DONE


@contextmanager
def asking(desk: Desk, seconds: float) -> Iterator[Future[Dict[str, Any]]]:
    """A client whose request lies there already."""
    with ThreadPoolExecutor(1) as pool:
        told = pool.submit(desk.ask, lambda: None, seconds)
        while not any(name.endswith(".request") for name in desk.names()):
            time.sleep(0.01)
        yield told


@pytest.mark.parametrize("ends", [KeyboardInterrupt, SystemExit])
def test_however_a_client_ends_its_request_is_withdrawn(ends: Any, desk: Desk) -> None:
    def end() -> None:
        raise ends

    with pytest.raises(ends):
        desk.ask(end)
    desk.turn()

    assert (desk.did, desk.names()) == ([], [])


# ---- what may lie there

def fifo(path: Path) -> None:
    os.mkfifo(path)


def link_to_a_request(path: Path) -> None:
    (path.parent.parent / "elsewhere").write_text('{"do": "resume"}')
    path.symlink_to(path.parent.parent / "elsewhere")


def listener(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def full_folder(path: Path) -> None:
    path.mkdir()
    (path / "file").touch()


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("plant", [fifo, link_to_a_request, listener, Path.mkdir, full_folder, device],
                         ids=lambda plant: getattr(plant, "__name__", ""))
def test_what_is_no_file_of_ours_neither_hangs_nor_raises_nor_keeps_others_waiting(plant: Callable[[Path], None],
                                                                                 desk: Desk) -> None:
    plant(desk.folder / "0-odd.request")
    desk.put("1-a")

    desk.turn()
    desk.turn()

    assert (desk.did, desk.told("1-a"), desk.told("0-odd")["ok"]) == ([{"do": "resume"}], DONE, False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_request_of_somebody_else_is_refused(desk: Desk) -> None:
    os.chown(desk.put("1-a"), 12345, -1)

    desk.turn()

    assert (desk.did, desk.names()) == ([], ["1-a.answer"])
    assert "not a regular file of the user who runs the agent" in desk.told("1-a")["text"]


@pytest.mark.parametrize("content", [
    b"", b"\x00", b"\xff\xfe", b"no json", b"[]", b"7", b"null", b'"pause"', b"[" * REQUEST_BYTES, b"7" * 9000,
    b" " * REQUEST_BYTES + b"{}",
], ids=lambda content: repr(content[:9]))
def test_what_is_no_request_is_answered_and_removed(content: bytes, desk: Desk) -> None:
    desk.put("1-a", content)

    desk.turn()

    assert (desk.did, desk.names()) == ([], ["1-a.answer"])
    assert desk.told("1-a")["ok"] is False and desk.told("1-a")["text"].startswith("it was not carried out: ")


@pytest.mark.parametrize("problem", [Unfit("x"), OSError(28, "No space left on device")], ids=repr)
def test_whatever_a_request_makes_go_wrong_is_its_answer(problem: Exception, desk: Desk) -> None:
    def carry_out(request: Mapping[str, Any], claim: Claim) -> Dict[str, Any]:
        raise problem

    desk.put("1-a")
    desk.inbox.answer(carry_out, BOOT)

    assert desk.told("1-a")["ok"] is False and desk.names() == ["1-a.answer"]


def test_other_names_do_not_use_up_the_turn(desk: Desk) -> None:
    for number in range(ANSWERED_A_TURN + 10):
        (desk.folder / f"0-{number:03}.answer").touch()
    desk.put("9-z")

    desk.turn()

    assert len(desk.did) == 1


def test_what_cannot_be_removed_does_not_use_up_the_turn_for_ever(desk: Desk) -> None:
    for number in range(ANSWERED_A_TURN):
        full_folder(desk.folder / f"0-{number:03}.request")
    desk.put("9-z")

    desk.turn()
    first = list(desk.did)
    desk.turn()

    assert (first, len(desk.did)) == ([], 1)


def test_a_turn_answers_a_bounded_number_and_the_next_one_the_rest(desk: Desk) -> None:
    for number in range(ANSWERED_A_TURN + 1):
        desk.put(f"1-{number:03}")

    desk.turn()
    first = len(desk.did)
    desk.turn()

    assert (first, len(desk.did)) == (ANSWERED_A_TURN, ANSWERED_A_TURN + 1)


def test_answers_that_nobody_fetches_do_not_pile_up(desk: Desk) -> None:
    for number in range(MOST_LEFT_BEHIND + 1):
        (desk.folder / f"0-{number:03}.answer").touch()
    desk.put("9-z")

    desk.turn()

    assert desk.names() == ["9-z.answer"]


def test_a_request_that_cannot_be_removed_is_not_carried_out(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.put("1-a")
    monkeypatch.setattr(inbox.os, "unlink", refusing)

    desk.turn()
    desk.turn()

    assert desk.did == [] and desk.told("1-a")["text"].startswith("it was not carried out: ")


def test_a_request_that_cannot_be_taken_is_told_so_once_and_not_carried_out(desk: Desk) -> None:
    desk.put("1-a")
    full_folder(desk.folder / "1-a.taken")

    desk.turn()
    told = desk.told("1-a")["text"]
    (desk.folder / "1-a.answer").unlink()
    desk.turn()

    assert desk.did == [] and "cannot be renamed" in told and desk.names() == ["1-a.request", "1-a.taken"]


def test_a_full_disk_costs_the_answer_only(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.put("1-a")
    desk.put("2-b")

    with monkeypatch.context() as patch:
        patch.setattr(inbox.os, "write", refusing)
        desk.turn()

    assert (len(desk.did), desk.names()) == (2, [])


def test_a_missing_inbox_is_made_again(desk: Desk) -> None:
    desk.folder.rmdir()

    desk.turn()
    made = stat.S_IMODE(desk.folder.stat().st_mode)
    desk.put("1-a")
    desk.turn()

    assert (made, len(desk.did)) == (0o700, 1)


def test_an_inbox_that_cannot_be_listed_or_made_is_no_reason_to_raise(desk: Desk) -> None:
    desk.folder.rmdir()
    desk.folder.write_text("")
    desk.turn()
    nowhere = Inbox(str(desk.folder / "below" / "a file"), SystemClock())

    nowhere.empty()
    nowhere.answer(desk.carry_out, BOOT)

    assert desk.did == []


# ---- what the daemon does with a request

@pytest.fixture
def living(tmp_path: Path) -> Iterator[Tuple[Daemon, List[Any]]]:
    """A daemon that was not begun, with a cycle that notes its pauses."""
    one = a_daemon(tmp_path)
    paused: List[Any] = []

    class Cycle:
        steady = one.clock

        def pause(self, until: Any, reason: str, by: str) -> None:
            paused.append((until, reason, by))

    one.cycle = Cycle()  # type: ignore[assignment]
    one.cycle.steady.shown = lambda moment: moment  # type: ignore[method-assign, assignment]
    one.ledger = Ledger(str(tmp_path / "ledger.jsonl"), one.clock, BOOT)
    one.cycle.ledger, one.cycle.emit = one.ledger, paused.append  # type: ignore[method-assign]
    one.life = Life(one.cycle, daemon._complain)
    yield one, paused
    for number in (one.wake, one._poke):
        os.close(number)


def a_daemon(folder: Path, **paths: str) -> Daemon:
    where = {"state": str(folder / "state"), "public": str(folder / "public"), **paths}
    policy = folder / "rmcagent.yaml"
    policy.write_text(json.dumps({"paths": where, "report": {"file": "off", "journal": "off", "errlog": "off"}}))
    return Daemon(config.parse(policy.read_text()), str(policy))


@pytest.mark.parametrize("length", ["NaN", "Infinity", "-Infinity", "1e999", "1" + "0" * 400, "0", "-1", "31536000.1", "null",
                                    "[]", '"soon"'])
def test_a_pause_that_has_no_end_within_a_year_is_refused(length: str, living: Tuple[Daemon, List[Any]], tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.put("1-a", f'{{"do": "pause", "reason": "x", "for": {length}}}'.encode())

    desk.inbox.answer(living[0]._answer, BOOT)

    assert (living[1], desk.told("1-a")["ok"]) == ([], False)


@pytest.mark.parametrize("length", [0.001, 3600, 365 * 86400])
def test_a_pause_of_up_to_a_year_is_taken(length: float, living: Tuple[Daemon, List[Any]]) -> None:
    one, paused = living

    answer = one._answer({"do": "pause", "for": length, "reason": "y" * 999}, lambda: None)

    assert (answer["ok"], [(reason, by) for _, reason, by in paused]) == (True, [("y" * 200, "")])


@pytest.mark.parametrize("request_", [{}, {"do": "dance"}, {"do": ["pause"]}, {"do": "pause"}], ids=str)
def test_what_the_daemon_does_not_do_is_refused(request_: Dict[str, Any], living: Tuple[Daemon, List[Any]]) -> None:
    with pytest.raises(Unfit):
        living[0]._answer(request_, lambda: None)

    assert living[1] == []


@pytest.mark.parametrize("what", ["pause", "resume", "reload"])
def test_what_was_withdrawn_meanwhile_the_daemon_does_not_do(what: str, living: Tuple[Daemon, List[Any]]) -> None:
    one, paused = living

    def withdrawn() -> None:
        raise Withdrawn

    with pytest.raises(Withdrawn):
        one._answer({"do": what, "for": 60}, withdrawn)

    assert paused == []


@pytest.mark.parametrize("mistake", [AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError])
def test_a_mistake_of_ours_ends_a_request_and_not_the_agent_and_is_counted(
        mistake: Any, living: Tuple[Daemon, List[Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, desk = living[0], Desk(tmp_path)

    def mistaken(request: Mapping[str, Any], claim: Claim) -> Dict[str, Any]:
        raise mistake("a bug")

    one._answer = mistaken  # type: ignore[method-assign]
    for _ in range(lives.CRASHES_ALLOWED):
        desk.put("1-a")
        desk.inbox.answer(one._carry_out, BOOT)

    assert desk.told("1-a") == {"ok": False, "exit": 1, "text": "a mistake of ours; rmcagent status tells whether it was begun"}
    assert lives.in_loop(one.ledger) and capsys.readouterr().err.count(f"{mistake.__name__}: ") == lives.CRASHES_ALLOWED


def test_a_mistake_of_ours_around_a_turn_ends_nothing_and_is_counted(
        living: Tuple[Daemon, List[Any]], capsys: pytest.CaptureFixture[str]) -> None:
    def mistaken() -> None:
        raise AttributeError("a bug")

    for _ in range(lives.CRASHES_ALLOWED):
        living[0]._spared(mistaken)

    assert lives.in_loop(living[0].ledger) and "AttributeError: a bug" in capsys.readouterr().err


def test_what_the_system_refuses_around_a_turn_ends_nothing_and_is_said_once(
        living: Tuple[Daemon, List[Any]], capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        living[0]._spared(refusing)

    assert capsys.readouterr().err == "rmcagent: cannot listen or tell: [Errno 28] No space left on device\n"


def test_a_standard_error_that_takes_nothing_ends_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        flush = refusing

    closed = io.StringIO()
    closed.close()
    for stream in (Full(), closed, None):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", stream)

            daemon._complain("something")


# ---- the folders

@pytest.mark.parametrize("below, mode", [("", 0o700), ("state/", 0o711)], ids=["apart", "public lies below"])
def test_folders_of_our_own_are_made_and_mended(below: str, mode: int, tmp_path: Path) -> None:
    state, box = tmp_path / "state", tmp_path / "state" / "inbox"
    folders.make_private(str(state), str(box), str(tmp_path / below / "public"))
    made = modes(state, box)
    state.chmod(0o777)
    box.chmod(0o1777)

    folders.make_private(str(state), str(box), str(tmp_path / below / "public"))

    assert made == modes(state, box) == [mode, 0o700]


@pytest.mark.parametrize("mask, mode", [(0, 0o755), (0o077, 0o700)])
def test_whatever_the_umask_is_nobody_else_may_write_where_our_folders_lie(mask: int, mode: int, tmp_path: Path) -> None:
    state, before = tmp_path / "a" / "b" / "state", os.umask(mask)
    try:
        folders.make_private(str(state), str(state / "inbox"), str(tmp_path / "public"))
    finally:
        os.umask(before)

    assert modes(tmp_path / "a", tmp_path / "a" / "b", state, state / "inbox") == [mode, mode, 0o700, 0o700]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("place", ["state", "state/inbox"])
def test_a_folder_of_somebody_else_is_refused_with_what_mends_it(place: str, tmp_path: Path) -> None:
    state, box = tmp_path / "state", tmp_path / "state" / "inbox"
    box.mkdir(parents=True)
    (tmp_path / place).chmod(0o775)
    os.chown(tmp_path / place, 12345, -1)

    with pytest.raises(PermissionError) as refused:
        folders.make_private(str(state), str(box), str(tmp_path / "public"))

    assert str(refused.value) == (f"cannot use {tmp_path / place}: its owner is uid 12345 (mode 0775), who could change it; "
                                  f"run: chown 0 {tmp_path / place}; chmod 700 {tmp_path / place}")
    assert modes(tmp_path / place) == [0o775]


def test_a_folder_of_root_that_others_may_write_is_refused_with_what_mends_it(tmp_path: Path,
                                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o770)
    if os.geteuid() != 0:
        pytest.skip("only root has folders of root's")
    monkeypatch.setattr(folders.os, "geteuid", lambda: 12345)

    with pytest.raises(PermissionError) as refused:
        folders.make_private(str(state), str(state / "inbox"), str(tmp_path / "public"))

    assert str(refused.value) == f"cannot use {state}: others may write it (owner uid 0, mode 0770); run: chmod 700 {state}"


@pytest.mark.parametrize("mode, trusted", [(0o755, True), (0o1777, True), (0o775, False), (0o757, False)])
def test_a_public_folder_that_others_may_write_is_refused_unless_sticky(mode: int, trusted: bool, tmp_path: Path) -> None:
    public = tmp_path / "public"
    folders.trust_public(str(public))
    public.mkdir()
    public.chmod(mode)

    said = ""
    try:
        folders.trust_public(str(public))
    except PermissionError as problem:
        said = str(problem)

    assert said == ("" if trusted else f"cannot publish in {public}: others may write it (owner uid {os.geteuid()}, "
                                       f"mode {mode:04o}); run: chmod 755 {public}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_public_folder_of_somebody_else_is_refused_with_what_mends_it(tmp_path: Path) -> None:
    public = tmp_path / "public"
    public.mkdir(mode=0o755)
    os.chown(public, 12345, -1)

    with pytest.raises(PermissionError) as refused:
        folders.trust_public(str(public))

    assert str(refused.value) == (f"cannot publish in {public}: its owner is uid 12345 (mode 0755), who could replace what is "
                                  f"published; run: chown 0 {public}; chmod 755 {public}")


# ---- whom a request may reach

@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Tuple[Daemon, Path]]:
    """A daemon that was not begun, and its state folder with an inbox and a lock in it."""
    one = a_daemon(tmp_path)
    state = tmp_path / "state"
    (state / "inbox").mkdir(parents=True, mode=0o700)
    state.chmod(0o700)
    (state / "lock").touch(0o600)
    yield one, state
    for number in (one.wake, one._poke):
        os.close(number)


@pytest.mark.parametrize("folder", ["state", "state/inbox"])
def test_nothing_is_asked_through_a_folder_that_others_may_write(folder: str, asked: Tuple[Daemon, Path], tmp_path: Path) -> None:
    (tmp_path / folder).chmod(0o1777)

    with pytest.raises(PermissionError, match=rf"cannot use {tmp_path / folder}: others may write it .* run: chmod 700 "):
        daemon.ask(asked[0].loaded.settings, {"do": "resume"})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("place, because", [
    ("state", "its owner is uid 12345"), ("state/inbox", "its owner is uid 12345"), ("state/lock", "owner uid 12345"),
])
def test_nothing_is_asked_of_whom_somebody_else_named(place: str, because: str, asked: Tuple[Daemon, Path],
                                                      tmp_path: Path) -> None:
    os.chown(tmp_path / place, 12345, -1)

    with pytest.raises(PermissionError, match=f"^cannot .*{tmp_path / place}: .*{because}"):
        daemon.ask(asked[0].loaded.settings, {"do": "resume"})


@pytest.mark.parametrize("plant", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/null")],
                         ids=["fifo", "folder", "link"])
def test_nothing_is_asked_by_a_lock_that_is_no_file(plant: Callable[[Path], None], asked: Tuple[Daemon, Path]) -> None:
    (asked[1] / "lock").unlink()
    plant(asked[1] / "lock")

    with pytest.raises(PermissionError, match="lock: it is not a regular file of root's or ours .* remove it"):
        daemon.ask(asked[0].loaded.settings, {"do": "resume"})


def a_stranger_got_its_number(host: SystemHost) -> str:
    born = host.born(os.getpid())
    return f"{os.getpid()} {int(born.split(' ')[0]) - 9} {host.boot()}\n"


@pytest.mark.parametrize("written", [
    lambda host: "0\n", lambda host: "-1\n", lambda host: "", lambda host: "nobody\n", lambda host: f"{os.getpid()}\n",
    lambda host: f"{os.getpid()} \n", a_stranger_got_its_number, lambda host: f"{os.getpid()} {host.born(os.getpid())}0\n",
    lambda host: f"4194305 {host.born(os.getpid())}\n", lambda host: f"0 {host.born(os.getpid())}\n",
], ids=["zero", "negative", "empty", "a word", "a number alone", "born never", "a stranger", "another boot", "gone", "ourselves"])
def test_a_lock_that_names_nobody_for_certain_signals_nobody_and_the_request_waits(
        written: Callable[[SystemHost], str], asked: Tuple[Daemon, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    signalled: List[int] = []
    (asked[1] / "lock").write_text(written(SystemHost()))

    answer = ask_while_held(asked, signalled, monkeypatch)

    assert (answer, signalled) == (NOT_DONE, [])


def test_whom_the_lock_names_for_certain_is_signalled(asked: Tuple[Daemon, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    signalled: List[int] = []
    os.close(lock.take(str(asked[1] / "lock"), SystemHost()))

    ask_while_held(asked, signalled, monkeypatch)

    assert signalled == [os.getpid()]


def ask_while_held(asked: Tuple[Daemon, Path], signalled: List[int], monkeypatch: pytest.MonkeyPatch) -> Dict[str, Any]:
    monkeypatch.setattr(daemon, "ANSWER_SECONDS", 0.05)
    settings = replace(asked[0].loaded.settings, cadence=replace(asked[0].loaded.settings.cadence, pulse=timedelta(0)))
    with open(asked[1] / "lock", "rb") as held, monkeypatch.context() as patch:
        fcntl.flock(held, fcntl.LOCK_EX)
        patch.setattr(os, "kill", lambda pid, number: signalled.append(pid))
        return daemon.ask(settings, {"do": "resume"})


def test_of_two_clients_none_takes_the_other_for_the_daemon(asked: Tuple[Daemon, Path]) -> None:
    """The lock was left by a daemon that was killed, and names whoever got its number."""
    path, host = str(asked[1] / "lock"), SystemHost()
    os.close(lock.take(path, host))

    with open(path, "rb") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        found = lock.holder(path, host)

    assert found is None and daemon.ask(asked[0].loaded.settings, {"do": "resume"})["exit"] == 7


def test_a_client_that_looks_whether_there_is_a_daemon_keeps_none_from_starting(
        asked: Tuple[Daemon, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(asked[1] / "lock")
    looking = os.open(path, os.O_RDWR)
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr(time, "sleep", lambda seconds: fcntl.flock(looking, fcntl.LOCK_UN))

    taken = lock.take(path, SystemHost())
    os.close(looking)

    assert lock.holder(path, SystemHost()) == os.getpid()
    os.close(taken)


def test_where_there_is_no_state_the_daemon_does_not_run(asked: Tuple[Daemon, Path]) -> None:
    shutil.rmtree(asked[1])

    assert daemon.ask(asked[0].loaded.settings, {"do": "resume"})["exit"] == 7


def test_the_daemon_refuses_before_it_takes_the_lock(tmp_path: Path) -> None:
    (tmp_path / "public").mkdir()
    (tmp_path / "public").chmod(0o777)
    one = a_daemon(tmp_path)

    with pytest.raises(PermissionError, match="cannot publish in"):
        one.run()

    assert not (tmp_path / "state" / "lock").exists()


# ---- the real daemon

@pytest.mark.real
def test_a_daemon_among_odd_files_starts_afresh_answers_wakes_and_stops(tmp_path: Path) -> None:
    one = a_daemon(tmp_path, public=str(tmp_path / "above" / "public"))
    for number in (one.wake, one._poke):
        os.close(number)
    box = tmp_path / "state" / "inbox"
    box.mkdir(parents=True)
    (tmp_path / "state").chmod(0o777)
    (tmp_path / "state" / "deed-1.json").touch()
    (box / "1.request").write_text('{"do": "pause", "for": 3600, "reason": "of yesterday"}')
    (box / "1.answer").write_text("{}")
    running = start(tmp_path)
    try:
        until(lambda: (tmp_path / "above" / "public" / "status.json").exists(), running)
        mask = Path(f"/proc/{running.pid}/status")
        umask = mask.read_text().split("Umask:")[1].split()[0] if mask.exists() else "0022"
        began, left = stat.S_IMODE((tmp_path / "state").stat().st_mode), os.listdir(box)
        os.mkfifo(box / "0.request")
        for _ in range(100):
            running.send_signal(signal.SIGUSR1)
        paused = daemon.ask(one.loaded.settings, {"do": "pause", "for": 60, "reason": "x"})
        (box / "0.answer").unlink()
        box.rmdir()
        running.send_signal(signal.SIGUSR1)
        until(box.exists, running)
        resumed = daemon.ask(one.loaded.settings, {"do": "resume"})
        running.send_signal(signal.SIGTERM)
        ended = running.wait(PATIENCE)
    finally:
        running.kill()
        running.wait()

    assert (began, left, umask) == (0o700, [], "0022")
    assert (paused["ok"], resumed["ok"], resumed["text"], ended) == (True, True, "resumed", 0)
    assert '"k":"spent"' in (tmp_path / "state" / "ledger.jsonl").read_text()
    assert (tmp_path / "stderr").read_text() == ""


def start(folder: Path) -> subprocess.Popen[bytes]:
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from rmcagent.cli import main; sys.exit(main(sys.argv[1:]))"
    with open(folder / "stderr", "wb") as errors:
        return subprocess.Popen([sys.executable, "-I", "-c", code, AGENT, "run", "--config", str(folder / "rmcagent.yaml")],
                                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, start_new_session=True, umask=0)


@pytest.mark.real
def test_a_policy_is_told_by_its_digits_without_openssl() -> None:
    code = ("import sys; sys.path.insert(0, sys.argv[1]); from rmcagent import config; "
            "hashes = [config.parse(text).hash for text in ('', '# the same', 'mode: observe', 'timeout: 21s', 'timeout: 12s')]; "
            "print(*hashes, '_hashlib' in sys.modules)")

    *hashes, loaded = subprocess.run([sys.executable, "-c", code, AGENT], capture_output=True, text=True,
                                     check=True).stdout.split()

    assert (hashes[0] == hashes[1], len(set(hashes)), {len(one) for one in hashes}, loaded) == (True, 4, {12}, "False")


# ---- helpers

def until(seen: Callable[[], bool], running: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 3 * PATIENCE
    while not seen():
        assert running.poll() is None and time.monotonic() < deadline, f"cannot wait any longer for {seen}"
        time.sleep(0.02)


def modes(*paths: Path) -> List[int]:
    return [stat.S_IMODE(path.stat().st_mode) for path in paths]


def refusing(*arguments: Any, **named: Any) -> None:
    raise OSError(28, "No space left on device")
