"""The pure parts on a big-endian Python, as AIX's is: Debian's own for s390x, run by qemu-user. It must say what ours says.

The Python is fetched once (half a minute, 40 MB) and kept among the temporary files. It has no packages but those in
packaging/common/vendor, and neither has ours here. What starts a process is not tried: the child would not be emulated.
"""
from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator, List

import boot
import pytest

from bench import logs as bench
from house import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.real]
PACKAGES = ("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "libc6", "libexpat1", "zlib1g", "libffi8")
PYTHON = "usr/bin/python3.11"
TOOLS = {"qemu-s390x-static": "qemu-user-static", "debootstrap": "debootstrap", "dpkg-deb": "dpkg"}
FETCHED_WITHIN, RUN_WITHIN = 300.0, 120.0
CAPTURES = ROOT / "tests" / "captures"
OURS = [str(ROOT / "agent"), str(ROOT / "packaging" / "common" / "vendor"), str(ROOT / "packaging" / "common"),
        str(ROOT / "packaging" / "aix")]
BEGINNING = f"import io, json, sys\nfrom pathlib import Path\nsys.path[:0] = {OURS!r}\n"


class Pythons:
    """Ours, and the big-endian one in `place`."""

    def __init__(self, place: Path) -> None:
        root = place / "root"
        bare = ["-I", "-S", "-X", f"pycache_prefix={place / 'compiled'}"]      # no package of this machine's
        self.here = [sys.executable, *bare]
        self.there = ["qemu-s390x-static", "-L", str(root), str(root / PYTHON), *bare]

    def run(self, python: List[str], program: str, *argv: str) -> str:
        ended = subprocess.run([*python, "-c", BEGINNING + program, *argv], stdin=subprocess.DEVNULL, capture_output=True,
                               encoding="utf-8", timeout=RUN_WITHIN, check=False, env={"PATH": boot.PATH})
        assert ended.returncode == 0, ended.stderr[-4000:]
        return ended.stdout

    def alike(self, program: str, *argv: str) -> str:
        """What a program writes, on both."""
        here, there = self.run(self.here, program, *argv), self.run(self.there, program, *argv)
        assert there == here
        return there


@pytest.fixture(scope="module")
def pythons() -> Iterator[Pythons]:
    absent = [package for tool, package in TOOLS.items() if shutil.which(tool, path=boot.PATH) is None]
    if absent:
        pytest.skip(f"no big-endian Python can be run: apt-get install {' '.join(absent)}")
    place = boot.place_of("s390x")
    with open(place.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        prepare(place)
        yield Pythons(place)


def prepare(place: Path) -> None:
    """Fetch and unpack, where that has not been done; debootstrap knows the mirror, and which signature to believe."""
    told = place / "packages"
    ours = place.is_dir() and not place.is_symlink() and place.stat().st_uid == os.geteuid()
    if ours and told.exists() and told.read_text() == ",".join(PACKAGES):
        return
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o700)
    fetched = place / "fetched"
    fetch = ["debootstrap", "--download-only", "--variant=minbase", "--arch=s390x", f"--include={','.join(PACKAGES)}", "bookworm"]
    with (place / "log").open("wb") as log:
        done = subprocess.run([*fetch, str(fetched)], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                              timeout=FETCHED_WITHIN, check=False, env={**os.environ, "PATH": boot.PATH})
    if done.returncode != 0:
        because = (place / "log").read_text("utf-8", "replace")[-300:]
        pytest.skip(f"Debian's mirror did not give {', '.join(PACKAGES)} for s390x: {because}")
    for package in PACKAGES:
        archive = next((fetched / "var/cache/apt/archives").glob(f"{package}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", str(archive), str(place / "root")], stdin=subprocess.DEVNULL, check=True)
    shutil.rmtree(fetched)
    told.write_text(",".join(PACKAGES))


# ---- what it is, and what others wrote ---------------------------------------------------------------------------------

def test_the_python_is_big_endian(pythons: Pythons) -> None:
    said = pythons.run(pythons.there, "import struct; print(sys.byteorder, struct.pack('=H', 1), sys.maxunicode)")

    assert said == "big b'\\x00\\x01' 1114111\n"


YAML = """
import yaml
value = json.loads(sys.argv[1])
written = yaml.safe_dump(value, allow_unicode=True)
for encoding in (None, "utf-16-le", "utf-16-be"):         # of these two the first bytes tell the order
    data = written if encoding is None else ("\\ufeff" + written).encode(encoding)
    assert yaml.safe_load(data) == value, encoding
assert yaml.safe_load("{a: !!binary AAEC, b: 0x1F, c: 2026-03-04}")["a"] == bytes(range(3))
print(written, yaml.__version__, yaml.__with_libyaml__, yaml.__file__)
"""
VALUE = {"numbers": [0, -1, 1 << 40, 1e300, 0.1], "text": ["caf\u00e9", "\u65e5\u672c", "a\nb", "yes", ""], "none": None}


def test_yaml_reads_what_it_writes_there_in_either_order_of_bytes(pythons: Pythons) -> None:
    said = pythons.alike(YAML, json.dumps(VALUE))

    assert f"False {OURS[1]}" in said and "caf\u00e9" in said


TENACITY = """
import random, tenacity
random.seed(7)
waited, tried = [], []
def fail():
    tried.append(1)
    raise OSError("no")
for wait in (tenacity.wait_exponential(multiplier=2, max=60), tenacity.wait_random_exponential(max=30)):
    try:
        tenacity.Retrying(stop=tenacity.stop_after_attempt(6), wait=wait, sleep=waited.append, reraise=True)(fail)
    except OSError as problem:
        print(len(tried), problem, waited)
print(tenacity.__file__)
"""


def test_tenacity_waits_there_as_long_as_here(pythons: Pythons) -> None:
    said = pythons.alike(TENACITY)

    assert said.startswith("6 no [2.0, 4.0, 8.0, 16.0, 32.0]\n12 no") and OURS[1] in said


# ---- the agent ---------------------------------------------------------------------------------------------------------

CONFIG = """
from rmcagent import config
from rmcagent.config.shown import document
loaded = config.parse(Path(sys.argv[1]).read_text("utf-8"))
print(loaded.hash, json.dumps(document(loaded), sort_keys=True))
try:
    config.parse("mode: atc\\ncadence: {observe: 1 fortnight}\\n")
except config.ConfigError as problem:
    print(problem)
"""


def test_a_policy_has_the_same_hash_and_a_mistake_the_same_complaint(pythons: Pythons) -> None:
    said = pythons.alike(CONFIG, str(ROOT / "etc" / "rmcagent.yaml"))

    assert len(said.split(" ", 1)[0]) == 12 and "atc" in said


LEDGER = """
from rmcagent.ledger import Ledger
from rmcagent.model import Fault, KnownHmc, Remedy
from rmcagent.sim.clock import NEW_YEAR, VirtualClock
clock, path = VirtualClock(), sys.argv[2] + "/ledger.jsonl"
def told(ledger):
    return repr((ledger.damage, ledger.spent_at, sorted(ledger.attempts.items()), ledger.episode, ledger.known, ledger.facts,
                 ledger.decisions))
if sys.argv[1] == "write":
    ledger = Ledger(path, clock, "boot-1")
    ledger.open_episode()
    ledger.begin(Remedy.RECYCLE, Fault.LINK_DOWN, "", "E-1", "machine-1")
    ledger.saw(KnownHmc("192.0.2.21", "7063CR1*1300001", "00000000000000ff", NEW_YEAR, NEW_YEAR))
    ledger.remember("finished", 1 << 40)
    for number in range(300):
        ledger.decided({"kind": "apply", "because": "caf\\u00e9 \\udcff \\x1b", "number": number / 7})
print(told(Ledger(path, clock, "boot-1", read_only=True)))
"""


def test_a_ledger_is_the_same_bytes_and_is_read_on_the_other_side(pythons: Pythons, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir(), there.mkdir()

    written = [pythons.run(pythons.here, LEDGER, "write", str(here)), pythons.run(pythons.there, LEDGER, "write", str(there))]
    read = [pythons.run(pythons.here, LEDGER, "read", str(there)), pythons.run(pythons.there, LEDGER, "read", str(here))]

    assert (here / "ledger.jsonl").read_bytes() == (there / "ledger.jsonl").read_bytes()
    assert len({*written, *read}) == 1 and "192.0.2.21" in read[1] and read[1].startswith("('', None")


def test_a_flipped_bit_in_a_ledger_is_found_there(pythons: Pythons, tmp_path: Path) -> None:
    pythons.run(pythons.here, LEDGER, "write", str(tmp_path))
    ledger = tmp_path / "ledger.jsonl"
    content = bytearray(ledger.read_bytes())
    content[len(content) // 2] ^= 1
    ledger.write_bytes(content)

    said = pythons.alike(LEDGER, "read", str(tmp_path))

    assert "the checksum of line" in said


TELL = """
from rmcagent import classify
from rmcagent.partition.bundle.redact import hide
for path in sorted(Path(sys.argv[1]).glob("*.txt")):
    data = path.read_bytes()
    told = classify.tell(io.BytesIO(data).read, path.name)
    print(json.dumps([path.name, classify.document(told), classify.text(told), hide(data.decode("utf-8", "replace"))]))
"""


def test_every_capture_is_told_and_redacted_alike(pythons: Pythons) -> None:
    said = pythons.alike(TELL, str(CAPTURES))

    rows: List[Any] = [json.loads(line) for line in said.splitlines()]
    assert [row[0] for row in rows] == sorted(path.name for path in CAPTURES.glob("*.txt"))
    assert all(row[1]["understood"] for row in rows)


CENSUS = """
from rmcagent.partition.host import SystemHost
from rmcagent.partition.logs.census import census_of
for path in sys.argv[1:]:
    print(Path(path).name, census_of(SystemHost(), path))
"""


def test_a_log_is_counted_alike(pythons: Pythons, tmp_path: Path) -> None:
    logs = [tmp_path / name for name in sorted(bench.LOGS)]
    for log in logs:
        bench.write(log, log.name, 300_000)

    said = pythons.alike(CENSUS, *map(str, logs))

    assert len(said.splitlines()) == len(logs) and "2613-021/2610-415" in said


REHEARSE = "from rmcagent.cli import main\nsys.exit(main(sys.argv[1:]))\n"


def test_a_rehearsal_goes_alike(pythons: Pythons) -> None:
    said = json.loads(pythons.alike(REHEARSE, "rehearse", "--scenario", "ctrmc-dies", "--for", "2d", "--json"))

    assert (said["breaches"], said["begun"]) == (0, {"start": 1})


# ---- what is written for AIX -------------------------------------------------------------------------------------------

# The pages are left out, for mandoc formats them; all else of the image is there.
IMAGE = """
import hashlib
import aix_bff, building, mkbff, payload
payload.pages = list
library, image = aix_bff.liblpp(), mkbff.image(aix_bff.records(1772611200), 1772611200)
print(len(library), hashlib.sha256(library).hexdigest(), len(image), hashlib.sha256(image).hexdigest())
"""


def test_the_installp_image_and_its_archive_are_the_same_bits(pythons: Pythons) -> None:
    library, _, image, _ = pythons.alike(IMAGE).split()

    assert int(library) > 10_000 and int(image) > 500_000
