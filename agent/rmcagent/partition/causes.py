"""What answers tell beside states: why ctrmc ended, whether it starts at boot, whether a migration is under way. Pure."""
from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Optional, Sequence, Tuple

from rmcagent.model import Answer, Stop
from rmcagent.partition import parse

# Identifiers differ between levels, texts do not; other rows of a migration tell neither its start nor its end.
PHASE = re.compile(r"(client partition migration |CLIENT_PMIG_)(started|completed|aborted|done)", re.IGNORECASE)
FORGOTTEN = timedelta(hours=4)      # a migration whose end was never logged


def stop_by_systemd(answer: Answer) -> Stop:
    shown = parse.systemctl_show(answer)
    if shown.get("LoadState") == "masked":
        return Stop(False, "ctrmc.service is masked")
    if shown.get("LoadState") != "loaded":
        return Stop(None, "its cause could not be told (no ctrmc.service)")
    result = shown.get("Result", "")
    if result not in ("", "success"):
        return Stop(True, f"ctrmc.service ended with {result}")
    if shown.get("ActiveState") == "inactive" or shown.get("UnitFileState") == "disabled":
        return Stop(False, f"ctrmc.service is {shown.get('ActiveState')} and {shown.get('UnitFileState') or 'was stopped'}")
    return Stop(None, "its cause could not be told (ctrmc.service knows of no end)")


def not_at_boot_by_systemd(answer: Answer) -> str:
    """What tells that RMC does not start at boot; "": it does, or another unit or script sees to it."""
    shown = parse.systemctl_show(answer)
    if shown.get("LoadState") == "masked":
        return "ctrmc.service is masked"
    return "ctrmc.service is disabled" if shown.get("UnitFileState") == "disabled" else ""


def not_at_boot_by_inittab(answer: Answer) -> str:
    """The same of /etc/inittab, where rmcctrl -A puts an entry [documented]."""
    entry = parse.lsitab(answer)
    if entry is None:
        return "/etc/inittab has no entry ctrmc"
    return "the entry ctrmc of /etc/inittab is off" if entry.action == "off" else ""


def lparmgr_by_lsivm(answer: Answer) -> str:
    """What tells that the VIOS's lparmgr has lost RMC; "": it has not."""
    return "" if parse.lsivm(answer) else "lsivm exits 1"


def stop_by_errpt(rows: Sequence[parse.ErrptRow], alive: Optional[datetime]) -> Stop:
    """An SRC entry since ctrmc was last seen alive is a crash; RMCdaemon's own entry alone is a stop on purpose.

    Matched by resource and text, not by identifier, which differs between levels; the stop's text is inferred.
    """
    if alive is None:
        return _stop_before_us(rows)
    since = alive.replace(second=0, microsecond=0)
    recent = [row for row in rows if (_errpt_time(row) or datetime.min) >= since]
    crash = next((row for row in recent if row.resource == "SRC"), None)
    stopped = next((row for row in recent if row.resource == "RMCdaemon" and "stop" in row.description.lower()), None)
    if crash is not None and stopped is None:
        return Stop(True, f"SRC logged its abnormal end ({crash.identifier} in errpt)")
    if stopped is not None and crash is None:
        return Stop(False, "errpt shows that RMC was stopped")
    return Stop(None, "errpt does not tell why")


def _stop_before_us(rows: Sequence[parse.ErrptRow]) -> Stop:
    """What RMCdaemon itself logged last; an SRC entry of long ago may tell of any subsystem."""
    last = next((row for row in rows if row.resource in ("RMCdaemon", "SRC") and _tells_of_an_end_or_start(row)), None)
    if last is not None and last.resource == "RMCdaemon" and "stop" in last.description.lower():
        return Stop(False, "errpt shows that RMC was stopped")
    return Stop(None, "its cause could not be told (never seen alive by this agent)")


def _tells_of_an_end_or_start(row: parse.ErrptRow) -> bool:
    return row.resource == "SRC" or any(word in row.description.lower() for word in ("started", "stop"))


def migration(rows: Sequence[parse.ErrptRow], local: datetime, quiet: timedelta) -> Tuple[str, str]:
    """(what holds a remedy now, what is only worth telling) of the newest migration; times are errpt's own, local."""
    for row in rows:        # newest first
        at, phase = _errpt_time(row), PHASE.search(row.description)
        if at is None or phase is None:
            continue
        age = local - at
        if "started" not in phase.group().lower():
            return (f"a migration ended at {at:%H:%M} (errpt {row.identifier})" if age < quiet else ""), ""
        if age < FORGOTTEN:
            return f"a migration started at {at:%H:%M} (errpt {row.identifier})", ""
        return "", f"the end of a migration that started on {at:%d %b at %H:%M} was never logged; it no longer holds anything"
    return "", ""


def _errpt_time(row: parse.ErrptRow) -> Optional[datetime]:
    try:
        return datetime.strptime(row.at_text, "%m%d%H%M%y")
    except ValueError:
        return None
