"""host.py and what it is made of (run, reach, perform, archive, restart): real processes, and nothing of them left behind."""
from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional, Sequence, TypeVar

import pytest

from rmcagent.model import Answer, Deed, Progress, Remedy, Step
from rmcagent.partition import host as host_module
from rmcagent.partition.host import SystemHost, answer_id
from rmcagent.partition.system import perform, restart, run, started, unwritten
from rmcagent.partition.system.archive import Archive, prune, redacted
from rmcagent.partition.system.run import PATH, Runner, change, process_fields
from rmcagent.partition.system.written import Written

SH = "/bin/sh"
AGENT = str(Path(host_module.__file__).parents[2])
LINUX = sys.platform.startswith("linux")
SECOND = "127.0.0.2"         # an address of ours that connections do not come from
T = TypeVar("T")


def until(seen: Callable[[], Optional[T]], seconds: float = 10) -> T:
    """Wait on a condition, with a bound."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = seen()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"cannot wait any longer: {seen()!r} after {seconds} seconds")


def runs(pid: int) -> bool:
    return SystemHost().alive(pid) is True


def pids_in(path: Path, number: int) -> List[int]:
    """The process ids that a script has written down, once there are `number` of them."""
    return until(lambda: [int(word) for word in path.read_text().split()] if path.exists()
                 and len(path.read_text().split()) == number and path.read_text().endswith("\n") else None)


def script(path: Path, text: str) -> str:
    path.write_text(f"#!{SH}\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def host() -> SystemHost:
    return SystemHost()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deeds"


# Commands that only read.

@pytest.mark.real
def test_an_answer_has_its_streams_its_code_and_its_name(host: SystemHost, tmp_path: Path) -> None:
    answer = host.run((script(tmp_path / "lssrc", "echo out; echo err >&2; exit 3"), "-ls", "ctrmc"), 10)

    assert (answer.id, answer.exit_code, answer.stdout, answer.stderr) == ("lssrc-ls-ctrmc", 3, "out\n", "err\n")
    assert not (answer.timed_out or answer.cut or answer.missing)
    assert answer.ended_at == pytest.approx(time.monotonic(), abs=1) and 0 < answer.took < 10


@pytest.mark.parametrize("argv, name", [
    (("/usr/bin/lssrc", "-a"), "lssrc-a"),
    (("/usr/bin/lssrc", "-ls", "clstrmgrES"), "lssrc-ls-clstrmgrES"),
    (("/usr/sbin/rsct/bin/rmcdomainstatus", "-s", "ctrmc"), "rmcdomainstatus-s-ctrmc"),
    (("/opt/rsct/bin/lsrsrc", "IBM.MCP"), "lsrsrc-IBM.MCP"),
    (("/usr/sbin/rsct/bin/lsrpdomain",), "lsrpdomain"),
    (("/usr/ios/cli/ioscli", "cluster", "-list"), "ioscli-cluster-list"),
    (("/usr/bin/x", "../../etc/passwd", "a b\n"), "x-.._.._etc_passwd-a_b_"),
    (("/usr/bin/x", "y" * 500), "x-" + "y" * 118),
])
def test_an_answers_name_is_that_of_its_file_in_a_bundle(argv: Sequence[str], name: str) -> None:
    assert answer_id(argv) == name


def test_a_command_that_is_not_there_is_missing(host: SystemHost) -> None:
    answer = host.run(("/usr/bin/no-such-command",), 10)

    assert answer.missing and answer.exit_code is None and not answer.timed_out


@pytest.mark.real
def test_a_command_that_is_there_and_cannot_be_run_is_not_missing(host: SystemHost, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("text")
    rubbish = tmp_path / "rubbish"
    rubbish.write_bytes(b"\x00\x01\x02")
    rubbish.chmod(0o755)
    lost = tmp_path / "lost"
    lost.write_text("#!/no/such/interpreter\n")
    lost.chmod(0o755)
    dangling = tmp_path / "dangling"
    dangling.symlink_to("/no/such/file")

    for path in (plain, rubbish, lost, dangling, tmp_path):
        answer = host.run((str(path),), 10)

        assert (answer.exit_code, answer.timed_out, answer.missing) == (126, True, False), path
        assert answer.stderr.startswith(f"cannot run {path}: ")


def test_a_relative_path_and_a_nul_byte_are_refused(host: SystemHost) -> None:
    assert host.run(("ls",), 10).stderr == "cannot run ls: give its absolute path"
    assert host.run(("/bin/ls", "a\0b"), 10).exit_code == 126
    assert host.run((), 10).timed_out


@pytest.mark.real
def test_a_script_that_lacks_a_command_counts_as_a_time_out(host: SystemHost) -> None:
    assert host.run((SH, "-c", "exit 127"), 10).timed_out


@pytest.mark.real
def test_a_command_that_dies_by_a_signal_has_ended(host: SystemHost) -> None:
    assert host.run((SH, "-c", "kill -SEGV $$"), 10).exit_code == 128 + signal.SIGSEGV


@pytest.mark.real
def test_a_hung_command_dies_with_its_grandchildren(host: SystemHost, tmp_path: Path) -> None:
    noted = tmp_path / "pids"
    stubborn = "import os, signal, time; signal.signal(15, signal.SIG_IGN); signal.signal(1, signal.SIG_IGN); "
    note = f"f = open({str(noted)!r}, 'a'); f.write(str(os.getpid()) + '\\n'); f.close(); time.sleep(300)"
    kinds = ("", "os.setsid(); ", "os.fork() and os._exit(0); os.setpgid(0, 0); ")      # the last one is an orphan
    started = " ".join(f"'{sys.executable}' -c \"{stubborn}{kind}{note}\" &" for kind in kinds)
    hung = f"trap '' TERM; {started} echo $$ >> '{noted}'; while :; do wait; sleep 300; done"

    answer = host.run((SH, "-c", hung), 3)

    assert (answer.exit_code, answer.timed_out) == (None, True)
    assert answer.took < 4.5
    for pid in pids_in(noted, 4):
        until(lambda pid=pid: not runs(pid))      # type: ignore[misc]
    assert host.abandoned == 0


def daemonising(noted: Path, then: str) -> str:
    """A command that leaves a daemon behind: two forks, two sessions, nobody's child, its pipes let go; then goes on."""
    code = (f"import os, time\nif os.fork() == 0:\n os.setsid()\n if os.fork(): os._exit(0)\n os.setsid()\n"
            f" null = os.open('/dev/null', os.O_RDWR)\n for number in (0, 1, 2): os.dup2(null, number)\n"
            f" while os.getppid() == {{parent}}: time.sleep(0.01)\n"
            f" open({str(noted)!r}, 'w').write(str(os.getpid()) + chr(10))\n time.sleep(300)\n"
            f"os.wait()\nwhile not os.path.exists({str(noted)!r}): time.sleep(0.01)\n{then}")
    return code.replace("{parent}", "os.getsid(0)")


@pytest.mark.real
@pytest.mark.skipif(not LINUX, reason="nobody else shows what another process was told")
@pytest.mark.parametrize("then, ends", [("time.sleep(300)", False), ("while True: print('x' * 9999)", False), ("pass", True)],
                         ids=["hangs", "floods", "ends"])
def test_a_daemon_that_a_killed_command_left_behind_dies_too(host: SystemHost, tmp_path: Path, then: str, ends: bool) -> None:
    noted = tmp_path / "pids"

    answer = host.run((sys.executable, "-c", daemonising(noted, then)), 3)
    left = pids_in(noted, 1)[0]

    try:
        assert (answer.exit_code == 0) == ends
        if not ends:
            until(lambda: not runs(left))
        assert runs(left) == ends
    finally:
        if runs(left):
            os.kill(left, signal.SIGKILL)


@pytest.mark.real
@pytest.mark.skipif(not LINUX, reason="nobody else shows what another process was told")
def test_only_what_carries_the_very_mark_is_found(tmp_path: Path) -> None:
    marks = ("0123456789abcdef", "0123456789abcdef0", "fedcba9876543210")
    others = [subprocess.Popen(["/bin/sleep", "300"], env={run.MARK: mark}) for mark in marks]
    try:
        found = until(lambda: run._marked(marks[0]))
    finally:
        for other in others:
            other.kill()
            other.wait()

    assert found == {others[0].pid}
    assert run._marked("") == set()


@pytest.mark.real
def test_a_flood_is_cut_and_its_writer_killed(host: SystemHost) -> None:
    answer = host.run(("/usr/bin/yes",), 10, keep=100_000)

    assert answer.cut and answer.exit_code is None and not answer.timed_out
    assert len(answer.stdout) == 100_000
    assert answer.took < 5


@pytest.mark.real
def test_an_answer_as_long_as_we_keep_is_whole(host: SystemHost) -> None:
    answer = host.run((SH, "-c", "printf 12345; printf 123456 >&2"), 10, keep=6)

    assert (answer.stdout, answer.stderr, answer.cut) == ("12345", "123456", False)


@pytest.mark.real
def test_a_grandchild_that_holds_the_pipe_keeps_nobody_waiting(host: SystemHost, tmp_path: Path) -> None:
    noted = tmp_path / "pids"

    answer = host.run((SH, "-c", f"sleep 300 & echo $! > {noted}; echo done; exit 4"), 60)

    assert (answer.exit_code, answer.stdout, answer.timed_out) == (4, "done\n", False)
    assert answer.took < 5
    until(lambda: not runs(pids_in(noted, 1)[0]))


@pytest.mark.real
def test_a_command_that_closes_its_pipes_is_still_waited_for(host: SystemHost) -> None:
    assert host.run((SH, "-c", "exec >&- 2>&-; sleep 0.2; exit 5"), 10).exit_code == 5
    assert host.run((SH, "-c", "exec >&- 2>&-; sleep 300"), 0.3).timed_out


@pytest.mark.real
def test_bytes_that_are_no_text_are_replaced(host: SystemHost) -> None:
    assert host.run((SH, "-c", r"printf 'a\377b'"), 10).stdout == "a\ufffdb"


@pytest.mark.real
def test_a_command_is_told_nothing_but_where_to_find_things(host: SystemHost, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CT_CONTACT", "CT_IP_AUTHENT", "CT_MANAGEMENT_SCOPE", "LIBPATH", "LD_LIBRARY_PATH", "PYTHONPATH", "HOME"):
        monkeypatch.setenv(name, "/elsewhere")
    monkeypatch.setenv("TZ", "EST5EDT")

    told = dict(line.split("=", 1) for line in host.run(("/usr/bin/env",), 10).stdout.splitlines())

    mark = told.pop("RMCAGENT_ASKED", "")
    assert told == {"PATH": PATH, "LC_ALL": "C", "LANG": "C", "ODMDIR": "/etc/objrepos", "TZ": "EST5EDT"}
    assert bool(mark) == LINUX


@pytest.mark.real
def test_a_command_has_no_input_no_file_of_ours_and_a_session_of_its_own(host: SystemHost, tmp_path: Path) -> None:
    before = os.umask(0o077)
    with open(tmp_path / "ours", "w") as ours:
        os.set_inheritable(ours.fileno(), True)

        answer = host.run((SH, "-c", f"cat; pwd; [ -e /dev/fd/{ours.fileno()} ] && echo leaked; umask"), 10)

    os.umask(before)
    assert answer.stdout.split() == ["/", "0022"]


@pytest.mark.real
def test_once_a_process_that_is_watched_has_ended_no_command_is_waited_for(host: SystemHost) -> None:
    with subprocess.Popen(["/bin/sleep", "300"]) as watched:
        host.watch((watched.pid,))
        unlost = host.run(("/bin/echo", "x"), 10)
        watched.kill()
        watched.wait()

        answer = host.run((SH, "-c", "trap '' TERM; sleep 60"), 60)

    assert (unlost.stdout, unlost.exit_code) == ("x\n", 0)
    assert (answer.exit_code, answer.timed_out) == (None, False) and answer.took < 10
    host.watch(())
    assert host.run((SH, "-c", "sleep 1.2; echo y"), 10).stdout == "y\n"


@pytest.mark.real
def test_commands_that_cannot_be_killed_are_counted_and_bounded() -> None:
    runner = Runner()
    stuck = [subprocess.Popen(["/bin/sleep", "300"]) for _ in range(8)]
    runner._stuck = list(stuck)
    try:
        refused = runner.run(("/bin/echo", "x"), 10)
        stuck[0].kill()
        stuck[0].wait()
        answered = runner.run(("/bin/echo", "x"), 10)
    finally:
        for process in stuck:
            process.kill()
            process.wait()

    assert refused.timed_out and refused.stderr.startswith("cannot run /bin/echo: 8 earlier commands hang")
    assert answered.stdout == "x\n"
    assert runner.abandoned == 0


@pytest.mark.real
def test_a_command_that_does_not_die_is_left_behind_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "REAP_SECONDS", 0.01)
    runner = Runner()
    with subprocess.Popen(["/bin/sleep", "300"]) as undead:

        runner._reap(undead)

        assert runner.abandoned == 1
        undead.kill()
    assert runner.abandoned == 0


@pytest.mark.real
def test_the_limit_of_open_files_is_lowered_and_never_raised() -> None:
    told = ("import resource, sys; from rmcagent.partition.host import limit_files; "
            "resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), resource.getrlimit(resource.RLIMIT_NOFILE)[1])); "
            "limit_files(); print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])")

    def limited(soft: int) -> str:
        return subprocess.run([sys.executable, "-c", told, str(soft)], env={"PYTHONPATH": AGENT}, capture_output=True,
                              text=True, check=True).stdout

    assert (limited(4000), limited(512)) == ("2048\n", "512\n")


# Files, processes, the network.

def test_a_log_is_read_from_where_it_is_asked(host: SystemHost, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"0123456789")

    assert host.read_from(str(path), 3, 4) == b"3456"
    assert host.read_from(str(path), 10, 4) == b""
    assert host.read_from(str(path), 99, 4) == b""
    assert host.read_from(str(path), -1, 4) is None


def test_what_is_no_regular_file_is_not_read(host: SystemHost, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    assert host.read_from(str(fifo), 0, 4) is None
    assert host.read_from(str(tmp_path), 0, 4) is None
    assert host.read_from("/dev/zero", 0, 4) is None
    assert host.read_from(str(tmp_path / "none"), 0, 4) is None


def test_what_is_no_regular_file_is_not_even_opened(host: SystemHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fifo, opened, real = tmp_path / "fifo", [], os.open
    os.mkfifo(fifo)
    (tmp_path / "link").symlink_to(fifo)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", lambda path, *rest: opened.append(path) or real(path, *rest))
        for path in (str(fifo), str(tmp_path / "link"), str(tmp_path), "/dev/null"):
            host.read_from(path, 0, 4)

    assert opened == []


def test_what_came_in_between_holds_nobody_and_is_not_read(host: SystemHost, tmp_path: Path,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").touch()
    regular = os.stat(tmp_path / "file")

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", lambda path: regular)
        read = [host.read_from(path, 0, 4) for path in (str(tmp_path / "fifo"), "/dev/zero")]

    assert read == [None, None]


def test_files_are_listed_regular_sorted_and_bounded(host: SystemHost, tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"IBM.MgmtDomainRM.{number:03}").write_text("x" * number)
    os.mkfifo(tmp_path / "IBM.MgmtDomainRM.00fifo")

    seen = host.files(f"{tmp_path}/IBM.MgmtDomainRM*")

    assert len(seen) == 256
    assert [(Path(file.path).name[-3:], file.size) for file in seen[:2]] == [("000", 0), ("001", 1)]
    assert seen[0].inode == os.stat(seen[0].path).st_ino
    assert host.files(f"{tmp_path}/no*") == ()


def test_a_dangling_link_is_something(host: SystemHost, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/no/such/file")

    assert host.exists(str(tmp_path / "link"))
    assert not host.exists(str(tmp_path / "none"))


def test_space_is_told_or_none(host: SystemHost, tmp_path: Path) -> None:
    seen = host.space(str(tmp_path))

    assert seen is not None and 0 < seen.free <= seen.size
    assert host.space("/no/such/place") is None


@pytest.mark.real
def test_a_zombie_is_dead_and_a_number_that_is_none_cannot_be_told(host: SystemHost) -> None:
    with subprocess.Popen(["/bin/sleep", "300"]) as child:
        assert host.alive(child.pid) is True
        child.kill()
        until(lambda: host.alive(child.pid) is False)
        assert child.returncode is None
    assert host.alive(child.pid) is False
    assert host.alive(os.getpid()) is True
    assert host.alive(0) is None
    assert host.alive(-1) is None
    assert host.alive(1 << 80) is None


@pytest.mark.real
@pytest.mark.skipif(not LINUX, reason="drmgr locks a file on Linux only")
def test_a_lock_that_another_process_holds_is_seen_and_not_taken(host: SystemHost, tmp_path: Path) -> None:
    path = tmp_path / "dr_config_lock"
    hold = f"import fcntl; f = open({str(path)!r}, 'w'); fcntl.lockf(f, fcntl.LOCK_EX); print(flush=True); input()"

    before = host.locked(str(path))
    with subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline()
        held = host.locked(str(path))
        holder.communicate(b"\n")

    assert (before, held, host.locked(str(path))) == (False, True, False)
    assert host.locked(f"{path}/none") is None


@pytest.mark.real
def test_whoever_starts_us_cannot_make_every_command_end_well(tmp_path: Path) -> None:
    """SIGCHLD that is ignored is handed down by exec, and then no exit code is ever told: a silent `exit 1` passed for 0."""
    program = ("import signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); sys.path.insert(0, sys.argv[1]);"
               "from rmcagent.partition.host import SystemHost; print(SystemHost().run([sys.argv[2]], 20.0).exit_code)")

    told = subprocess.run([sys.executable, "-c", program, AGENT, script(tmp_path / "odmget", "exit 1")],
                          capture_output=True, text=True, check=True, timeout=60).stdout

    assert told == "1\n"


@pytest.mark.real
def test_a_script_is_among_the_processes_by_its_own_name(host: SystemHost, tmp_path: Path) -> None:
    shell = subprocess.Popen([script(tmp_path / "rmcctrl", "sleep 300; :")], start_new_session=True)
    reader = subprocess.Popen(["/usr/bin/tail", "-f", script(tmp_path / "installp", "")], start_new_session=True)
    (tmp_path / "recfgct").write_text("import time; time.sleep(300)")
    python = subprocess.Popen([sys.executable, str(tmp_path / "recfgct")], start_new_session=True)
    try:
        until(lambda: {"rmcctrl", "recfgct", "tail"} <= set(host.processes() or ()))
        names = host.processes() or ()
    finally:
        for process in (shell, python, reader):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    assert "installp" not in names
    assert host_module._names(["python3", "/usr/bin/python3.9", "-u", "/usr/sbin/recfgct"]) == {"python3", "python3.9", "recfgct"}


def test_the_same_is_told_by_ps(host: SystemHost) -> None:
    lines = host._command_lines_ps()

    assert lines is not None and any("ps" in host_module._names(line) for line in lines.values())


@pytest.mark.real
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start another user's process")
@pytest.mark.parametrize("linux", [True, False], ids=["proc", "ps"])
def test_only_what_root_or_we_ourselves_run_is_among_the_processes_each_with_its_number(
        linux: bool, host: SystemHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or anybody could hold every remedy by a name of his choice."""
    if linux and not LINUX:
        pytest.skip("told by /proc on Linux only")
    monkeypatch.setattr(host_module, "LINUX", linux)
    name = f"{UNIQUE}p{int(linux)}"
    theirs, roots, both = users_run(name, 65534, 65534), users_run(name, 0, 0), users_run(name, 0, 65534)
    try:
        until(lambda: len((host.processes() or {}).get(name, ())) >= 2)
        found = (host.processes() or {})[name]
    finally:
        for process in (theirs, roots, both):
            process.kill()
            process.wait()

    assert set(found) == {roots.pid, both.pid}


@pytest.mark.real
@pytest.mark.skipif(os.geteuid() != 0 or not LINUX, reason="only root can lend his rights; only Linux tells the file")
def test_a_program_of_roots_rights_that_anybody_starts_by_another_name_is_known_by_its_own(host: SystemHost) -> None:
    lent, link = Path("/var/tmp") / f"{UNIQUE}own", Path("/var/tmp") / f"{UNIQUE}posed"
    shutil.copy("/bin/sleep", lent)
    lent.chmod(0o4755)
    link.symlink_to(lent)
    posing = subprocess.Popen([str(link), "300"], preexec_fn=lambda: os.setuid(65534))
    try:
        until(lambda: os.readlink(f"/proc/{posing.pid}/exe") == str(lent))
        if "Uid:\t65534\t0\t" not in Path(f"/proc/{posing.pid}/status").read_text():
            pytest.skip("no program is lent rights here")
        until(lambda: Path(f"/proc/{posing.pid}/cmdline").read_bytes() != b"")
        found = host.processes() or {}
    finally:
        posing.kill()
        posing.wait()
        link.unlink()
        lent.unlink()

    assert found.get(lent.name) == (posing.pid,) and link.name not in found


@pytest.mark.skipif(not LINUX, reason="told by /proc on Linux only")
def test_a_program_whose_file_is_hidden_from_us_counts_by_what_it_is_called(
        host: SystemHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden(path: str) -> str:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(started, "_users", lambda pid: (65534, 0))
    monkeypatch.setattr(os, "readlink", hidden)
    with subprocess.Popen([f"{UNIQUE}hidden", "300"], executable="/bin/sleep") as running:
        until(lambda: Path(f"/proc/{running.pid}/cmdline").read_bytes() != b"")   # the kernel says it a moment after exec
        found = host.processes() or {}
        running.kill()

    assert found.get(f"{UNIQUE}hidden") == (running.pid,)


def users_run(name: str, real: int, effective: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([name, "300"], executable="/bin/sleep", preexec_fn=lambda: os.setreuid(real, effective))


def test_vitals_are_those_of_this_boot(host: SystemHost, tmp_path: Path) -> None:
    (tmp_path / "rmcctrl").write_text("")

    first, second = host.vitals(str(tmp_path / "rmcctrl")), SystemHost().vitals(str(tmp_path / "rmcctrl"))

    assert first.boot and first.boot == second.boot
    assert first.identity == second.identity
    assert first.up_for is not None and second.up_for is not None and second.up_for >= first.up_for > timedelta(0)
    assert first.may_act and first.on_time and not first.in_wpar


def test_boot_and_age_can_be_had_without_proc(host: SystemHost, monkeypatch: pytest.MonkeyPatch) -> None:
    real = host.vitals("/bin/sh").up_for
    monkeypatch.setattr(host_module, "_line", lambda path: "")
    monkeypatch.setattr(host_module, "_boot_time", lambda: "")

    seen = host.vitals("/bin/sh")

    assert seen.boot and seen.boot == SystemHost().vitals("/bin/sh").boot
    assert real is not None and seen.up_for is not None and abs(seen.up_for - real) < timedelta(days=3)


@pytest.mark.parametrize("text, seconds", [
    ("      05:07\n", 307), ("01:02:03", 3723), ("12-01:02:03", 12 * 86400 + 3723),
    ("", None), ("-", None), ("x-01:02", None), ("7", None),
])
def test_the_age_that_ps_tells_is_understood(text: str, seconds: Optional[float]) -> None:
    assert host_module._elapsed(text) == seconds


def test_the_partitions_own_numbers_come_from_the_device_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "system-id").write_bytes(b"IBM,0278ABCDE\0")
    (tmp_path / "ibm,partition-no").write_bytes(b"\0\0\0\x0c")
    (tmp_path / "ibm,partition-uuid").write_bytes(b"1234ABCD-0000-4000-8000-000000000004\0")
    monkeypatch.setattr(host_module, "DEVICE_TREES", ("/no/such/tree", str(tmp_path)))

    assert host_module._identity_linux() == "system=IBM,0278ABCDE partition=12 uuid=1234abcd000040008000000000000004"


@pytest.mark.parametrize("failing", ["uname", "lsattr"])
def test_a_part_that_is_slow_to_be_told_does_not_change_the_identity(
        host: SystemHost, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    said = {"uname": "12 lpar12\n", "lsattr": "1234ABCD-0000-4000-8000-000000000004\n"}
    slow: List[str] = []

    def answer(argv: Sequence[str], timeout: float, keep: int = 0) -> Answer:
        name = os.path.basename(argv[0])
        return Answer(name, timed_out=True) if name in slow else Answer(name, 0, said.get(name, "0\n"))

    monkeypatch.setattr(host, "run", answer)
    monkeypatch.setattr(host_module, "LINUX", False)
    monkeypatch.setattr(host_module, "AIX", True)
    monkeypatch.setattr(host_module, "IDENTITY_SECONDS", -1.0)

    before = host.vitals(SH).identity
    slow.append(failing)
    meanwhile = host.vitals(SH).identity
    slow.clear()
    said.update(uname="99 lpar99\n", lsattr="fffffffff00040008000000000000099\n")
    moved = host.vitals(SH).identity

    assert before == f"system={os.uname().machine} partition=12 uuid=1234abcd000040008000000000000004"
    assert meanwhile == before
    assert "partition=99" in moved and "uuid=fffffffff0" in moved


@pytest.mark.parametrize("said", [
    "True\n", "lsattr: 0514-532 warning\n1234ABCD-0000-4000-8000-000000000004\n", "\x1b[31m\n", "1234-5678\n", "g" * 32, "",
])
def test_what_is_no_uuid_makes_no_other_partition_of_this_one(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    host = SystemHost()
    monkeypatch.setattr(host, "run", lambda argv, timeout, keep=0: Answer("x", 0, said))
    monkeypatch.setattr(host_module, "LINUX", False)
    monkeypatch.setattr(host_module, "AIX", True)

    assert "uuid=" not in host.vitals(SH).identity and "partition=" not in host.vitals(SH).identity.replace("partition=1234", "")


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server


@pytest.fixture
def closed_port() -> Iterator[int]:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.real
def test_one_port_that_accepts_is_enough(host: SystemHost, listening: socket.socket, closed_port: int) -> None:
    open_port = listening.getsockname()[1]

    seen = host.reach(["127.0.0.1", "127.0.0.1"], [closed_port, open_port, open_port], 2)

    assert seen == {"127.0.0.1": True}
    accepted, _ = listening.accept()
    with closing(accepted):
        assert accepted.recv(1) == b""         # nothing was sent


@pytest.mark.real
def test_a_refusal_is_an_answer(host: SystemHost, closed_port: int) -> None:
    assert host.reach(["127.0.0.1"], [closed_port], 5) == {"127.0.0.1": False}


@pytest.mark.real
@pytest.mark.skipif(not LINUX, reason="other systems answer for a full queue")
def test_silence_is_an_answer_too_after_one_time_out_for_all(host: SystemHost) -> None:
    with closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        queue = [socket.socket() for _ in range(4)]
        for waiting in queue:
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        began = time.monotonic()

        seen = host.reach(["127.0.0.1"], [server.getsockname()[1]] * 3, 0.3)

        for waiting in queue:
            waiting.close()
    assert seen == {"127.0.0.1": False}
    assert 0.25 < time.monotonic() - began < 2


def test_a_name_a_wrong_address_and_no_port_at_all_cannot_be_asked(host: SystemHost) -> None:
    wrong = ["hmc1.example.com", "localhost", "", "1", "256.1.1.1", "fe80::1%no-such-link", "::zz", "a\0b"]

    assert host.reach(wrong, [657], 1) == dict.fromkeys(wrong)
    assert host.reach(["127.0.0.1"], [], 1) == {"127.0.0.1": None}
    assert host.reach(["127.0.0.1"], [99999], 1) == {"127.0.0.1": None}
    assert host.reach([], [657], 1) == {}


@pytest.mark.real
def test_ipv6_literals_are_asked(host: SystemHost) -> None:
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 here")
    with closing(server):
        there = f"::ffff:{SECOND}"
        heard = host.reach(["::1", there], [server.getsockname()[1]], 2)

    assert heard == {"::1": None, there: False}


@pytest.mark.real
@pytest.mark.skipif(not LINUX, reason="elsewhere 127.0.0.1 is the whole loopback")
def test_an_answer_that_we_gave_ourselves_is_no_hmcs(host: SystemHost) -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as asked:
        try:
            asked.connect(("192.0.2.99", 9))       # sends nothing; tells which address would be used
            own = str(asked.getsockname()[0])
        except OSError:
            own = "0.0.0.0"
    addresses = ["127.0.0.1", SECOND, own, "0.0.0.0", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0"]
    with closing(socket.create_server(("", 0))) as server:
        seen = host.reach(addresses, [server.getsockname()[1]], 2)

    assert seen == {**dict.fromkeys(addresses), "127.0.0.1": True, SECOND: True}


# Commands that change something.

def heard(argv: Sequence[str], timeout: float = 30) -> Dict[str, object]:
    late: List[bool] = []
    pids: List[int] = []
    answer = change(argv, timeout, lambda: late.append(True), pids.append)
    return {"answer": answer, "late": len(late), "pids": pids}


@pytest.mark.real
def test_a_change_that_is_late_is_told_once_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "TRIM_SECONDS", 0.05)

    told = heard((SH, "-c", "sleep 0.6; echo done; exit 2"), timeout=0.2)

    answer = told["answer"]
    assert isinstance(answer, Answer)
    assert (answer.exit_code, answer.stdout, answer.timed_out) == (2, "done\n", False)
    assert told["late"] == 1


@pytest.mark.real
def test_a_daemon_that_a_change_started_keeps_nobody_waiting(tmp_path: Path) -> None:
    noted = tmp_path / "pids"

    told = heard((SH, "-c", f"sleep 300 & echo $! > {noted}; echo started"))

    daemon = pids_in(noted, 1)[0]
    lives = runs(daemon)
    os.kill(daemon, signal.SIGKILL)
    answer = told["answer"]
    assert isinstance(answer, Answer) and answer.stdout == "started\n" and answer.took < 5
    assert lives
    assert told["late"] == 0


@pytest.mark.real
def test_what_a_change_says_is_bounded_in_memory_and_on_disk() -> None:
    answer = heard((SH, "-c", "yes | head -c 30000000; sleep 1.2; exit 0"))["answer"]

    assert isinstance(answer, Answer)
    assert answer.cut and answer.exit_code == 0 and len(answer.stdout) == 64 << 10


@pytest.mark.real
def test_the_file_a_flooding_change_is_heard_by_is_kept_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "TRIM_SECONDS", 0.01)
    sizes: List[int] = []
    said = run._said

    def measured(heard: Optional[int]) -> bytes:
        sizes.append(os.fstat(heard or 0).st_size)
        return said(heard)

    monkeypatch.setattr(run, "_said", measured)

    answer = heard((SH, "-c", "yes | head -c 30000000; sleep 0.3"))["answer"]

    assert isinstance(answer, Answer) and answer.cut
    assert sizes and sizes[0] < 1 << 20


def test_a_change_that_is_not_there_is_missing() -> None:
    told = heard(("/usr/sbin/rsct/bin/no-such-command",))

    answer = told["answer"]
    assert isinstance(answer, Answer) and answer.missing
    assert told["pids"] == []


# The helper.

def deed(*steps: Step, attempt: int = 1) -> Deed:
    return Deed(attempt, Remedy.RECYCLE, steps)


def shell(name: str, text: str, timeout: float = 30, tries: int = 1, needed: bool = False) -> Step:
    return Step(name, (SH, "-c", text), timeout, tries=tries, needed=needed)


def finished(host: SystemHost, folder: Path, attempt: int = 1) -> Progress:
    def seen() -> Optional[Progress]:
        progress = host.progress(attempt, str(folder))
        return progress if progress is not None and progress.done and not progress.alive else None

    return until(seen)


def lines_of(folder: Path, attempt: int = 1) -> List[Dict[str, object]]:
    path = folder / f"deed-{attempt}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def performed(folder: Path, *steps: Step, attempt: int = 1) -> Progress:
    """Take the steps in this process, for what needs no helper of its own."""
    folder.mkdir(exist_ok=True)
    (folder / f"deed-{attempt}.json").touch()
    perform.perform(deed(*steps, attempt=attempt), str(folder))
    progress = perform.progress(attempt, str(folder))
    assert progress is not None and progress.done
    return progress


@pytest.mark.real
def test_a_helper_takes_all_steps_and_says_what_failed(host: SystemHost, folder: Path, tmp_path: Path) -> None:
    host.begin(deed(shell("one", f"echo 1 >> {tmp_path}/done"), shell("two", "echo no >&2; exit 7"),
                    shell("three", f"echo 3 >> {tmp_path}/done")), str(folder))

    progress = finished(host, folder)

    assert progress.steps == ("one", "two", "three")
    assert progress.failed == ("two: exit 7, no",)
    assert (tmp_path / "done").read_text() == "1\n3\n"
    assert progress.ended_at == pytest.approx(time.monotonic(), abs=10)
    assert {oct(path.stat().st_mode)[-3:] for path in folder.iterdir()} == {"600"}
    assert oct(folder.stat().st_mode)[-3:] == "700"


@pytest.mark.real
def test_a_helper_is_alive_from_the_moment_it_is_begun(host: SystemHost, folder: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)

    host.begin(deed(shell("wait", f"cat {gate}")), str(folder))
    seen = host.progress(1, str(folder))
    with pytest.raises(OSError, match="cannot begin attempt 1: its helper still runs"):
        host.begin(deed(shell("again", "true")), str(folder))
    host.forget(1, str(folder))               # not while it runs
    still = host.progress(1, str(folder))
    gate.write_text("go")

    assert seen is not None and seen.alive and not seen.done
    assert still is not None and still.alive
    assert finished(host, folder).failed == ()


@pytest.mark.real
def test_a_helper_outlives_the_whole_session_of_its_starter(host: SystemHost, folder: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    told = ("import sys, time; from rmcagent.partition.host import SystemHost; from rmcagent.model import *; "
            f"SystemHost().begin(Deed(1, Remedy.RECYCLE, (Step('a', ('/bin/cat', {str(gate)!r}), 30), "
            f"Step('b', ('/bin/echo',), 30))), {str(folder)!r}); print('begun', flush=True); time.sleep(300)")
    with subprocess.Popen([sys.executable, "-c", told], env={"PYTHONPATH": AGENT}, stdout=subprocess.PIPE,
                          start_new_session=True) as starter:
        assert starter.stdout is not None and starter.stdout.readline() == b"begun\n"

        os.killpg(starter.pid, signal.SIGKILL)
        starter.wait()

    helper = int(str(until(lambda: lines_of(folder))[0]["helper"]))
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        os.kill(helper, number)
    assert os.getsid(helper) == helper
    gate.write_text("go")
    assert finished(host, folder).steps == ("a", "b")


@pytest.mark.real
def test_commands_are_not_deaf_though_their_helper_is(host: SystemHost, folder: Path, tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    host.begin(deed(shell("sleep", f"echo $$ > {noted}; exec sleep 300")), str(folder))

    os.kill(pids_in(noted, 1)[0], signal.SIGTERM)

    assert finished(host, folder).failed == ("sleep: exit 143",)


@pytest.mark.real
def test_a_dead_helper_is_neither_alive_nor_done_once_its_command_has_ended(host: SystemHost, folder: Path) -> None:
    host.begin(deed(Step("rmcctrl -z", ("/bin/sleep", "300"), 300), shell("rmcctrl -A", "true")), str(folder))
    until(lambda: len(lines_of(folder)) >= 3)
    helper, command = int(str(lines_of(folder)[0]["helper"])), int(str(lines_of(folder)[2]["pid"]))

    os.kill(helper, signal.SIGKILL)
    until(lambda: not runs(helper))
    while_it_runs = host.progress(1, str(folder))
    os.kill(command, signal.SIGKILL)
    until(lambda: not runs(command))
    after = host.progress(1, str(folder))

    assert while_it_runs is not None and while_it_runs.alive and not while_it_runs.done
    assert after is not None and not after.alive and not after.done
    assert after.steps == ("rmcctrl -z",)
    host.forget(1, str(folder))
    assert host.progress(1, str(folder)) is None and list(folder.iterdir()) == []


@pytest.mark.skipif(not LINUX, reason="start times are told by /proc")
def test_a_process_that_got_the_commands_number_is_not_the_command(folder: Path) -> None:
    folder.mkdir()
    (folder / "deed-1.json").touch()
    begun = {"begin": "rmcctrl -z", "at": 1.0}

    def seen(started: str, *more: Dict[str, object]) -> Optional[Progress]:
        lines = (begun, {"pid": os.getpid(), "started": started, "at": 1.0}, *more)
        (folder / "deed-1.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return perform.progress(1, str(folder))

    start = process_fields(os.getpid())[19]
    ours, others, ended = seen(start), seen("1"), seen(start, {"end": "rmcctrl -z", "exit": 0, "at": 1.0})

    assert ours is not None and ours.alive
    assert ended is not None and not ended.alive
    assert others is not None and not others.alive


HOUR = 3600.0


@pytest.mark.parametrize("age, noted_ago, wall_ago, alive", [
    (100, 100, 100, True), (99, 103, 103, True),
    (40, 100, 100, False),                     # began later: it only has the number
    (9 * HOUR, 9 * HOUR, 9 * HOUR, True),      # proved to be the command, it is waited for however long that takes
    (100 + HOUR, 100, 100 + HOUR, True),       # the clock was set meanwhile, and ps goes by it
    (100, 100, 100 - HOUR, True),              # or does not
    (None, 100, 100, True), (None, HOUR + 119, HOUR + 119, True),
    (None, HOUR + 121, HOUR + 121, False),     # nobody can tell what it is, and its time is long over
    (None, -50, 100, False),                   # noted in another boot
])
def test_without_proc_a_command_is_known_by_its_age_and_never_waited_for_unproved(
        folder: Path, monkeypatch: pytest.MonkeyPatch, age: Optional[float], noted_ago: float, wall_ago: float, alive: bool,
) -> None:
    monkeypatch.setattr(started, "LINUX", False)
    folder.mkdir()
    (folder / "deed-1.json").touch()
    noted = {"pid": os.getpid(), "started": "", "timeout": 120.0,
             "wall": time.time() - wall_ago, "at": time.monotonic() - noted_ago}
    (folder / "deed-1.jsonl").write_text(f'{{"begin": "rmcctrl -z", "at": 1.0}}\n{json.dumps(noted)}\n')
    asked: List[int] = []

    def told(pid: int) -> Optional[float]:
        asked.append(pid)
        return age

    progress = perform.progress(1, str(folder), told)

    assert progress is not None and progress.alive is alive
    assert asked == [os.getpid()]


@pytest.mark.real
def test_without_proc_a_command_is_told_from_another_by_ps(
        host: SystemHost, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host.begin(deed(Step("rmcctrl -z", ("/bin/sleep", "300"), 300)), str(folder))
    until(lambda: len(lines_of(folder)) >= 3)
    helper, command = int(str(lines_of(folder)[0]["helper"])), int(str(lines_of(folder)[2]["pid"]))
    os.kill(helper, signal.SIGKILL)
    until(lambda: not runs(helper))
    noted = lines_of(folder)[2]
    monkeypatch.setattr(started, "LINUX", False)

    ours = host.progress(1, str(folder))
    earlier = [{**line, "at": float(str(line["at"])) - 60, "wall": time.time() - 60} for line in lines_of(folder)]
    (folder / "deed-1.jsonl").write_text("".join(json.dumps(line) + "\n" for line in earlier))
    others = host.progress(1, str(folder))
    os.kill(command, signal.SIGKILL)

    assert ours is not None and ours.alive
    assert others is not None and not others.alive
    assert (noted["timeout"], noted["wall"]) == (300, pytest.approx(time.time(), abs=60))


def test_a_torn_last_line_and_a_moment_of_another_boot_are_no_trouble(folder: Path) -> None:
    folder.mkdir()
    (folder / "deed-1.json").touch()
    (folder / "deed-1.jsonl").write_text('{"begin": "a", "at": 1.0}\n{"end": "a", "exit": 3, "at": 1e12}\n[]\n{"begin": "b", "a')

    progress = perform.progress(1, str(folder))

    assert progress == Progress(1, alive=False, done=False, steps=("a",), failed=("a: exit 3",), ended_at=None)


def test_an_attempt_without_a_trace_is_none(host: SystemHost, folder: Path) -> None:
    assert host.progress(1, str(folder)) is None


@pytest.mark.real
def test_a_helper_that_does_not_start_is_told_and_leaves_nothing_to_finish(
        host: SystemHost, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with pytest.raises(OSError, match="cannot begin attempt 1: its helper did not start"):
        host.begin(deed(shell("a", "true")), str(folder))

    assert host.progress(1, str(folder)) is None


@pytest.mark.real
def test_a_helper_that_comes_too_late_finds_nothing_to_do(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    (folder / "deed-1.json").write_text("{}")
    (folder / "deed-1.lock").touch()

    withdrawn = perform._withdrawn(1, str(folder))
    late = subprocess.run([sys.executable, "-I", "-c", perform.BOOT, AGENT, str(folder), "1", "stay"], capture_output=True)

    assert withdrawn
    assert late.returncode == 1 and late.stderr == b""
    assert lines_of(folder) == []


def test_what_has_begun_is_not_withdrawn(folder: Path) -> None:
    performed(folder, shell("a", "true"))
    (folder / "deed-1.lock").touch()

    assert not perform._withdrawn(1, str(folder))


def test_a_disk_too_full_to_write_the_deed_begins_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(number: int, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)

    with pytest.raises(OSError, match="No space left"):
        perform.begin(deed(shell("a", "true")), str(folder), SystemHost().run)

    assert perform.progress(1, str(folder)) is None and list(folder.iterdir()) == []


@pytest.mark.real
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_disk_too_full_to_write_progress_stops_no_step(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    (folder / "deed-1.jsonl").symlink_to("/dev/full")

    perform.perform(deed(shell("a", f"echo a >> {tmp_path}/done"), shell("b", f"echo b >> {tmp_path}/done")), str(folder))

    assert (tmp_path / "done").read_text() == "a\nb\n"


def test_a_line_after_a_torn_one_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deed-1.jsonl"
    notes = perform.Notes(str(path))
    whole = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda number, text: whole(number, text[:9]))
        notes.write(begin="torn")

    notes.write(begin="whole")

    assert [line["begin"] for line in perform._lines(str(path))] == ["whole"]
    os.close(notes._number or 0)


@pytest.mark.real
def test_a_step_is_tried_again_as_often_as_it_may(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perform, "RETRY_SECONDS", (0.01, 0.02))
    flaky = f"echo x >> {tmp_path}/tries; [ $(wc -l < {tmp_path}/tries) -ge 3 ]"

    healed = performed(folder, shell("flaky", flaky, tries=3))
    hopeless = performed(folder, shell("hopeless", f"echo y >> {tmp_path}/hopeless; exit 1", tries=2),
                         Step("gone", ("/no/such/command",), 10, tries=3), attempt=2)

    assert [line for line in lines_of(folder, 2) if line.get("end") == "gone"][1:] == []     # missing is missing
    assert healed.failed == () and healed.steps == ("flaky",)
    assert hopeless.failed == ("hopeless: exit 1", "gone: not found")
    assert (tmp_path / "hopeless").read_text() == "y\ny\n"


@pytest.mark.real
def test_without_tenacity_a_step_has_one_try(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tenacity", None)

    progress = performed(folder, shell("hopeless", f"echo y >> {tmp_path}/tries; exit 1", tries=3))

    assert progress.failed == ("hopeless: exit 1",)
    assert (tmp_path / "tries").read_text() == "y\n"


@pytest.mark.real
def test_a_late_command_is_told_while_it_runs_and_then_that_it_was(host: SystemHost, folder: Path, tmp_path: Path) -> None:
    gates = [tmp_path / "one", tmp_path / "two"]
    for gate in gates:
        os.mkfifo(gate)

    def late() -> Optional[Progress]:
        progress = host.progress(1, str(folder))
        return progress if progress is not None and "late" in progress.notes else None

    def at_the_second() -> Optional[Progress]:
        progress = host.progress(1, str(folder))
        return progress if progress is not None and len(progress.steps) == 2 else None

    began = time.monotonic()
    host.begin(deed(shell("rmcctrl -z", f"cat {gates[0]}", timeout=0.1), shell("rmcctrl -A", f"cat {gates[1]}")), str(folder))
    first = until(late)
    gates[0].write_text("go")
    second = until(at_the_second)
    gates[1].write_text("go")
    ended = finished(host, folder)

    assert first.notes == {"late": "rmcctrl -z"} and began <= (first.ended_at or 0) <= time.monotonic()
    assert second.notes == ended.notes and list(ended.notes) == ["was_late"]
    assert ended.notes["was_late"].startswith("rmcctrl -z ended late, after ")


def test_between_two_steps_nothing_is_late() -> None:
    seen = Written(now=1000.0)
    late = []
    for line in ({"begin": "rmcctrl -z"}, {"pid": 7, "timeout": 120.0}, {"end": "rmcctrl -z", "exit": 0, "took": 240.0},
                 {"begin": "rmcctrl -A"}, {"pid": 8, "timeout": 900.0}):
        seen.take({**line, "at": 500.0})
        late.append(seen.late())

    assert late == [{}, {"late": "rmcctrl -z"}, {}, {}, {}]
    assert seen.notes == {"was_late": "rmcctrl -z ended late, after 4 minutes"}


@pytest.mark.real
def test_a_late_command_is_told_though_its_helper_is_gone(host: SystemHost, folder: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    host.begin(deed(shell("rmcctrl -z", f"cat {gate}", timeout=0.3)), str(folder))
    until(lambda: any("pid" in line for line in lines_of(folder)))
    os.kill(int(str(lines_of(folder)[0]["helper"])), signal.SIGKILL)

    def late() -> bool:
        progress = host.progress(1, str(folder))
        return progress is not None and progress.alive and progress.notes == {"late": "rmcctrl -z"}

    assert until(late)
    gate.write_text("go")
    until(lambda: not (host.progress(1, str(folder)) or Progress(1, True, False)).alive)
    gone = host.progress(1, str(folder))
    assert gone is not None and (gone.done, gone.notes) == (False, {})


def test_under_systemd_the_helper_gets_a_unit_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perform, "_in_unit", lambda: True)

    argv, unit = perform.command(7, "/state", "7")

    assert unit.startswith("rmcagent-remedy-7-") and f"--unit={unit[:-len('.service')]}" in argv
    assert argv[0] == "/usr/bin/systemd-run" and "--property=KillMode=process" in argv
    assert [word for word in argv if word.startswith("--unit=rmcagent-remedy-7-")]
    assert argv[argv.index("--") + 1] == sys.executable and argv[-3:] == ("/state", "7", "stay")


@pytest.mark.real
def test_a_helper_whose_unit_is_its_own_stays_where_it_is(host: SystemHost, folder: Path) -> None:
    folder.mkdir()
    (folder / "deed-1.lock").touch()
    perform._write(str(folder / "deed-1.json"), json.dumps(
        {"attempt": 1, "remedy": "recycle", "steps": [{"name": "a", "argv": [SH, "-c", "exit 0"], "timeout": 5.0}]}).encode())

    subprocess.run([sys.executable, "-I", "-c", perform.BOOT, AGENT, str(folder), "1", "stay"], check=True, timeout=30)

    assert finished(host, folder).steps == ("a",)


# A helper without files.


@pytest.mark.real
def test_without_room_for_files_a_helper_is_told_by_its_arguments_and_known_by_its_process(
        host: SystemHost, folder: Path, tmp_path: Path) -> None:
    gate, done = tmp_path / "gate", tmp_path / "done"
    os.mkfifo(gate)
    steps = (shell("one", f"cat {gate}"), shell("two", f"echo $$ > {done}"))

    host.begin(deed(*steps), "")
    seen = host.progress(1, "")
    pid = int(unwritten.UNWRITTEN._begun[1]["pid"])
    with pytest.raises(OSError, match="cannot begin attempt 1: its helper still runs"):
        host.begin(deed(*steps), "")
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        os.kill(pid, number)
    session = os.getsid(pid)
    gate.write_text("go")
    until(lambda: host.progress(1, "") is None)

    assert seen == Progress(1, alive=True, done=False) and session == pid
    assert done.exists() and not folder.exists() and not list(Path("/").glob("deed-*"))
    host.forget(1, "")
    assert unwritten.UNWRITTEN._begun == {}


@pytest.mark.real
def test_a_helper_tells_its_number_only_when_it_has_left_its_starters_session(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    slow = (f"import os, sys, time; sys.path.insert(0, {AGENT!r}); from rmcagent.partition.system.perform import _part; "
            f"leave = os.setsid; os.setsid = lambda: (time.sleep(0.3), leave()); _part(); open({str(gate)!r}).read()")

    pid = int(subprocess.run([sys.executable, "-I", "-c", slow], capture_output=True, check=True).stdout)
    session = os.getsid(pid)
    gate.write_text("go")

    assert session == pid


@pytest.mark.real
def test_a_process_that_got_the_number_of_a_helper_without_files_is_not_it(host: SystemHost) -> None:
    ours = unwritten.Unwritten()
    noted = {"pid": os.getpid(), "started": started.start_time(os.getpid()), "at": time.monotonic(), "timeout": 1.0}
    ours._begun = {1: noted, 2: {**noted, "started": "1"}}

    assert ours.progress(1, lambda pid: None) is not None
    if LINUX:
        assert ours.progress(2, lambda pid: None) is None


def test_without_files_nothing_that_saves_files_is_begun(host: SystemHost) -> None:
    with pytest.raises(OSError, match="it saves files"):
        host.begin(deed(Step("archive", ("@archive", "/etc"), 10)), "")


@pytest.mark.real
def test_a_helper_without_files_that_does_not_start_is_told(host: SystemHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with pytest.raises(OSError, match="cannot begin attempt 1: its helper did not start"):
        host.begin(deed(shell("a", "true")), "")

    assert host.progress(1, "") is None


def test_under_systemd_a_helper_without_files_is_the_main_process_of_its_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perform, "_in_unit", lambda: True)
    asked: List[Sequence[str]] = []

    def systemd(argv: Sequence[str], timeout: float) -> Answer:
        asked.append(argv)
        return Answer("systemd", 0, f"MainPID={os.getpid()}\n" if "show" in argv else "")

    ours = unwritten.Unwritten()
    ours.begin(deed(shell("a", "true")), systemd, lambda pid: 0.0)

    (begun, shown) = asked
    assert begun[0] == "/usr/bin/systemd-run" and begun[-1] == "stay" and json.loads(begun[-2])["attempt"] == 1
    assert shown[:3] == ("/usr/bin/systemctl", "show", "--property=MainPID") and f"--unit={shown[3][:-len('.service')]}" in begun
    assert ours.progress(1, lambda pid: 0.0) is not None


def test_on_a_file_system_gone_read_only_progress_is_told_and_nothing_raised(
        folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    performed(folder, shell("a", "true"))
    (folder / "deed-1.lock").touch()
    real = os.open

    def read_only(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & (os.O_RDWR | os.O_WRONLY):
            raise OSError(errno.EROFS, "Read-only file system")
        return real(path, flags, mode)

    def refused(path: str) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "open", read_only)
    monkeypatch.setattr(os, "unlink", refused)

    progress = perform.progress(1, str(folder))
    perform.forget(1, str(folder))

    assert progress is not None and progress.done and not progress.alive


# What the helper does itself.

MCP = """\
Resource Persistent Attributes for IBM.MCP
resource 1:
        MNName        = "10.1.1.5"
        RMCKey        = "0x8a1f
QUJD==
00ffee"
        HMCIPAddr     = "10.1.1.9"
resource 2:
\tRMCKey = 0xdead
\tHMCIPAddr = "10.1.1.8"
"""


def test_no_rmckey_is_kept_however_it_is_wrapped() -> None:
    seen = redacted(MCP)

    assert not [secret for secret in ("8a1f", "QUJD", "00ffee", "dead") if secret in seen]
    assert [line.split("=")[0].strip() for line in seen.splitlines()[2:]] == [
        "MNName", "RMCKey", "HMCIPAddr", "resource 2:", "RMCKey", "HMCIPAddr"]
    assert redacted("nothing\n secret = x\n") == "nothing\n secret = x\n"


@pytest.mark.real
def test_an_output_is_saved_without_its_key(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mcp").write_text(MCP)

    progress = performed(folder, Step("save", ("@save", "lsrsrc.txt", "/bin/cat", str(tmp_path / "mcp")), 10),
                         Step("gone", ("@save", "x.txt", "/no/such/command"), 10),
                         Step("odd", ("@save", "../../escape", "/bin/echo", "x"), 10))

    saved = folder / "archive-1" / "lsrsrc.txt"
    assert "10.1.1.9" in saved.read_text() and "dead" not in saved.read_text()
    assert oct(saved.stat().st_mode)[-3:] == "600" and oct(saved.parent.stat().st_mode)[-3:] == "700"
    assert progress.failed == ("gone: not found",)
    assert (folder / "archive-1" / "escape").exists()


@pytest.fixture
def cfg(tmp_path: Path) -> Path:
    cfg = tmp_path / "ct" / "cfg"
    (cfg / "sub").mkdir(parents=True)
    (cfg / "ct_node_id").write_text("0123456789abcdef\n")
    (cfg / "sub" / "ctsec").write_bytes(b"\0" * 3000)
    (cfg / "link").symlink_to("ct_node_id")
    os.link(cfg / "ct_node_id", cfg / "hard")
    os.mkfifo(cfg / "fifo")
    return cfg


def test_the_configuration_is_archived_whole_but_for_what_is_no_file(
        folder: Path, cfg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cfg)
    with closing(socket.socket(socket.AF_UNIX)) as bound:
        bound.bind("socket")

        progress = performed(folder, Step("archive", ("@archive", str(cfg)), 10, needed=True))

    path = folder / "archive-1" / "cfg.tar"
    assert progress.failed == () and progress.notes == {"archive": str(path)}
    assert oct(path.stat().st_mode)[-3:] == "600"
    assert b"PaxHeader" not in path.read_bytes()
    with tarfile.open(path) as tar:
        assert sorted(tar.getnames()) == ["cfg", "cfg/ct_node_id", "cfg/hard", "cfg/link", "cfg/sub", "cfg/sub/ctsec"]
        node_id = tar.extractfile("cfg/ct_node_id")
        assert node_id is not None and node_id.read() == b"0123456789abcdef\n"


@pytest.mark.real
@pytest.mark.parametrize("hindrance, because", [
    ("space", "KiB must be free"), ("bytes", "it holds over"), ("number", "it holds over"), ("none", "No such file"),
])
def test_what_cannot_be_archived_is_not_deleted(
        folder: Path, cfg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hindrance: str, because: str) -> None:
    from rmcagent.partition.system import archive

    if hindrance == "space":
        monkeypatch.setattr(archive, "SPARE_BYTES", 1 << 60)
    elif hindrance == "bytes":
        monkeypatch.setattr(archive, "MOST_BYTES", 2000)
    elif hindrance == "number":
        monkeypatch.setattr(archive, "MOST_ENTRIES", 2)
    source = tmp_path / "none" if hindrance == "none" else cfg

    progress = performed(folder, Step("archive", ("@archive", str(source)), 10, needed=True),
                         shell("recfgct", f"touch {tmp_path}/deleted"))

    assert len(progress.failed) == 1 and because in progress.failed[0]
    assert not (tmp_path / "deleted").exists()
    assert not list(folder.glob("archive-*/cfg.tar*"))


def test_three_archives_are_kept_and_the_newest_whatever_the_clock_says(folder: Path, cfg: Path) -> None:
    for attempt in range(1, 6):
        performed(folder, Step("archive", ("@archive", str(cfg)), 10), attempt=attempt)
        os.utime(folder / f"archive-{attempt}", (attempt, attempt))
    again = performed(folder, Step("archive", ("@archive", str(cfg)), 10), attempt=5)

    assert sorted(path.name for path in folder.glob("archive-*")) == ["archive-4", "archive-5", "archive-5.1"]
    assert again.notes["archive"] == str(folder / "archive-5.1" / "cfg.tar")
    os.utime(folder / "archive-5.1", (1, 1))
    prune(str(folder), str(folder / "archive-5.1"))
    assert (folder / "archive-5.1").exists()


def test_the_node_id_is_noted_before_and_after(folder: Path, tmp_path: Path) -> None:
    node_id = tmp_path / "ct_node_id"
    node_id.write_text("# generated\n\n0123456789abcdef\nfeedfacefeedface\n")
    empty = tmp_path / "empty"
    empty.write_text("# nothing\n")

    progress = performed(folder, Step("record before", ("@record", "before", str(node_id)), 10),
                         Step("record after", ("@record", "after", str(empty)), 10),
                         Step("unheard of", ("@nothing",), 10))

    assert progress.notes == {"node_id_before": "0123456789abcdef"}
    assert [failed.split(",")[0] for failed in progress.failed] == ["record after: exit 1", "unheard of: exit 1"]


def test_an_archive_never_follows_a_file_that_became_a_link(cfg: Path, tmp_path: Path) -> None:
    from rmcagent.partition.system.archive import _tar

    (tmp_path / "secret").write_text("secret")
    listed = [str(cfg), str(cfg / "ct_node_id")]
    (cfg / "ct_node_id").unlink()
    (cfg / "ct_node_id").symlink_to(tmp_path / "secret")

    _tar(str(cfg), listed, str(tmp_path / "cfg.tar"))

    with tarfile.open(tmp_path / "cfg.tar") as tar:
        assert tar.getmember("cfg/ct_node_id").issym()


def test_an_archive_that_fails_half_way_leaves_nothing(cfg: Path, tmp_path: Path) -> None:
    from rmcagent.partition.system.archive import _tar

    with pytest.raises(FileNotFoundError):
        _tar(str(cfg), [str(cfg / "ct_node_id"), str(cfg / "vanished")], str(tmp_path / "cfg.tar"))

    assert not list(tmp_path.glob("cfg.tar*"))


def test_archive_knows_only_its_own_steps(tmp_path: Path) -> None:
    own = Archive(str(tmp_path), 1, SystemHost().run, lambda name, value: None)

    assert own.take(Step("save", ("@save",), 1)).exit_code == 1
    assert list(tmp_path.iterdir()) == []


# Programs that SRC does not know: ended by name, started, waited for.

UNIQUE = f"rmc{os.getpid()}"                # who else runs these tests has other processes


def ending(names: Sequence[str], seconds: float = 10) -> Answer:
    return restart.take(Step("end", ("@end", *names), seconds), Runner().run)


def rows(*lines: str) -> Callable[[Sequence[str], float], Answer]:
    """What ps says the first time, the second time ... and from then on."""
    said = list(lines)
    return lambda argv, timeout: Answer("ps", 0, said.pop(0) if len(said) > 1 else said[0])


@pytest.fixture
def signalled(monkeypatch: pytest.MonkeyPatch) -> List[int]:
    """The numbers that would have been signalled."""
    monkeypatch.setattr(restart, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(restart, "KILLED_SECONDS", 0.0)
    numbers: List[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: numbers.append(pid))
    return numbers


@pytest.mark.real
def test_a_process_is_ended_by_its_name_and_no_other_that_merely_says_the_name(tmp_path: Path) -> None:
    noted, name, other = tmp_path / "pid", f"{UNIQUE}a", f"{UNIQUE}b"
    program, longer = str(tmp_path / name), script(tmp_path / f"{name}2", "sleep 300; :")
    shutil.copy("/bin/sleep", program)
    ended = [[program, "300"], [script(tmp_path / other, f"echo $$ > {noted}; while :; do sleep 0.05; done"), "all", "start"]]
    left = [["/usr/bin/tail", "-f", program], [SH, "-c", "sleep 300; :", name], [longer, name], [SH, longer, other]]
    posing = subprocess.Popen([name, "300"], executable="/bin/sleep", start_new_session=True)
    processes = [*(subprocess.Popen(argv, start_new_session=True) for argv in (*ended, *left)), posing]
    pids_in(noted, 1)
    try:
        answer = ending((name, other))
        codes = [process.wait(10) for process in processes[:2]] + [process.poll() for process in processes[2:]]
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    assert (answer.exit_code, codes) == (0, [-signal.SIGTERM] * 2 + [None] * 5)


@pytest.mark.real
def test_a_process_that_ignores_sigterm_is_killed_once_its_time_is_over(tmp_path: Path) -> None:
    noted, path = tmp_path / "pid", tmp_path / f"{UNIQUE}c"
    process = subprocess.Popen([script(path, f"trap '' TERM; echo $$ > {noted}; while :; do sleep 0.05; done")])
    pids_in(noted, 1)

    answer = ending((path.name,), seconds=0.5)

    assert (process.wait(10), answer.exit_code) == (-signal.SIGKILL, 0)
    assert 0.5 <= answer.took < 8


@pytest.mark.real
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start another user's process")
def test_another_users_process_of_that_name_is_left_alone(tmp_path: Path) -> None:
    program = Path("/var/tmp") / f"{UNIQUE}d"        # where nobody may look
    shutil.copy("/bin/sleep", program)
    process = subprocess.Popen([str(program), "300"], preexec_fn=lambda: os.setuid(65534))
    try:
        answer = ending((program.name,))
        left = process.poll()
    finally:
        process.kill()
        process.wait()
        program.unlink()

    assert (answer.exit_code, left) == (0, None)


def test_only_our_own_users_processes_are_asked_for() -> None:
    asked: List[Sequence[str]] = []

    def run(argv: Sequence[str], timeout: float) -> Answer:
        asked.append(argv)
        return Answer("ps", 1)

    assert restart.named(("lparmgr",), run) is None
    assert asked == [("/usr/bin/ps", "-u", str(os.geteuid()), "-o", "pid=", "-o", "comm=", "-o", "args=")]


def test_of_names_those_that_our_own_user_runs_are_told() -> None:
    listed = rows(" 4711 lparmgr /usr/ios/lpm/sbin/lparmgr all\n 4712 vi vi accessprocess\n")

    assert restart.running(("accessprocess", "lparmgr"), listed) == ("lparmgr",)
    assert restart.running(("lparmgr",), lambda argv, timeout: Answer("ps", 1)) is None


@pytest.mark.real
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start another user's process")
def test_another_users_process_of_that_name_is_none_of_ours(host: SystemHost) -> None:
    program = Path("/var/tmp") / f"{UNIQUE}f"
    shutil.copy("/bin/sleep", program)
    processes = [subprocess.Popen([str(program), "300"], preexec_fn=lambda: os.setuid(65534))]
    try:
        until(lambda: Path(f"/proc/{processes[0].pid}/comm").read_text() == f"{program.name}\n")
        seen = (*host.runs((program.name,)), *(name for name in host.processes() or () if name == program.name))
        processes.append(subprocess.Popen([str(program), "300"]))
        until(lambda: host.runs((program.name,)) == (program.name,))
    finally:
        for process in processes:
            process.kill()
            process.wait()
        program.unlink()

    assert seen == ()


def test_neither_init_nor_we_ourselves_are_ever_signalled(signalled: List[int]) -> None:
    listed = "".join(f" {pid} lparmgr /usr/sbin/lparmgr\n" for pid in (0, 1, os.getpid(), -1))

    answer = restart.take(Step("end", ("@end", "lparmgr"), 1), rows(listed))

    assert (answer.exit_code, signalled) == (0, [])


def test_a_number_that_has_become_anothers_meanwhile_is_not_signalled(signalled: List[int]) -> None:
    answer = restart.take(Step("end", ("@end", "lparmgr"), 1), rows(" 4711 lparmgr lparmgr all\n", " 4711 rmcd rmcd -r\n"))

    assert (answer.exit_code, signalled) == (0, [])


@pytest.mark.parametrize("line, ends", [
    ("lparmgr /usr/ios/lpm/sbin/lparmgr all start", True),
    ("ksh /usr/bin/ksh /usr/ios/lpm/sbin/lparmgr all start", True),          # a script, as AIX shows it
    ("lparmgr /usr/bin/ksh /usr/ios/lpm/sbin/lparmgr all start", True),      # and as Linux does
    ("lparmgr [lparmgr] <defunct>", False),
    ("ksh /usr/bin/ksh -c lparmgr", False),
    ("ksh /usr/bin/ksh /home/padmin/watch lparmgr", False),
    ("vi vi /usr/ios/lpm/sbin/lparmgr", False),
    ("sleep lparmgr 300", False),
    ("lparmgr sleep 300", False),
    ("rmcd /usr/bin/ksh /usr/ios/lpm/sbin/lparmgr", False),
    ("lparmgrd /usr/ios/lpm/sbin/lparmgrd", False),
    ("lparmgr", False),
    ("ksh", False),
    ("", False),
])
def test_a_name_is_a_processs_own_or_none(line: str, ends: bool) -> None:
    assert restart.named(("lparmgr",), rows(f"    7 {line}\n\nPID x\n")) == ({7} if ends else set())


@pytest.mark.parametrize("said", [Answer("ps", 1), Answer("ps", timed_out=True), Answer("ps", 0, "7 lparmgr lpar", cut=True)])
def test_where_processes_cannot_be_listed_none_is_ended_and_that_is_no_answer(said: Answer, signalled: List[int]) -> None:
    answer = restart.take(Step("end", ("@end", "lparmgr"), 1), lambda argv, timeout: said)

    assert (answer.exit_code, answer.timed_out, signalled) == (126, True, [])
    assert answer.stderr == "cannot list the processes, so none was ended; make ps answer"


def test_what_one_of_them_starts_while_it_ends_is_ended_too(signalled: List[int]) -> None:
    first, second = " 7 lparmgr lparmgr\n", " 9 accessprocess accessprocess\n"

    answer = restart.take(Step("end", ("@end", "accessprocess", "lparmgr"), 5), rows(first, first, second, second, ""))

    assert (answer.exit_code, signalled) == (0, [7, 9])


def test_what_outlives_even_sigkill_is_told_in_the_end(signalled: List[int]) -> None:
    answer = restart.take(Step("end", ("@end", "a", "lparmgr"), 0.05), rows(" 4711 lparmgr lparmgr\n"))

    assert (answer.exit_code, answer.timed_out) == (1, False)
    assert answer.stderr == "cannot end a and lparmgr: 4711 outlived SIGKILL, or others start them"
    assert signalled == [4711] * (1 + restart.KILLS)


def test_what_cannot_be_told_after_a_signal_is_not_taken_for_an_end(signalled: List[int]) -> None:
    said = [Answer("ps", 0, " 4711 lparmgr lparmgr\n")] * 2

    answer = restart.take(Step("end", ("@end", "lparmgr"), 0.05), lambda argv, timeout: said.pop() if said else Answer("ps", 1))

    assert (answer.exit_code, answer.timed_out, signalled) == (1, False, [4711])
    assert answer.stderr == "cannot tell whether lparmgr ended: make ps answer"


@pytest.mark.real
def test_a_command_that_stays_in_the_foreground_is_left_there_in_the_end(host: SystemHost, folder: Path, tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    stays = script(tmp_path / "stays", f"echo $$ > {noted}; exec sleep 300")
    host.begin(deed(Step("start", ("@start", stays), 0.3), Step("wait", ("@wait", str(noted)), 5)), str(folder))

    progress = finished(host, folder)
    pid, = pids_in(noted, 1)
    left, said_to = runs(pid), {os.readlink(f"/proc/{pid}/fd/{number}") for number in (1, 2)} if LINUX else {os.devnull}
    os.kill(pid, signal.SIGKILL)

    assert (progress.steps, progress.failed, left) == (("start", "wait"), (), True)
    assert said_to == {os.devnull}      # a file of ours would be filled by what nobody trims


@pytest.mark.real
def test_a_helper_says_what_failed_of_a_start_and_of_a_wait(folder: Path, tmp_path: Path) -> None:
    nowhere = f"{tmp_path}/none"

    progress = performed(
        folder, Step("end", ("@end", f"{UNIQUE}e"), 5), Step("start", ("@start", SH, "-c", "echo no >&2; exit 3"), 5),
        Step("gone", ("@start", nowhere), 5), Step("wait", ("@wait", nowhere), 0.3), Step("nothing", ("@wait",), 1))

    assert progress.failed[:3] == ("start: exit 3", "gone: not found",
                                   f"wait: exit 1, cannot find {nowhere} after 0.3 seconds"[:len("wait: exit 1, ") + 120])
    assert progress.failed[3].startswith("nothing: exit 1")


@pytest.mark.real
def test_a_socket_is_waited_for_until_it_is_there(tmp_path: Path) -> None:
    late = subprocess.Popen([SH, "-c", f"sleep 0.3; : > {tmp_path}/sock"])

    answer = restart.take(Step("wait", ("@wait", str(tmp_path / "sock")), 10), Runner().run)
    late.wait()

    assert answer.exit_code == 0 and 0.2 < answer.took < 8
