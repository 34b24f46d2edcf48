"""The launcher under each shell that resembles AIX's: which Python it takes, what it tells it, how it waits for SRC's sake."""
from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Dict, Iterator, List

import pytest

import aix_root
from aix_root import SHELLS, AixRoot
from house import ROOT
from rmcagent.show.codes import STATUS_CODES

pytestmark = [pytest.mark.slow, pytest.mark.real]
LAUNCHER = ROOT / "packaging" / "common" / "rmcagent.sh"
# Says that it is 3.9 when it is asked, and otherwise what it was started with.
PYTHON = """#!/bin/sh
case "$*" in
    *version_info*) exit @OLD@ ;;
esac
echo "$0 $*"
env | grep -E '^(PYTHON|LD|LIBPATH|PATH=|LC_ALL|LANG|TZ|KEEP)' | while read -r line; do echo "env $line"; done
echo "pid $$"
"""
STARTED = "var/rmcagent/started"


@pytest.fixture(params=SHELLS)
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AixRoot]:
    aix_root.needs()
    made = AixRoot(tmp_path / "root", request.param)
    made.write("opt/rmcagent/bin/rmcagent", LAUNCHER.read_text(), 0o755)
    (made.folder / "var" / "rmcagent").mkdir()
    yield made


def python(root: AixRoot, path: str, old: bool = False) -> None:
    # Under dash, which starts no other shell's builtins; what is tested is the launcher's shell.
    root.link("sh-of-python", "dash")
    root.write(path, PYTHON.replace("@OLD@", "1" if old else "0").replace("#!/bin/sh", "#!/usr/bin/sh-of-python"), 0o755)


def launch(root: AixRoot, *words: str, **told: str) -> List[str]:
    return root.run("/opt/rmcagent/bin/rmcagent", *words, **told).stdout.splitlines()


# ---- which Python ------------------------------------------------------------------------------------------------------

def test_the_systems_own_comes_first_and_is_told_to_keep_to_itself(root: AixRoot) -> None:
    python(root, "usr/bin/python3")
    python(root, "opt/freeware/bin/python3")

    said = launch(root, "status", "--json", "a b")

    assert said[0] == "/usr/bin/python3 -I -B -X utf8 /opt/rmcagent/lib/__main__.py status --json a b"


def test_one_that_is_too_old_is_passed_over(root: AixRoot) -> None:
    python(root, "usr/bin/python3", old=True)
    python(root, "opt/freeware/bin/python3", old=True)
    python(root, "opt/freeware/bin/python3.11")

    assert launch(root, "status")[0].startswith("/opt/freeware/bin/python3.11 -I")


def test_one_that_was_named_is_taken_from_the_environment_or_from_the_file(root: AixRoot) -> None:
    python(root, "usr/bin/python3")
    python(root, "opt/mine")
    python(root, "opt/yours")
    root.write("etc/rmcagent/env", "# which Python\nRMCAGENT_PYTHON=/opt/mine\n")

    assert launch(root, "status")[0].startswith("/opt/mine -I")
    assert launch(root, "status", RMCAGENT_PYTHON="/opt/yours")[0].startswith("/opt/yours -I")


@pytest.mark.parametrize("line", ['RMCAGENT_PYTHON="/opt/mine"', "RMCAGENT_PYTHON='/opt/mine' ", "RMCAGENT_PYTHON=/opt/mine\r",
                                  "export RMCAGENT_PYTHON=/opt/mine", "RMCAGENT_PYTHON=/opt/none\nRMCAGENT_PYTHON=/opt/mine"])
def test_the_files_line_may_be_written_as_a_shell_or_windows_has_it(root: AixRoot, line: str) -> None:
    python(root, "opt/mine")
    root.write("etc/rmcagent/env", f"# which Python\n{line}\n")

    assert launch(root, "status")[0].startswith("/opt/mine -I")


@pytest.mark.parametrize("path", ["etc/rmcagent/env", "etc/rmcagent"])
@pytest.mark.parametrize("owner, mode", [(65534, 0o755), (0, 0o775), (0, 0o757)])
def test_a_file_that_others_may_change_is_told_and_done_without(root: AixRoot, path: str, owner: int, mode: int) -> None:
    python(root, "usr/bin/python3")
    python(root, "opt/mine")
    root.write("etc/rmcagent/env", "RMCAGENT_PYTHON=/opt/mine\n")
    before = launch(root, "status")
    os.chown(root.folder / path, owner, 0)
    (root.folder / path).chmod(mode)

    told, started = launch(root, "status")[:2]

    assert before[0].startswith("/opt/mine -I") and started.startswith("/usr/bin/python3 -I")
    assert told.startswith("rmcagent: cannot trust /etc/rmcagent/env, which others than root may change, and does without it; ")
    assert "run: chown root /etc/rmcagent /etc/rmcagent/env; chmod go-w" in told


def test_a_link_is_told_and_done_without_for_where_it_leads_others_may_put_what_is_roots(root: AixRoot) -> None:
    python(root, "usr/bin/python3")
    python(root, "opt/mine")
    root.write("srv/env", "RMCAGENT_PYTHON=/opt/mine\n")
    os.chown(root.folder / "srv", 65534, 0)
    (root.folder / "etc/rmcagent/env").symlink_to("/srv/env")

    told, started = launch(root, "status")[:2]

    assert told == "rmcagent: cannot trust /etc/rmcagent/env, which is a link, and does without it; put a file in its place"
    assert started.startswith("/usr/bin/python3 -I")


def test_without_any_it_says_where_it_looked_and_what_brings_one(root: AixRoot) -> None:
    done = root.run("/opt/rmcagent/bin/rmcagent", "status")
    run = root.run("/opt/rmcagent/bin/rmcagent", "run")

    assert done.returncode == run.returncode == 1
    assert done.stdout.startswith("rmcagent: cannot run: no Python 3.9 or later among /usr/bin/python3 /usr/opt/python3/bin/")
    assert "RMCAGENT_PYTHON" in done.stdout and len(done.stdout.splitlines()) == 1
    # The error log hears of a daemon only, and nothing waits: SRC shall give up.
    assert [line.split()[0] for line in root.odm.log()] == ["errlogger"]
    assert not root.exists(STARTED)


def test_one_that_was_named_and_is_none_is_told_by_its_name(root: AixRoot) -> None:
    python(root, "usr/bin/python3")

    assert "among /opt/none;" in launch(root, "status", RMCAGENT_PYTHON="/opt/none")[0]


QUICK = "-I -S -B -X utf8 /opt/rmcagent/lib/__main__.py"


def named(root: AixRoot) -> None:
    """python3 is python3.12, by its name only: asked, it says that it is too old."""
    if os.path.realpath(root.folder / "usr/bin/sh").endswith("posh"):
        pytest.skip("posh has no -ef")
    python(root, "usr/bin/python3.12", old=True)
    (root.folder / "usr/bin/python3").symlink_to("python3.12")
    python(root, "opt/freeware/bin/python3")


@pytest.mark.parametrize("verb", ["status", "check"])
def test_what_is_asked_often_starts_python_once_and_without_others_packages(root: AixRoot, verb: str) -> None:
    named(root)

    said = launch(root, verb, "--config", "a b")

    assert said[0] == f"/usr/bin/python3 {QUICK} {verb} --config a b"
    assert "env LC_ALL=C" in said and "env PATH=/usr/bin:/usr/sbin:/etc:/usr/ucb:/bin:/sbin" in said


@pytest.mark.parametrize("verb, told", [
    ("run", {}), ("plan", {}), ("status", {"LIBPATH": "/evil"}), ("check", {"PYTHONHOME": "/evil"}),
])
def test_whatever_needs_more_care_takes_the_longer_way(root: AixRoot, verb: str, told: Dict[str, str]) -> None:
    named(root)

    said = launch(root, verb, **told)

    assert said[0] == f"/opt/freeware/bin/python3 -I -B -X utf8 /opt/rmcagent/lib/__main__.py {verb}"
    assert [line for line in said if line.startswith(("env LIBPATH", "env PYTHON"))] == []


def test_what_is_asked_often_takes_the_python_that_was_named(root: AixRoot) -> None:
    named(root)
    python(root, "opt/mine")
    root.write("etc/rmcagent/env", "RMCAGENT_PYTHON=/opt/mine\n")

    assert launch(root, "status")[0].startswith("/opt/mine -I -B")


LAUNCHERS = {"opt/rmcagent/bin/rmcagent": LAUNCHER, "usr/bin/rmcagent": ROOT / "packaging" / "linux" / "rmcagent.sh"}
# What it is started with is written down. Of a Python that cannot start that is the version's question, too.
ENDS = """#!/usr/bin/sh-of-python
echo "$*" >>/odm/starts
@ASKED@
echo "not loaded" >&2
@END@
"""


@pytest.fixture(params=LAUNCHERS)
def program(root: AixRoot, request: pytest.FixtureRequest) -> str:
    """The launcher of AIX, and that of Linux."""
    if request.param.startswith("usr") and os.path.realpath(root.folder / "usr/bin/sh").endswith("posh"):
        pytest.skip("no Linux has posh for its sh")
    root.write(request.param, LAUNCHERS[request.param].read_text(), 0o755)
    return f"/{request.param}"


def ends(root: AixRoot, end: str, starts: bool) -> None:
    """python3 is python3.12 by its name, and ends like that."""
    root.link("sh-of-python", "dash")
    asked = 'case "$*" in *version_info*) exit 0 ;; esac' if starts else ""
    root.write("usr/bin/python3.12", ENDS.replace("@END@", end).replace("@ASKED@", asked), 0o755)
    (root.folder / "usr/bin/python3").symlink_to("python3.12")


@pytest.mark.parametrize("verb, end", [("status", "exit 255"), ("check", "exit 127"), ("check", "exit 1"),
                                       ("status", "kill -ILL $$"), ("run", "exit 255"), ("config", "exit 1")])
def test_one_that_cannot_start_is_passed_over_whatever_its_name_says(root: AixRoot, program: str, verb: str,
                                                                            end: str) -> None:
    ends(root, end, starts=False)
    python(root, "opt/freeware/bin/python3")
    python(root, "usr/bin/python3.9")

    done = root.run(program, verb, "a b")

    said = [line for line in done.stdout.splitlines() if "__main__.py" in line]
    assert len(said) == 1 and said[0].startswith(("/opt/freeware/bin/python3 -I", "/usr/bin/python3.9 -I"))
    assert said[0].endswith(f"/__main__.py {verb} a b") and done.returncode == 0
    assert "not loaded" not in done.stdout or verb in ("status", "check")


@pytest.mark.parametrize("code", [1, 126, 255])
def test_what_a_python_that_starts_ends_with_is_told_and_nothing_is_run_twice(root: AixRoot, program: str, code: int) -> None:
    ends(root, f"exit {code}", starts=True)
    python(root, "opt/freeware/bin/python3")
    python(root, "usr/bin/python3.9")

    done = root.run(program, "check")

    assert done.returncode == code and done.stdout == "not loaded\n"
    assert len([line for line in root.read("odm/starts").splitlines() if line.endswith(" check")]) == 1


def test_an_end_that_is_ours_alone_costs_no_other_start(root: AixRoot, program: str) -> None:
    if os.path.realpath(root.folder / "usr/bin/sh").endswith("posh"):
        pytest.skip("posh has no -ef")
    ends(root, "exit $CODE", starts=True)
    codes = sorted({0, 2, 3, *STATUS_CODES.values()})

    ended = [root.run(program, "check", CODE=str(code)).returncode for code in codes]

    assert ended == codes and len(root.read("odm/starts").splitlines()) == len(codes)


def test_what_goes_on_until_it_is_interrupted_makes_way_for_python(root: AixRoot, program: str) -> None:
    ends(root, 'echo "is $$"', starts=True)

    said = root.run("/bin/sh", "-c", f'echo "was $$"; exec {program} status --watch').stdout.split()

    assert said[1] == said[-1] and "--watch" in root.read("odm/starts")


# ---- environment -------------------------------------------------------------------------------------------------------

def test_what_would_lead_astray_is_gone_and_the_rest_stays(root: AixRoot) -> None:
    python(root, "usr/bin/python3")

    said = launch(root, "status", LIBPATH="/evil", LD_PRELOAD="", LDR_PRELOAD64="/evil", LD_LIBRARY_PATH="/evil",
                  PYTHONPATH="/evil", PYTHONHOME="/evil", LC_ALL="Fr_FR", PATH="/evil", TZ="CET-1CEST", KEEP="yes")

    assert sorted(line for line in said if line.startswith("env ")) == [
        "env KEEP=yes", "env LANG=C", "env LC_ALL=C", "env PATH=/usr/bin:/usr/sbin:/etc:/usr/ucb:/bin:/sbin", "env TZ=CET-1CEST"]


def test_it_makes_way_for_python(root: AixRoot) -> None:
    """SRC's child must be Python itself, or its signals would miss it."""
    python(root, "usr/bin/python3")

    said = root.run("/bin/sh", "-c", 'echo "mine $$"; exec /opt/rmcagent/bin/rmcagent run').stdout.splitlines()

    assert said[0].split()[1] == said[-1].split()[1]


def test_few_files_are_open_to_it(root: AixRoot) -> None:
    if os.path.realpath(root.folder / "usr/bin/sh").endswith("posh"):
        pytest.skip("posh has no ulimit")
    root.link("sh-of-python", "dash")
    limits = 'case "$*" in *version_info*) exit 0 ;; esac\nulimit -S -n; ulimit -H -n\n'
    root.write("usr/bin/python3", f"#!/usr/bin/sh-of-python\n{limits}", 0o755)

    soft, hard = root.run("/bin/sh", "-c", "ulimit -n 4096; exec /opt/rmcagent/bin/rmcagent status").stdout.split()
    few = root.run("/bin/sh", "-c", "ulimit -n 100; exec /opt/rmcagent/bin/rmcagent status").stdout.split()

    assert (soft, hard, few) == ("2048", "4096", ["100", "100"])


# ---- back-off ----------------------------------------------------------------------------------------------------------

@pytest.fixture
def quick(root: AixRoot) -> AixRoot:
    """No pause takes time, and each is written down; by its path, for some shells sleep by themselves."""
    in_one = LAUNCHER.read_text().replace('sleep "$breath" &', '/usr/bin/sleep "$breath" &').replace("breath=5", "breath=900")
    root.write("opt/rmcagent/bin/rmcagent", in_one, 0o755)
    python(root, "usr/bin/python3")
    (root.folder / "usr" / "bin" / "sleep").unlink()
    root.write("usr/bin/sleep", '#!/bin/sh\necho "$1" >>/odm/slept\n', 0o755)
    return root


def slept(root: AixRoot) -> List[str]:
    return root.read("odm/slept").split() if root.exists("odm/slept") else []


def test_starts_that_follow_upon_each_other_wait_ever_longer_up_to_a_bound(quick: AixRoot) -> None:
    for _ in range(8):
        launch(quick, "run")

    assert slept(quick) == ["60", "120", "240", "480", "900", "900", "900"]


def test_a_pause_in_pieces_is_as_long(quick: AixRoot) -> None:
    launcher = "opt/rmcagent/bin/rmcagent"
    quick.write(launcher, quick.read(launcher).replace("breath=900", "breath=25"), 0o755)

    for _ in range(3):
        launch(quick, "run")

    assert slept(quick) == ["25", "25", "10", "25", "25", "25", "25", "20"]


def test_only_the_daemon_waits(quick: AixRoot) -> None:
    for _ in range(3):
        launch(quick, "status")

    assert slept(quick) == [] and not quick.exists(STARTED)


def test_after_a_clean_stop_nothing_waits(quick: AixRoot) -> None:
    launch(quick, "run")
    quick.write("var/rmcagent/public/status.json", '{\n "schema": 1,\n "verdict": "not-running"\n}\n')
    later(quick, "var/rmcagent/public/status.json")

    launch(quick, "run")

    assert slept(quick) == []


def test_a_clean_stop_of_an_earlier_life_does_not_count(quick: AixRoot) -> None:
    quick.write("var/rmcagent/public/status.json", '{"verdict": "not-running"}\n')
    later(quick, "var/rmcagent/public/status.json", -5)
    launch(quick, "run")

    launch(quick, "run")

    assert slept(quick) == ["60"]


def test_a_configuration_edited_since_is_tried_at_once(quick: AixRoot) -> None:
    launch(quick, "run")
    later(quick, "etc/rmcagent/conf.d/50-site.yaml")

    launch(quick, "run")

    assert slept(quick) == []


@pytest.mark.parametrize("told", ["nonsense", "1 2 3\n", "", "99999999999 1", "-5 x"])
def test_a_damaged_record_is_no_record(quick: AixRoot, told: str) -> None:
    quick.write(STARTED, told)
    later(quick, STARTED, 5)

    assert launch(quick, "run")[0].startswith("/usr/bin/python3") and slept(quick) == []


def test_a_life_of_over_a_minute_begins_anew(quick: AixRoot) -> None:
    launch(quick, "run")
    began, count = quick.read(STARTED).split()
    quick.write(STARTED, f"{int(began) - 61} 4\n")
    later(quick, STARTED, 5)

    launch(quick, "run")

    assert slept(quick) == [] and quick.read(STARTED).split()[1] == "0"


def test_a_state_folder_that_takes_nothing_is_told_and_hinders_nothing(quick: AixRoot) -> None:
    (quick.folder / STARTED).mkdir()

    said = launch(quick, "run")

    assert any(line.startswith("rmcagent: cannot write /var/rmcagent/started") for line in said)
    assert any(line.startswith("/usr/bin/python3") for line in said)


def later(root: AixRoot, path: str, seconds: float = 2) -> None:
    moment = time.time() + seconds
    os.utime(root.folder / path, (moment, moment))


def test_a_stop_ends_the_pause_soon_and_cleanly(root: AixRoot) -> None:
    python(root, "usr/bin/python3")
    launch(root, "run")
    with root.start("/opt/rmcagent/bin/rmcagent", "run") as process:
        assert process.stdout is not None
        said = process.stdout.readline()

        process.send_signal(signal.SIGTERM)

        assert "waiting 60 s, or SRC would give it up" in said
        assert process.wait(10) == 0
