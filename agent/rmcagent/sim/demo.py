"""`rmcagent demo`: the real daemon on a simulated partition that breaks in four ways; exits 0 only if all end as they should."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import Callable, List, NamedTuple, Tuple

from rmcagent.show import status_text
from rmcagent.sim.live.stage import Stage, Told

PATIENCE = 40.0  # seconds an act may take before it has failed
EXPLAINED = {
    "RMCA1001I": "the agent has started",
    "RMCA2001W": "problem",
    "RMCA2002N": "gone",
    "RMCA3001N": "remedy",
    "RMCA3002N": "healed",
    "RMCA3003W": "no change",
    "RMCA3004W": "REFUSED",
    "RMCA3007W": "new node id",
    "RMCA4001E": "needs a human",
    "RMCA4002W": "elsewhere",
}


class Act(NamedTuple):
    title: str
    happens: str
    breaks: Callable[[Stage], None]
    ends: Tuple[str, str]  # the event that ends it: code, remedy
    did: Tuple[str, ...]  # every changing command of the act, in its order
    healthy: bool


REFRESH = ("rmcctrl -p", "rmcrefreshMD -s ctrmc", "refrsrc IBM.MCP")
RECYCLE = ("rmcctrl -z", "rmcctrl -A", "rmcctrl -p")


def _kill_ctrmc(stage: Stage) -> None:
    pid = stage.world.pid("ctrmc")
    if pid:
        os.kill(pid, signal.SIGKILL)


def _join_cluster(stage: Stage) -> None:
    stage.world.do("start_caa")
    stage.world.do("break_identity")


ACTS = (
    Act("ctrmc is killed", "kill -9 of the RMC daemon's process.", _kill_ctrmc, ("RMCA3002N", "start"), RECYCLE[1:], True),
    Act(
        "a session is stuck",
        "The HMC answers on its port, but its session here is dead until RMC is recycled.",
        lambda stage: stage.world.do("stick_session", mended_by="recycle"),
        ("RMCA3002N", "recycle"),
        (*REFRESH, *RECYCLE),
        True,
    ),
    Act(
        "the identity is broken",
        "HMC and partition do not accept each other any more; only recfgct mends that.",
        lambda stage: stage.world.do("break_identity"),
        ("RMCA3002N", "recfgct"),
        (*REFRESH, *RECYCLE, "recfgct", "rmcctrl -p"),
        True,
    ),
    Act(
        "the same, on a cluster node",
        "The identity breaks again, but now CAA is active: recycle and recfgct could halt this node.",
        _join_cluster,
        ("RMCA3004W", "recycle"),
        REFRESH,
        False,
    ),
)


def main() -> int:
    """Play the four acts; 0 when all four ended as they should, else 1."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    with tempfile.TemporaryDirectory(prefix="rmcagent-demo-") as folder, Stage(Path(folder)) as stage:
        began = time.monotonic()
        narrate = _Narrator(began)
        narrate.title("A simulated AIX partition with one HMC, and the real rmcagent on it (minutes shortened to seconds)")
        stage.start()
        if not stage.wait_healthy(PATIENCE, narrate.event):
            print(f"the agent did not come up:\n{stage.complaints()}", file=sys.stderr)
            return 1
        failed = [act.title for number, act in enumerate(ACTS, 1) if not _play(number, act, stage, narrate)]
        print(f"\nWhat `rmcagent status` says now:\n\n{textwrap.indent(status_text(stage.status()), '  ')}")
        complaints = stage.complaints()
        code = stage.stop()
    seconds = time.monotonic() - began
    if failed or code != 0 or complaints:
        print(
            f"FAILED after {seconds:.0f} s: {'; '.join(failed) or 'the daemon did not end well'}\n{complaints}", file=sys.stderr
        )
        return 1
    print(f"All four ended as they should, in {seconds:.0f} s.")
    return 0


def _end(number: int, frame: object) -> None:
    """Whoever ends the demo ends what it started: the partition, the daemon on it, the folder."""
    raise SystemExit(128 + number)


def _play(number: int, act: Act, stage: Stage, narrate: _Narrator) -> bool:
    narrate.title(f"{number}. {act.title}: {act.happens}")
    before, heard = len(stage.did()), len(stage.told)
    act.breaks(stage)
    code, remedy = act.ends
    ended = stage.wait_for(code, PATIENCE, heard, narrate.event, remedy=remedy) is not None
    if act.healthy:
        ended = ended and stage.wait_healthy(PATIENCE, narrate.event)
    else:
        # A refusal must last: long enough for every grace and settle of the ladder to pass once more.
        ended = ended and not stage.wait_until(lambda: len(stage.did()) > before + len(act.did), 6.0, narrate.event)
        ended = ended and stage.status().get("verdict") == "needs-human"
    did = tuple(stage.did()[before:])
    narrate.say("commands", ", ".join(did) or "none")
    if did != act.did:
        narrate.say("expected", ", ".join(act.did))
    narrate.say("result", "as it should be" if ended and did == act.did else "NOT AS IT SHOULD BE")
    return ended and did == act.did


class _Narrator:
    """Prints the daemon's own events, as it sent them to syslog, in 80 columns."""

    def __init__(self, began: float) -> None:
        self.began = began

    def title(self, text: str) -> None:
        print("\n" + "\n".join(textwrap.wrap(text, 78)), flush=True)

    def event(self, told: Told) -> None:
        fields = told.fields
        parts: List[str] = [fields[name] for name in ("remedy", "fault") if name in fields]
        if told.code == "RMCA3007W":
            parts = [f"{fields.get('before', '?')} -> {fields.get('after', '?')}"]
        because = fields.get("unblock") if told.code == "RMCA3004W" else None
        evidence = (
            fields.get("because") if told.code in ("RMCA3003W", "RMCA3004W") else fields.get("evidence") or fields.get("healed")
        )
        self.say(EXPLAINED.get(told.code, told.word), ", ".join(parts) + (f": {evidence}" if evidence else ""), told.code)
        if because:
            self.say("unblock", because)

    def say(self, label: str, text: str, code: str = "") -> None:
        lead = f"{time.monotonic() - self.began:5.1f} s  {code:<10} {label:<12} " if code else f"{'':19}{label:<12} "
        print("\n".join(textwrap.wrap(text, 80, initial_indent=lead, subsequent_indent=" " * 32) or [lead.rstrip()]), flush=True)
