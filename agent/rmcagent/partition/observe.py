"""One Snapshot: everything asked, joined and dated; never raises for what it cannot see: it records a Gap."""
from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from rmcagent.clock import Steady
from rmcagent.config import Settings
from rmcagent.frozen import fields, replace
from rmcagent.model import (
    Answer,
    BusyFacts,
    ClusterFacts,
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
from rmcagent.partition import causes, parse
from rmcagent.partition.host import Host
from rmcagent.partition.join import join
from rmcagent.partition.logs.watch import LogWatch
from rmcagent.partition.platform import Place, expected
from rmcagent.partition.standing import Standing

SUSPICIOUS_LOOKS = 10                   # between two askings of the cluster while a disruptive remedy is on the table
UNTOLD_EVERY = timedelta(hours=1)
CLUSTER_EVERY = timedelta(hours=24)     # the cluster's own commands; before a deed they are asked afresh
OURSELVES = "127.0.0.1"
NOBODY = ("", OURSELVES, "::1", "0.0.0.0", "::")     # our own rmcd would answer for the HMC
KEEP_ERRPT = 4 << 20
CLUSTER_ROWS = ("cthags", "cthats", "clconfd", "clstrmgrES", "grpsvcs", "topsvcs")


Rows = Fact[Mapping[str, Subsystem]]
Servers = Fact[Tuple[ManagementServer, ...]]
NOT_ASKED: Fact[DomainStatus] = Fact(because="not asked: ctrmc does not run")


class _Disturbed(Exception):
    """A subsystem ended while the look went on."""


class Observer:
    """Looks at one partition; remembers log cursors, the cluster's last answers and when ctrmc was last seen alive."""

    def __init__(self, host: Host, place: Place, settings: Settings, steady: Steady) -> None:
        self.host = host
        self.place = place
        self.settings = settings
        self.steady = steady
        self.logs = LogWatch(self._patterns(), settings.log.storm.within)
        self._cluster = ClusterFacts()
        self._cluster_at: Optional[datetime] = None
        self._cluster_rows: Tuple[Optional[State], ...] = ()
        self._alive_minute: Optional[datetime] = None       # local wall time, for errpt
        self._not_on_file: Dict[str, datetime] = {}
        self._understood: Dict[str, Tuple[Tuple[Any, ...], Any]] = {}   # of each answer what was said, and what it means
        self._domains_at: Optional[datetime] = None
        self._dr_held_at: Optional[datetime] = None         # Linux: drmgr's lock was last seen held
        self._took = 0.0                                    # seconds the last command needed
        self._standing = Standing(host, steady, self._ask)
        self._silent: Set[str] = set()                      # commands that did not end in time in this look
        self._watched: Tuple[int, ...] = ()                 # pids whose end makes this look worthless
        self._unwatched = False

    def look(self, known: Sequence[KnownHmc] = (), suspicious: bool = False) -> Snapshot:
        """One ordinary look. `suspicious`: a disruptive remedy is on the table, so the cluster's answers should be recent."""
        return self._undisturbed(lambda: self._look(known, suspicious))

    def evidence(self, known: Sequence[KnownHmc] = ()) -> Snapshot:
        """A look between decision and deed: what may hang with rmcd, then the slow probes, lssrc and rmcdomainstatus, and
        last who else is at work."""
        return self._undisturbed(lambda: self._evidence(known))

    def _undisturbed(self, look: Callable[[], Snapshot]) -> Snapshot:
        """A look; begun once more when a subsystem ends meanwhile, however long a command that hangs would hold it up."""
        try:
            return look()
        except _Disturbed:
            self._unwatched = True
            self._watch({}, {})
            return look()
        finally:
            self._unwatched = False
            self._watch({}, {})

    def _look(self, known: Sequence[KnownHmc], suspicious: bool) -> Snapshot:
        rows, took = self._subsystems()
        running = self._runs(rows)
        self._note_dr_lock()
        self._refresh_cluster(rows, running, suspicious)
        return self._assemble(rows, took, self._hmc_resources(running), self._cluster, BusyFacts(), known, fresh=False)

    def _evidence(self, known: Sequence[KnownHmc]) -> Snapshot:
        rows, _ = self._subsystems()
        running = self._runs(rows)
        domains, resources = self._domains(running), self._hmc_resources(running)
        now = self.steady.now()
        self._keep_cluster(self._ask_cluster(rows, domains), rows, now)
        migration = self._migration() if self.place.platform is not Platform.LINUX else None
        rows, took = self._subsystems()
        seen = self._assemble(rows, took, resources, self._cluster, BusyFacts(migration or Fact()), known, fresh=True)
        # What costs next to nothing is asked last: it may have begun while rmcdomainstatus took its time.
        return replace(seen, busy=self._busy(migration or self._migration()))

    def crowd(self, seen: Snapshot, disruptive: bool = False) -> Snapshot:
        """The same look, with what else is under way here: enough before a gentle remedy, and asked first before others."""
        return replace(seen, busy=self._busy(self._migration() if disruptive else seen.busy.migration))

    def saw_alive(self, local: datetime) -> None:
        """Somebody else has seen ctrmc alive then: what errpt tells since is about its end."""
        self._alive_minute = local

    def adopt(self, place: Place, settings: Settings) -> None:
        """A new policy; what was seen under the old one is kept."""
        self.place, self.settings = place, settings
        self.logs.retarget(self._patterns(), settings.log.storm.within)

    def _patterns(self) -> Tuple[str, ...]:
        return tuple(pattern.replace("{var_ct}", self.place.paths["var_ct"]) for pattern in self.settings.log.files)

    # -- the parts of a look

    def _assemble(self, rows: Rows, took: float, resources: Tuple[Servers, Servers], cluster: ClusterFacts, busy: BusyFacts,
                  known: Sequence[KnownHmc], fresh: bool) -> Snapshot:
        clock = self.steady.clock
        local = clock.now().astimezone().replace(tzinfo=None)
        rows, wanted, gaps = self._expected(rows)
        alive = self._ctrmc_alive(rows)
        running = _running(rows, alive)
        mcp, servers = resources
        in_band = self._in_band(rows)
        var = self._var()
        logs = self.logs.look(self.host, self.steady.now(), self.host.space(self.place.paths["var_ct"]) or var.value)
        status = self._ask("rmcdomainstatus", ("-s", "ctrmc"), parse.rmcdomainstatus) if running or fresh else NOT_ASKED
        hmcs = self._with_reach(join(status.value, mcp.value or (), servers.value or (), in_band.value or (), known,
                                     self.settings.expect.hmcs))
        if _state(rows, "ctrmc") is State.ACTIVE and alive is not False:
            self._alive_minute = local
        lost = running and not any(hmc.link is Link.UP for hmc in hmcs)
        stop: Fact[Stop] = Fact()
        if rows.seen and not running and _state(rows, "ctrmc") in (State.INOPERATIVE, State.ACTIVE):
            stop = self._stop()
        vitals = self.host.vitals(self.place.commands["rmcctrl"])
        seen = Snapshot(
            taken_at=self.steady.now(), platform=self.place.platform, subsystems=rows, lssrc_took=took, expected=wanted,
            status=status, mcp=mcp, servers=servers, in_band=in_band, hmcs=hmcs, ctrmc_alive=alive, stop=stop, cluster=cluster,
            standing=self._standing.look(self.place, doubted=lost), remote=self._remote(lost),
            busy=busy, logs=logs, var=var, vitals=vitals, local_time=local, fresh=fresh,
        )
        return replace(seen, gaps=tuple(gaps) + _gaps(seen))

    def _subsystems(self) -> Tuple[Rows, float]:
        """The first question of a look; those that should run are watched from then on."""
        self._silent, self._took = set(), 0.0
        rows: Rows = self._ask("lssrc", ("-a",), parse.lssrc)
        took = self._took
        self._watch(rows.value or {}, expected(rows.value or {}, self.settings.expect.subsystems))
        return rows, took

    def _watch(self, rows: Mapping[str, Subsystem], wanted: Mapping[str, str]) -> None:
        running = [row.pid for name, row in rows.items() if wanted.get(name) == "required" and row.pid]
        self._watched = () if self._unwatched else tuple(pid for pid in running if self.host.alive(pid) is not False)
        self.host.watch(self._watched)

    def _expected(self, rows: Rows) -> Tuple[Rows, Mapping[str, str], List[Gap]]:
        """A row missing from lssrc -a is no inoperative subsystem: lssrc -s decides whether it is on file at all."""
        if rows.value is None:
            return rows, {}, []
        found = dict(rows.value)
        gaps: List[Gap] = []
        for name, need in expected(found, self.settings.expect.subsystems).items():
            row = self._on_file(name) if need == "required" and name not in found else None
            if isinstance(row, Subsystem):
                found[name] = row
            elif row is not None:
                gaps.append(row)
            elif name not in found and (name == "ctrmc" or self.settings.expect.subsystems.get(name) == "required"):
                gaps.append(Gap(name, "is not on file here (lssrc -s says 0513-085): is RSCT installed?"))
        wanted = expected(found, self.settings.expect.subsystems)
        return replace(rows, value=found), {name: need for name, need in wanted.items() if name in found}, gaps

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

    def _var(self) -> Fact[Space]:
        """The fuller of /var and /var/ct, which may be a file system of its own."""
        path = self.place.paths["var"]
        spaces = [space for space in map(self.host.space, (path, self.place.paths["var_ct"])) if space]
        if not spaces or spaces[0].path != path:
            return Fact(How.GAP, because=f"free space of {path} could not be read", source="df")
        return Fact(How.SEEN, max(spaces, key=lambda space: space.used_share), source="df", at=self.steady.now())

    def _in_band(self, rows: Rows) -> Fact[Tuple[str, ...]]:
        if not rows.seen:
            return Fact(because="lssrc could not tell")
        if _state(rows, "mcproxy") is State.UNKNOWN:
            return Fact(How.GAP, because="mcproxy's state is a word that is not known", source=rows.source)
        if _state(rows, "mcproxy") is not State.ACTIVE:
            return Fact(How.INAPPLICABLE, because="mcproxy does not run")
        return self._ask("lssrc", ("-ls", "mcproxy"), parse.mcproxy)

    def _with_reach(self, hmcs: Tuple[Hmc, ...]) -> Tuple[Hmc, ...]:
        """Ask the ports of those that are not up; one that is up is reached already."""
        asked = [hmc.address for hmc in hmcs if hmc.link is not Link.UP and hmc.address not in NOBODY]
        if not asked:
            return hmcs
        answers = self.host.reach(asked, self.settings.network.ports, self.settings.network.timeout.total_seconds())
        return tuple(replace(hmc, reachable=answers.get(hmc.address)) if hmc.link is not Link.UP else hmc for hmc in hmcs)

    def _remote(self, lost: bool) -> Fact[bool]:
        """Whether RMC takes remote clients: rmcd has its ports open only then [documented]; a connected HMC is answer enough."""
        if not lost:
            return Fact()
        network = self.settings.network
        answer = self.host.reach((OURSELVES,), network.ports, network.timeout.total_seconds())[OURSELVES]
        if answer is None:
            return Fact(How.GAP, because=f"whether {OURSELVES} answers could not be asked", source="reach")
        return Fact(How.SEEN, answer, source="reach", at=self.steady.now())

    def _stop(self) -> Fact[Stop]:
        """Why ctrmc does not run: from errpt on AIX and VIOS, from its unit on Linux."""
        if self.place.platform is Platform.LINUX:
            properties = "LoadState,ActiveState,Result,UnitFileState"
            return self._ask("systemctl", ("show", "ctrmc.service", "-p", properties), causes.stop_by_systemd)
        return _then(self._ask("errpt", (), parse.errpt, KEEP_ERRPT), lambda rows: causes.stop_by_errpt(rows, self._alive_minute))

    # -- the cluster

    def _refresh_cluster(self, rows: Rows, running: bool, suspicious: bool) -> None:
        """The cluster's answers, asked again when they are old, untold, doubted, or when the rows of its services changed."""
        now = self.steady.now()
        changed = _cluster_rows(rows) != self._cluster_rows and any(_cluster_rows(rows))
        facts = [getattr(self._cluster, field.name) for field in fields(self._cluster) if field.name != "peer_domains"]
        untold = any(fact.how in (How.GAP, How.UNASKED) for fact in facts)
        patience = SUSPICIOUS_LOOKS * self.settings.cadence.look if suspicious else UNTOLD_EVERY if untold else CLUSTER_EVERY
        if self._cluster_at is None or changed or now - self._cluster_at >= min(patience, CLUSTER_EVERY):
            self._keep_cluster(self._ask_cluster(rows, self._cluster.peer_domains), rows, now)
        # lsrpdomain may start IBM.ConfigRM: daily, and sooner only when it has told nothing yet.
        told = self._cluster.peer_domains.how in (How.SEEN, How.MISSING)
        wait = CLUSTER_EVERY if told else UNTOLD_EVERY
        if running and (changed or self._domains_at is None or now - self._domains_at >= wait):
            self._cluster = replace(self._cluster, peer_domains=self._domains(running))

    def _keep_cluster(self, cluster: ClusterFacts, rows: Rows, now: datetime) -> None:
        """Asked from then on; each answer has its own time."""
        self._cluster, self._cluster_at, self._cluster_rows = cluster, now, _cluster_rows(rows)

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
        self._domains_at = self.steady.now()
        return self._ask_twice("lsrpdomain", (), parse.lsrpdomain)

    def _ask_twice(self, name: str, arguments: Tuple[str, ...], read: Callable[[Answer], Any]) -> Fact[Any]:
        """Nothing said with exit 0 is none only when it is said twice in a row."""
        fact = self._ask(name, arguments, read)
        return self._ask(name, arguments, read) if fact.seen and not fact.value else fact

    def _note_dr_lock(self) -> Optional[bool]:
        held = self.host.locked(self.place.paths["dr_lock"]) if self.place.platform is Platform.LINUX else False
        self._dr_held_at = self.steady.now() if held else self._dr_held_at
        return held

    def _migration(self) -> Fact[str]:
        if self.place.platform is Platform.LINUX:
            held, now = self._note_dr_lock(), self.steady.now()
            if held is None:
                return Fact(How.GAP, because=f"{self.place.paths['dr_lock']} could not be read", source="dr_lock")
            over = self._dr_held_at is not None and now - self._dr_held_at < self.settings.guards.migration
            told = ("drmgr holds its lock: a DLPAR operation or migration is under way" if held
                    else "a DLPAR operation or migration has only just ended" if over else "")
            return Fact(How.SEEN, told, source="dr_lock", at=now)
        local = self.steady.clock.now().astimezone().replace(tzinfo=None)
        fact = self._ask("errpt", (), parse.errpt, KEEP_ERRPT)
        if not fact.seen:
            return fact
        holds, note = causes.migration(fact.value or (), local, self.settings.guards.migration)
        return replace(fact, value=holds, because=note)

    def _busy(self, migration: Fact[str]) -> BusyFacts:
        running = self.host.processes()
        if running is None:
            return BusyFacts(migration, Fact(How.GAP, because="the process list could not be read", source="ps"))
        return BusyFacts(migration, Fact(How.SEEN, tuple(running), source="ps", at=self.steady.now()), running)

    def _ask(self, name: str, arguments: Tuple[str, ...], read: Callable[[Answer], Any], keep: int = 1 << 20) -> Fact[Any]:
        """Run one command and read its answer: a Fact, whatever happens. The same words as last time mean the same."""
        path = self.place.commands.get(name)
        if path is None:
            return Fact(How.MISSING, because=f"{name} does not exist on this platform", source=name)
        if name in self._silent:
            return Fact(How.GAP, because=f"{name} did not end in time when it was asked just before", source=name)
        timeout = self.settings.timeouts.get(name, self.settings.timeout)
        answer = self.host.run((path, *arguments), timeout.total_seconds(), keep)
        if any(self.host.alive(pid) is False for pid in self._watched):
            raise _Disturbed
        if answer.timed_out and answer.exit_code is None:
            self._silent.add(name)
        at, self._took = self.steady.at(answer.ended_at), answer.took
        if answer.missing:
            return Fact(How.MISSING, because=f"{name} is not installed ({path})", source=answer.id, at=at)
        said = (answer.stdout, answer.stderr, answer.exit_code, answer.timed_out, answer.cut)
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


def _cluster_rows(rows: Rows) -> Tuple[Optional[State], ...]:
    return tuple(_state(rows, name) for name in CLUSTER_ROWS)


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


def _gaps(seen: Snapshot) -> Tuple[Gap, ...]:
    """What should have been told and was not; a missing command counts where every partition has it."""
    essential = (seen.subsystems, seen.status, seen.mcp)
    cluster = [getattr(seen.cluster, field.name) for field in fields(seen.cluster)]
    standing = [getattr(seen.standing, field.name) for field in fields(seen.standing)]
    others = (seen.servers, seen.in_band, seen.logs, seen.var, seen.stop, seen.remote, *cluster, *standing)
    gaps = [Gap(fact.source, fact.because) for fact in essential if fact.how in (How.GAP, How.MISSING)]
    gaps += [Gap(fact.source, fact.because) for fact in others if fact.how is How.GAP]
    migration = seen.busy.migration
    gaps += [Gap(migration.source, migration.because)] if migration.seen and migration.because else []
    gaps += [Gap(row.name, "its state is a word that is not known") for row in (seen.subsystems.value or {}).values()
             if row.state is State.UNKNOWN and row.name in seen.required]
    gaps += [Gap(hmc.address, "rmcdomainstatus does not show it") for hmc in seen.hmcs
             if seen.status.seen and hmc.link is Link.UNKNOWN and not any(other.link is Link.UP for other in seen.hmcs)]
    return tuple(dict.fromkeys(gaps))
