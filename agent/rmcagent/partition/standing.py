"""What seldom changes: who this node is, whether RMC starts at boot, the VIOS's lparmgr. Asked daily, sooner in doubt."""
from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Callable, Dict, Optional, Protocol, Tuple

from rmcagent.clock import Steady
from rmcagent.model import Answer, Fact, How, Platform, StandingFacts
from rmcagent.partition import causes, parse
from rmcagent.partition.host import Host
from rmcagent.partition.platform import Place

DAILY, HOURLY, AT_ONCE = timedelta(hours=24), timedelta(hours=1), timedelta(0)
IN_DOUBT = timedelta(minutes=10)        # while no HMC is connected, or the last answer told of trouble, or nothing
LONGEST_FILE = 4096
LPARMGR = ("lparmgr", "accessprocess")


class Ask(Protocol):
    """Run one command and read its answer; a Fact, whatever happens."""

    def __call__(self, name: str, arguments: Tuple[str, ...], read: Callable[[Answer], Any]) -> Fact[Any]: ...


class Standing:
    """Remembers each answer until it is due again."""

    def __init__(self, host: Host, steady: Steady, ask: Ask) -> None:
        self.host, self.steady, self.ask = host, steady, ask
        self._known: Dict[str, Tuple[datetime, Fact[Any]]] = {}
        self._understood: Dict[str, Tuple[Optional[bytes], str]] = {}       # of each file what it held, and what that means

    def look(self, place: Place, doubted: bool) -> StandingFacts:
        """`doubted`: RMC runs and no HMC is connected, so that who this node is may be why."""
        node_file = self._node_id(place.paths["node_id"])
        wait = IN_DOUBT if doubted else DAILY
        return StandingFacts(
            node_file=node_file,
            node_copy=self._node_id(f"{place.paths['var_ct']}/cfg/ct_node_id"),
            node_command=self._node_command(node_file, wait),
            cluster0=self._cluster0(place, wait),
            at_boot=self._due("at_boot", DAILY, lambda: self._at_boot(place), IN_DOUBT),
            lparmgr=self._lparmgr(place, min(wait, HOURLY)),
        )

    def _node_command(self, node_file: Fact[str], wait: timedelta) -> Fact[str]:
        """An answer of before the file was changed is no contradiction: it is asked again at once."""
        known = self._known.get("lsnodeid")
        if known is not None and node_file.value and known[1].value not in (None, node_file.value):
            wait = AT_ONCE
        return self._due("lsnodeid", wait, lambda: self.ask("lsnodeid", (), parse.node_id))

    def _node_id(self, path: str) -> Fact[str]:
        text = self.host.read_from(path, 0, LONGEST_FILE)
        if text is None and not self.host.exists(path):
            return Fact(How.MISSING, because=f"{path} does not exist", source=path)
        before = self._understood.get(path)
        if before is None or before[0] != text:
            try:
                before = (text, parse.node_id((text or b"").decode("utf-8", "replace")))
            except parse.Unreadable:
                return Fact(How.GAP, because=f"{path} does not hold a node id", source=path)
            self._understood[path] = before
        return Fact(How.SEEN, before[1], source=path, at=self.steady.now())

    def _cluster0(self, place: Place, wait: timedelta) -> Fact[str]:
        """CAA's device may keep a node's UUID that recfgct does not change."""
        if place.platform is Platform.LINUX:
            return Fact(How.INAPPLICABLE)
        return self._due("cluster0", wait, lambda: self.ask("lsattr", ("-El", "cluster0"), parse.cluster0_uuid))

    def _at_boot(self, place: Place) -> Fact[str]:
        if place.platform is Platform.LINUX:
            shown = ("show", "ctrmc.service", "-p", "LoadState,UnitFileState")
            return self.ask("systemctl", shown, causes.not_at_boot_by_systemd)
        return self.ask("lsitab", ("ctrmc",), causes.not_at_boot_by_inittab)

    def _lparmgr(self, place: Place, wait: timedelta) -> Fact[str]:
        """[my inference, from one administrator's notes: lsivm exits 1, or the socket is gone, when lparmgr has lost RMC]"""
        if place.platform is not Platform.VIOS:
            return Fact(How.INAPPLICABLE)
        apsock = place.paths["apsock"]
        if not self.host.exists(apsock):
            # Only root's own: anybody may call a process of his so, and RMC would be recycled for it.
            found = self.host.runs(LPARMGR)
            if found is None:
                return Fact(How.GAP, because="the process list could not be read", source="ps")
            if found:
                self._known.pop("lsivm", None)      # what it said before proves nothing after
                return Fact(How.SEEN, f"{apsock} is missing while {found[0]} runs", source="ps", at=self.steady.now())
        return self._due("lsivm", wait, lambda: self.ask("lsivm", (), causes.lparmgr_by_lsivm), AT_ONCE)

    def _due(self, name: str, wait: timedelta, ask: Callable[[], Fact[Any]], in_trouble: Optional[timedelta] = None) -> Fact[Any]:
        """The answer of before, or after `wait` a new one: sooner where it was none, or (`in_trouble`) tells of trouble."""
        known, now = self._known.get(name), self.steady.now()
        if known is not None:
            at, fact = known
            if fact.how is How.GAP:
                wait = min(wait, IN_DOUBT)
            elif fact.value and in_trouble is not None:
                wait = min(wait, in_trouble)
            if now - at < wait:
                return fact
        fact = ask()
        self._known[name] = (now, fact)
        return fact
