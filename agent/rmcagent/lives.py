"""How the agent's own lives ended: crashes counted over restarts, and the loop they make, in which it only observes.

What is remembered is one small record in the ledger, of this boot: a reboot begins anew. It is dated by the steady clock, so
that a wall clock set forward or back neither adds nor forgets a crash.
"""
from __future__ import annotations

from typing import Any, Mapping, Tuple

from rmcagent.frozen import asdict, dataclass, replace
from rmcagent.ledger import Ledger

CRASHES_ALLOWED = 3
CRASH_SPAN = 15 * 60.0          # that many within this: observe only
QUIET_SPAN = 60 * 60.0          # until none has happened for this long
FACT = "lives"


@dataclass(frozen=True)
class Lives:
    """`pid` is that of the life that has not ended cleanly, 0: none. `crashes` are the newest, in the boot's seconds, as is
    `at`, when this was noted."""

    boot: str
    at: float = 0.0
    pid: int = 0
    crashes: Tuple[float, ...] = ()
    loop: bool = False


def begin(ledger: Ledger, pid: int) -> int:
    """A life begins. The pid of the one before, where that ended without its clean stop, which is a crash; else 0."""
    before = _remembered(ledger)
    after = crashed(before, _seconds(ledger)) if before.pid else before
    _remember(ledger, replace(after, pid=pid))
    return before.pid


def mistaken(ledger: Ledger) -> None:
    """A mistake of ours ended a turn, and not the life: a crash all the same."""
    _remember(ledger, crashed(_remembered(ledger), _seconds(ledger)))


def end(ledger: Ledger) -> None:
    """A clean stop is no crash; those before it still count."""
    _remember(ledger, replace(_remembered(ledger), pid=0))


def in_loop(ledger: Ledger) -> bool:
    """Whether the agent only observes: three crashes in a quarter of an hour, and no quiet hour since."""
    told = ledger.facts.get(FACT)
    return bool(told and told["loop"]) and looping(_remembered(ledger), _seconds(ledger))


def looping(lives: Lives, now: float) -> bool:
    return lives.loop and now - lives.crashes[-1] < QUIET_SPAN


def crashed(lives: Lives, now: float) -> Lives:
    """One crash more; of the older ones only those that may still make a loop are kept."""
    crashes = (*lives.crashes, now)[-CRASHES_ALLOWED:]
    many = len(crashes) == CRASHES_ALLOWED and now - crashes[0] < CRASH_SPAN
    return replace(lives, crashes=crashes, loop=many or looping(lives, now))


def _remembered(ledger: Ledger) -> Lives:
    """Of this boot: seconds that lie ahead of ours are those of another one, whatever it is called."""
    told: Mapping[str, Any] = ledger.facts.get(FACT) or {}
    if told.get("boot") != ledger.boot or told["at"] > _seconds(ledger):
        return Lives(ledger.boot)
    return Lives(ledger.boot, told["at"], told["pid"], tuple(told["crashes"]), told["loop"] and bool(told["crashes"]))


def _remember(ledger: Ledger, lives: Lives) -> None:
    ledger.remember(FACT, {**asdict(lives), "crashes": list(lives.crashes), "at": _seconds(ledger)})


def _seconds(ledger: Ledger) -> float:
    return ledger.steady.clock.monotonic()
