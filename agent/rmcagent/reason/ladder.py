"""The remedies, gentlest first: what each treats, which may be repeated, and which disturb others."""
from __future__ import annotations

from datetime import timedelta
from typing import FrozenSet, Mapping, Tuple

from rmcagent.config import Settings, spell
from rmcagent.model import Fault, Remedy

REFRESH, START, MANAGER = Remedy.REFRESH, Remedy.START, Remedy.MANAGER
LPARMGR, RECYCLE, RECFGCT = Remedy.LPARMGR, Remedy.RECYCLE, Remedy.RECFGCT

# Gravest first. A fault without remedies is reported with the human's steps.
LADDER: Mapping[Fault, Tuple[Remedy, ...]] = {
    Fault.VAR_FULL: (),                                     # no restart helps a full /var; recfgct would harm
    Fault.RMC_DOWN: (START, RECYCLE),
    Fault.RMC_STOPPED: (START,),                            # only after start.after_stop: an operator did it on purpose
    Fault.RMC_HUNG: (RECYCLE,),
    Fault.MANAGER_DOWN: (MANAGER, RECYCLE),
    Fault.REMOTE_DISABLED: (REFRESH,),
    Fault.IDENTITY_CLASH: (RECFGCT,),
    Fault.CLONED_NODE: (RECYCLE, RECFGCT),
    Fault.NO_HMC: (REFRESH, RECYCLE, RECFGCT),
    Fault.LINK_PENDING: (REFRESH, RECYCLE, RECFGCT),
    Fault.LINK_DOWN: (REFRESH, RECYCLE, RECFGCT),           # recfgct only where recfgct.treats names it
    Fault.LINK_FLAPPING: (),
    Fault.LINK_BLOCKED: (),
    Fault.HMC_UNREACHABLE: (),
    Fault.HMC_SIDE: (),
    Fault.LOG_STORM: (RECYCLE,),
    Fault.LPARMGR_STUCK: (LPARMGR, REFRESH, RECYCLE),
    Fault.LINK_PARTIAL: (REFRESH,),                         # never more: it would cut the working HMC
    Fault.STALE_HMC: (),
    Fault.NOT_AT_BOOT: (),
}
GRAVITY: Tuple[Fault, ...] = tuple(LADDER)

# These count as one fault when asking whether recycle was judged UNCHANGED.
LINK_FAULTS: FrozenSet[Fault] = frozenset({Fault.LINK_DOWN, Fault.LINK_PENDING, Fault.NO_HMC})
# Of these a recycle is only as good as the HMC that the link leads to; lparmgr-stuck is treated as link-down where none is up.
WAITING_FOR_HMC: FrozenSet[Fault] = LINK_FAULTS | {Fault.LPARMGR_STUCK}
IDENTITY_FAULTS: FrozenSet[Fault] = frozenset({Fault.IDENTITY_CLASH, Fault.CLONED_NODE})

DISRUPTIVE: FrozenSet[Remedy] = frozenset({RECYCLE, RECFGCT})
REPEATABLE: FrozenSet[Remedy] = frozenset({REFRESH, START, MANAGER, LPARMGR, RECYCLE})


def remedies_for(fault: Fault, settings: Settings) -> Tuple[Remedy, ...]:
    """The fault's rungs under this policy, gentlest first; those switched off stay in, to be counted as tried."""
    treats = settings.remedies["recfgct"].treats
    return tuple(remedy for remedy in LADDER[fault] if remedy is not RECFGCT or fault.value in treats)


def so_often(times: int, span: timedelta = timedelta(0)) -> str:
    """As a sentence ends: once, twice, 3 times in 24 h."""
    often = {1: "once", 2: "twice"}.get(times, f"{times} times")
    hours = span / timedelta(hours=1)
    within = f"{hours / 24:.0f} d" if hours > 48 and hours % 24 == 0 else f"{hours:.0f} h" if hours % 1 == 0 else spell(span)
    return f"{often} in {within}" if span else often
