"""One Snapshot: everything asked, joined and dated; never raises for what it cannot see: it records a Gap."""
from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from rmcagent.clock import Steady
from rmcagent.config import Settings
from rmcagent.model import (
    Answer,
    BusyFacts,
    ClusterFacts,
    ControlPoint,
    DomainStatus,
    Fact,
    Gap,
    Hmc,
    How,
    KnownHmc,
    Link,
    ManagementServer,
    Platform,
    Snapshot,
    Space,
    State,
    Stop,
    Subsystem,
)
from rmcagent.partition import parse
from rmcagent.partition.host import Host
from rmcagent.partition.logs import LogWatch
from rmcagent.partition.platform import REQUIRED, Place

CLUSTER_EVERY = timedelta(hours=24)     # the cluster's own commands; before a deed they are asked afresh
MOST_HMCS = 32
KEEP_ERRPT = 4 << 20
MIGRATION_FORGOTTEN = timedelta(hours=4)    # a migration whose end was never logged
CLUSTER_ROWS = ("cthags", "cthats", "clconfd", "clstrmgrES", "grpsvcs", "topsvcs")


Rows = Fact[Mapping[str, Subsystem]]
Servers = Fact[Tuple[ManagementServer, ...]]


class Observer:
    """Looks at one partition; remembers log cursors, the cluster's last answers and when ctrmc was last seen alive."""

    def __init__(self, host: Host, place: Place, settings: Settings, steady: Steady) -> None:
        self.host = host
        self.place = place
        self.settings = settings
        self.steady = steady
        patterns = tuple(pattern.replace("{var_ct}", place.paths["var_ct"]) for pattern in settings.log.files)
        self.logs = LogWatch(patterns, settings.log.storm.within)
        self._cluster = ClusterFacts()
        self._cluster_at: Optional[datetime] = None
        self._cluster_rows: Tuple[Optional[State], ...] = ()
        self._alive_minute: Optional[datetime] = None       # local wall time, for errpt
        self._not_on_file: Dict[str, datetime] = {}
        self._understood: Dict[str, Tuple[Answer, Any]] = {}
        self._took = 0.0                                    # seconds the last command needed

    def look(self, known: Sequence[KnownHmc] = (), suspicious: bool = False) -> Snapshot:
        """One ordinary look. `suspicious`: a disruptive remedy is on the table, so the cluster's answers should be recent."""
        rows, took = self._subsystems()
        running = self._runs(rows)
        rows_now = tuple(_state(rows, name) for name in CLUSTER_ROWS)
        if self._cluster_due(rows_now, suspicious):
            self._keep_cluster(self._ask_cluster(rows, self._domains(running)), rows_now)
        return self._assemble(rows, took, self._hmc_resources(running), self._cluster, BusyFacts(), known, fresh=False)

    def evidence(self, known: Sequence[KnownHmc] = ()) -> Snapshot:
        """A look between decision and deed: what may hang with rmcd, then the slow probes, lssrc and rmcdomainstatus last."""
        rows, _ = self._subsystems()
        running = self._runs(rows)
        domains, resources = self._domains(running), self._hmc_resources(running)
        cluster = self._ask_cluster(rows, domains)
        self._keep_cluster(cluster, tuple(_state(rows, name) for name in CLUSTER_ROWS))
        busy = BusyFacts(self._migration(), self._processes())
        rows, took = self._subsystems()
        return self._assemble(rows, took, resources, cluster, busy, known, fresh=True)

    def crowd(self, seen: Snapshot) -> Snapshot:
        """The same look, with what else runs here: enough before a gentle remedy."""
        return replace(seen, busy=replace(seen.busy, processes=self._processes()))

    # -- the parts of a look

    def _assemble(self, rows: Rows, took: float, resources: Tuple[Servers, Servers], cluster: ClusterFacts, busy: BusyFacts,
                  known: Sequence[KnownHmc], fresh: bool) -> Snapshot:
        clock = self.steady.clock
        local = clock.now().astimezone().replace(tzinfo=None)
        rows, required, gaps = self._required(rows)
        alive = self._ctrmc_alive(rows)
        running = _running(rows, alive)
        mcp, servers = resources
        in_band = self._in_band(rows, running)
        space = self.host.space(self.place.paths["var"])
        var: Fact[Space] = Fact(How.SEEN, space, source="df", at=self.steady.now()) if space else Fact(
            How.GAP, because=f"free space of {self.place.paths['var']} could not be read", source="df")
        logs = self.logs.look(self.host, self.steady.now(), space)
        status = self._ask("rmcdomainstatus", ("-s", "ctrmc"), parse.rmcdomainstatus) if running else _not_running(rows)
        hmcs = self._with_reach(join(status.value, mcp.value or (), servers.value or (), in_band.value or (), known,
                                     self.settings.expect.hmcs))
        if _state(rows, "ctrmc") is State.ACTIVE and alive is not False:
            self._alive_minute = local
        stop: Fact[Stop] = Fact()
        if rows.seen and not running and _state(rows, "ctrmc") in (State.INOPERATIVE, State.ACTIVE):
            stop = self._stop(local)
        vitals = self.host.vitals(self.place.commands["rmcctrl"])
        seen = Snapshot(
            taken_at=self.steady.now(), platform=self.place.platform, subsystems=rows, lssrc_took=took, required=required,
            status=status, mcp=mcp, servers=servers, in_band=in_band, hmcs=hmcs, ctrmc_alive=alive, stop=stop, cluster=cluster,
            busy=busy, logs=logs, var=var, vitals=vitals, local_time=local, fresh=fresh,
        )
        return replace(seen, gaps=tuple(gaps) + _gaps(seen))

    def _subsystems(self) -> Tuple[Rows, float]:
        return self._ask("lssrc", ("-a",), parse.lssrc), self._took

    def _required(self, rows: Rows) -> Tuple[Rows, Tuple[str, ...], List[Gap]]:
        """A row missing from lssrc -a is no inoperative subsystem: lssrc -s decides whether it is on file at all."""
        if rows.value is None:
            return rows, (), []
        wanted = {name: "required" for name in REQUIRED}
        wanted.update(self.settings.expect.subsystems)
        found = dict(rows.value)
        gaps: List[Gap] = []
        for name in [name for name, need in wanted.items() if need == "required" and name not in found]:
            row = self._on_file(name)
            if isinstance(row, Subsystem):
                found[name] = row
            elif row is not None:
                gaps.append(row)
            elif name == "ctrmc" or name in self.settings.expect.subsystems:
                gaps.append(Gap(name, "is not on file here (lssrc -s says 0513-085): is RSCT installed?"))
        required = tuple(name for name, need in wanted.items() if need == "required" and name in found)
        return replace(rows, value=found), required, gaps

    def _on_file(self, name: str) -> Any:
        """The subsystem, a Gap, or None when it is not on file; that last answer is trusted for a day."""
        asked = self._not_on_file.get(name)
        if asked is not None and self.steady.now() - asked < CLUSTER_EVERY:
            return None
        fact = self._ask("lssrc", ("-s", name), lambda answer: parse.lssrc_one(answer, name))
        if not fact.seen:
            return Gap(name, f"lssrc -s could not tell: {fact.because}")
        if fact.value is None:
            self._not_on_file[name] = self.steady.now()
        return fact.value

    def _ctrmc_alive(self, rows: Rows) -> Optional[bool]:
        row = (rows.value or {}).get("ctrmc")
        return self.host.alive(row.pid) if row is not None and row.pid else None

    def _runs(self, rows: Rows) -> bool:
        return _running(rows, self._ctrmc_alive(rows))

    def _hmc_resources(self, running: bool) -> Tuple[Servers, Servers]:
        """IBM.MCP; the older IBM.ManagementServer only where that one shows nothing."""
        if not running:
            return Fact(because="not asked: ctrmc does not run"), Fact(because="not asked: ctrmc does not run")
        mcp = self._ask("lsrsrc", ("IBM.MCP",), lambda answer: parse.lsrsrc(answer, "IBM.MCP"))
        if not mcp.seen:
            return mcp, Fact(because="not asked: IBM.MCP could not be read")
        if mcp.value:
            return mcp, Fact(How.INAPPLICABLE, because="IBM.MCP answered")
        return mcp, self._ask("lsrsrc", ("IBM.ManagementServer",), lambda answer: parse.lsrsrc(answer, "IBM.ManagementServer"))

    def _in_band(self, rows: Rows, running: bool) -> Fact[Tuple[str, ...]]:
        if not rows.seen:
            return Fact(because="lssrc could not tell")
        if _state(rows, "mcproxy") is State.UNKNOWN:
            return Fact(How.GAP, because="mcproxy's state is a word that is not known", source=rows.source)
        if _state(rows, "mcproxy") is not State.ACTIVE:
            return Fact(How.INAPPLICABLE, because="mcproxy does not run")
        return self._ask("lssrc", ("-ls", "mcproxy"), parse.mcproxy)

    def _with_reach(self, hmcs: Tuple[Hmc, ...]) -> Tuple[Hmc, ...]:
        """Ask the ports of those that are not up; one that is up is reached already."""
        asked = [hmc.address for hmc in hmcs if hmc.link is not Link.UP and hmc.address]
        if not asked:
            return hmcs
        answers = self.host.reach(asked, self.settings.network.ports, self.settings.network.timeout.total_seconds())
        return tuple(replace(hmc, reachable=answers.get(hmc.address)) if hmc.link is not Link.UP else hmc for hmc in hmcs)

    def _stop(self, local: datetime) -> Fact[Stop]:
        """Why ctrmc does not run: from errpt on AIX and VIOS, from its unit on Linux."""
        if self.place.platform is Platform.LINUX:
            properties = "LoadState,ActiveState,Result,UnitFileState"
            return self._ask("systemctl", ("show", "ctrmc.service", "-p", properties), _stop_by_systemd)
        return _then(self._ask("errpt", (), parse.errpt, KEEP_ERRPT), lambda rows: _stop_by_errpt(rows, self._alive_minute))

    # -- the cluster

    def _cluster_due(self, rows_now: Tuple[Optional[State], ...], suspicious: bool) -> bool:
        if self._cluster_at is None or (rows_now != self._cluster_rows and any(rows_now)):
            return True
        age = self.steady.now() - self._cluster_at
        untold = any(getattr(self._cluster, field.name).how in (How.GAP, How.UNASKED) for field in fields(self._cluster))
        return age >= (min(10 * self.settings.cadence.look, CLUSTER_EVERY) if suspicious or untold else CLUSTER_EVERY)

    def _keep_cluster(self, cluster: ClusterFacts, rows_now: Tuple[Optional[State], ...]) -> None:
        self._cluster, self._cluster_at, self._cluster_rows = cluster, self.steady.now(), rows_now

    def _ask_cluster(self, rows: Rows, domains: Fact[Any]) -> ClusterFacts:
        """In the order asked: slow ones first, so that none is stale when the last has answered."""
        caavg = self._ask("lspv", (), parse.lspv)
        ssp = self._ask_twice("ioscli", ("cluster", "-list", "-field", "cluster_name", "-fmt", ","), parse.ioscli_cluster)
        caa = self._ask("lscluster", ("-m",), parse.lscluster)
        odm = self._ask("odmget", ("HACMPcluster",), parse.odm_hacmpcluster)
        has_manager = _state(rows, "clstrmgrES") is not None or not rows.seen
        powerha: Fact[str] = self._ask("lssrc", ("-ls", "clstrmgrES"), parse.clstrmgr) if has_manager else Fact(How.INAPPLICABLE)
        return ClusterFacts(self._ask("ct_clusterinfo", ("-c",), parse.ct_clusterinfo), domains, caa, caavg, powerha, odm, ssp)

    def _domains(self, running: bool) -> Fact[Any]:
        if not running and self.host.exists(self.place.commands.get("lsrpdomain", "")):
            return Fact(because="not asked: ctrmc does not run")
        return self._ask_twice("lsrpdomain", (), parse.lsrpdomain)

    def _ask_twice(self, name: str, arguments: Tuple[str, ...], read: Callable[[Answer], Any]) -> Fact[Any]:
        """Nothing said with exit 0 is none only when it is said twice in a row."""
        fact = self._ask(name, arguments, read)
        return self._ask(name, arguments, read) if fact.seen and not fact.value else fact

    def _migration(self) -> Fact[str]:
        if self.place.platform is Platform.LINUX:
            held = self.host.locked(self.place.paths["dr_lock"])
            if held is None:
                return Fact(How.GAP, because=f"{self.place.paths['dr_lock']} could not be read", source="dr_lock")
            telling = "drmgr holds its lock: a DLPAR operation or migration is under way" if held else ""
            return Fact(How.SEEN, telling, source="dr_lock", at=self.steady.now())
        local = self.steady.clock.now().astimezone().replace(tzinfo=None)
        return _then(self._ask("errpt", (), parse.errpt, KEEP_ERRPT),
                     lambda rows: _migration(rows, local, self.settings.guards.migration))

    def _processes(self) -> Fact[Tuple[str, ...]]:
        names = self.host.processes()
        return Fact(How.GAP, because="the process list could not be read", source="ps") if names is None else Fact(
            How.SEEN, names, source="ps", at=self.steady.now())

    def _ask(self, name: str, arguments: Tuple[str, ...], read: Callable[[Answer], Any], keep: int = 1 << 20) -> Fact[Any]:
        """Run one command and read its answer: a Fact, whatever happens. The same words as last time mean the same."""
        path = self.place.commands.get(name)
        if path is None:
            return Fact(How.MISSING, because=f"{name} does not exist on this platform", source=name)
        timeout = self.settings.timeouts.get(name, self.settings.timeout)
        answer = self.host.run((path, *arguments), timeout.total_seconds(), keep)
        at, self._took = self.steady.at(answer.ended_at), answer.took
        if answer.missing:
            return Fact(How.MISSING, because=f"{name} is not installed ({path})", source=answer.id, at=at)
        said = replace(answer, ended_at=0.0, took=0.0)
        before = self._understood.get(answer.id)
        if before is not None and before[0] == said:
            return Fact(How.SEEN, before[1], source=answer.id, at=at)
        try:
            value = read(answer)
        except parse.Unreadable as reason:
            return Fact(How.GAP, because=str(reason), source=answer.id, at=at,
                        timed_out=answer.timed_out and answer.exit_code is None)      # 127 is no hang
        self._understood[answer.id] = (said, value)
        return Fact(How.SEEN, value, source=answer.id, at=at)


def join(status: Optional[DomainStatus], mcp: Sequence[ManagementServer], servers: Sequence[ManagementServer],
         in_band: Sequence[str], known: Sequence[KnownHmc], expected: Sequence[str]) -> Tuple[Hmc, ...]:
    """Every HMC that anything knows, once: control points first, then resources, in-band hosts, remembered and expected ones."""
    found: Dict[str, Hmc] = {}
    aliases: Dict[str, str] = {}
    nodes: Set[str] = set()
    for point in (status.control_points if status else ()):
        resource = _resource_of(point, mcp)
        # Two of one address are an HMC and the one that it replaced: the one that is connected counts.
        if point.address not in found or point.link is Link.UP:
            found[point.address] = Hmc(point.address, resource.name if resource else "", point.node_id, point.link)
        aliases.update((alias, point.address) for alias in (resource.addresses if resource else ()))
        nodes.add(point.node_id)
    for server in (*mcp, *servers):
        addresses = (server.address, *server.addresses)
        if server.address and server.node_id not in nodes and not any(alias in found or alias in aliases for alias in addresses):
            found[server.address] = Hmc(server.address, server.name, server.node_id)
            aliases.update((alias, server.address) for alias in server.addresses)
            nodes.update({server.node_id} - {""})
    for name in in_band:
        found[name] = Hmc(name, link=Link.UP, in_band=True)
    remembered = [Hmc(hmc.address, hmc.name, hmc.node_id) for hmc in known] + [Hmc(address) for address in expected]
    for hmc in remembered:
        if hmc.address not in found and hmc.address not in aliases and (not hmc.node_id or hmc.node_id not in nodes):
            found[hmc.address] = hmc
    # Of more than are kept, one that is connected must not be cut off: it holds every remedy that would disturb it.
    hmcs = found.values() if len(found) <= MOST_HMCS else sorted(found.values(), key=lambda hmc: hmc.link is not Link.UP)
    return tuple(hmcs)[:MOST_HMCS]


def _resource_of(point: ControlPoint, mcp: Sequence[ManagementServer]) -> Optional[ManagementServer]:
    by_id = next((server for server in mcp if server.node_id and server.node_id == point.node_id), None)
    return by_id or next((server for server in mcp if point.address in server.addresses), None)


def _then(fact: Fact[Any], conclude: Callable[[Any], Any]) -> Fact[Any]:
    return replace(fact, value=conclude(fact.value)) if fact.seen else fact


def _state(rows: Rows, name: str) -> Optional[State]:
    row = (rows.value or {}).get(name)
    return row.state if row else None


def _running(rows: Rows, alive: Optional[bool]) -> bool:
    """Worth asking rmcd: it is active, or lssrc cannot tell and it may be."""
    if not rows.seen:
        return True
    return _state(rows, "ctrmc") in (State.ACTIVE, State.UNKNOWN) and alive is not False


def _not_running(rows: Rows) -> Fact[DomainStatus]:
    return Fact(because="not asked: ctrmc does not run")


def _stop_by_systemd(answer: Answer) -> Stop:
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


def _stop_by_errpt(rows: Sequence[parse.ErrptRow], alive: Optional[datetime]) -> Stop:
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


def _migration(rows: Sequence[parse.ErrptRow], local: datetime, quiet: timedelta) -> str:
    for row in rows:        # newest first
        at = _errpt_time(row)
        if row.resource != "pmig" or at is None:
            continue
        age = local - at
        text = row.description.lower()
        if "start" in text:
            return f"a migration started at {at:%H:%M} (errpt {row.identifier})" if age < MIGRATION_FORGOTTEN else ""
        return f"a migration ended at {at:%H:%M} (errpt {row.identifier})" if age < quiet else ""
    return ""


def _errpt_time(row: parse.ErrptRow) -> Optional[datetime]:
    try:
        return datetime.strptime(row.at_text, "%m%d%H%M%y")
    except ValueError:
        return None


def _gaps(seen: Snapshot) -> Tuple[Gap, ...]:
    """What should have been told and was not; a missing command counts where every partition has it."""
    essential = (seen.subsystems, seen.status, seen.mcp)
    cluster = [getattr(seen.cluster, field.name) for field in fields(seen.cluster)]
    others = (seen.servers, seen.in_band, seen.logs, seen.var, seen.stop, *cluster)
    gaps = [Gap(fact.source, fact.because) for fact in essential if fact.how in (How.GAP, How.MISSING)]
    gaps += [Gap(fact.source, fact.because) for fact in others if fact.how is How.GAP]
    gaps += [Gap(row.name, "its state is a word that is not known") for row in (seen.subsystems.value or {}).values()
             if row.state is State.UNKNOWN and row.name in seen.required]
    gaps += [Gap(hmc.address, "rmcdomainstatus does not show it") for hmc in seen.hmcs
             if seen.status.seen and hmc.link is Link.UNKNOWN and not any(other.link is Link.UP for other in seen.hmcs)]
    return tuple(dict.fromkeys(gaps))
