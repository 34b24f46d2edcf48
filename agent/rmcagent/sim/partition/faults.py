"""Partition: the machine, and everything a scenario may do to it."""
from __future__ import annotations

from typing import Optional

from rmcagent.model import Platform
from rmcagent.sim import voices
from rmcagent.sim.partition.machine import Machine
from rmcagent.sim.partition.nouns import LOG, LPARMGR_RUNS, MENDERS, SimLog, Trick

GROUP_SERVICES = ("cthags", "cthats", "IBM.ConfigRM")
BURST = 5.0      # seconds between two bursts of log lines, as in the captured log


class Partition(Machine):
    """One simulated partition; each method is an event, and what cannot be is refused by Impossible."""

    def manager_crash(self, name: str = "IBM.DRM", mended_by: str = "manager") -> None:
        """A resource manager dies, and mended by "recycle" only, dies again a second after every start."""
        if mended_by == "recycle":
            self.sick[name] = mended_by
        self.crash(name)

    def stop_cleanly(self) -> None:
        """An operator stops RMC on purpose."""
        self.stop_rmc()
        self.changed()

    def restart_rmc(self) -> None:
        """An operator mends what is wrong with RMC or a manager and restarts it, knowing what stands on it."""
        self.sick, self.wont_start = {}, 0
        running = [row.name for row in self.rmc_rows() if row.name != "ctrmc" and row.pid is not None]
        self.stop_rmc()
        for name in ("ctrmc", *running):
            self.start(name)
        self.changed()

    def hung_rmc(self) -> None:
        """rmcd runs on and answers nobody until it is started again."""
        self.hung = self.active("ctrmc")
        self.changed()

    def ctrmc_wont_start(self, times: int = 1) -> None:
        """So many times rmcctrl -A succeeds, and ctrmc is gone again a second later."""
        self.wont_start = times

    def old_rsct(self) -> None:
        """RSCT of AIX 5.3 and early 6.1: IBM.CSMAgentRM makes the handshake, and IBM.MCP is no class yet."""
        self.end(self.handshaker)
        del self.subsystems[self.handshaker]
        self.handshaker = "IBM.CSMAgentRM"
        self.put_on_file(self.handshaker, "rsct_rm")
        self.start(self.handshaker)

    def disable_remote(self) -> None:
        """Somebody ran rmcctrl -P."""
        self.remote_enabled = False
        self.changed()

    def enable_remote(self) -> None:
        """Somebody ran rmcctrl -p."""
        self.remote_enabled = True
        self.changed()

    def disable_at_boot(self) -> None:
        """Somebody removed the inittab entry, or disabled the unit."""
        self.at_boot = False

    def enable_at_boot(self) -> None:
        """Somebody put it back."""
        self.at_boot = True

    def hmc(self, address: Optional[str] = None, **what: object) -> None:
        """Set what is true of one HMC, or of all: reachable, up, suspended, stuck, known, delay."""
        hmcs = [hmc for hmc in self.hmcs if address in (None, hmc.address)]
        if not hmcs and address:
            known = ", ".join(hmc.address for hmc in self.hmcs)
            raise ValueError(f"cannot find an HMC at {address}: there are {known or 'none'}")
        for hmc in hmcs:
            for key, value in what.items():
                if not hasattr(hmc, key):
                    raise ValueError(f"cannot set {key}: an HMC has no such thing")
                setattr(hmc, key, value)
        self.changed()

    def hmc_down(self, address: Optional[str] = None) -> None:
        """An HMC reboots: neither its port nor its RMC answers."""
        self.hmc(address, up=False, reachable=False)

    def hmc_up(self, address: Optional[str] = None) -> None:
        """It is back."""
        self.hmc(address, up=True, reachable=True)

    def hmc_unreachable(self, address: Optional[str] = None) -> None:
        """The network between fails; the HMC itself is well."""
        self.hmc(address, reachable=False)

    def hmc_reachable(self, address: Optional[str] = None) -> None:
        """The network is back."""
        self.hmc(address, reachable=True)

    def hmc_sick(self, address: Optional[str] = None) -> None:
        """Its port answers, its RMC does not work."""
        self.hmc(address, up=False)

    def stick_session(self, hmc: Optional[str] = None, mended_by: Optional[str] = "recycle") -> None:
        """The link is down until refresh, recycle or recfgct; None: nothing done here mends it."""
        if mended_by not in (None, *MENDERS):
            raise ValueError(f"cannot be mended by {mended_by}: choose from {', '.join(MENDERS)} or none")
        self.hmc(hmc, stuck=mended_by or "never")

    def mend_session(self, hmc: Optional[str] = None) -> None:
        """Somebody mends it on the HMC: whatever the session hung on is gone, and the HMC is known here."""
        self.hmc(hmc, stuck=None, known=True)

    def drop_large_packets(self, hmc: Optional[str] = None) -> None:
        """An MTU black hole: heartbeats pass, larger packets do not."""
        self.hmc(hmc, suspended=True)

    def pass_large_packets(self, hmc: Optional[str] = None) -> None:
        """The black hole is closed."""
        self.hmc(hmc, suspended=False)

    def replace_hmc(self, old: str, new: str) -> None:
        """An HMC is switched off for good, and another takes its place; nobody tells RSCT."""
        self.hmc_down(old)
        self.add_hmc(new)

    def retire_hmc(self, address: str) -> None:
        """Somebody removes the resource of an HMC that is gone for good: it is known here no more."""
        self.hmc(address, known=False)

    def forget_hmcs(self, mended_by: Optional[str] = "refresh") -> None:
        """IBM.MCP is empty."""
        self.hmc(None, known=False, stuck=mended_by or "never")

    def break_identity(self) -> None:
        """Message authentication fails: i, until recfgct."""
        self.identity_broken = True
        self.changed()

    def clash_identity(self) -> None:
        """The two files with the node id disagree, and so do this node and its HMCs."""
        self.node_id_copy = self._new_node_id()
        self.break_identity()

    def mend_identity(self) -> None:
        """Somebody mends it where it broke: on the HMC, in the file, or by giving the other node an id of its own."""
        self.identity_broken = self.flapping = False
        self.node_id_copy = self.node_id
        self.changed()

    def flap(self) -> None:
        """Another node has our node id: Z, until recfgct."""
        self.flapping = True
        self.changed()

    def clone(self, number: int = 7) -> None:
        """This partition, of that number, is a copy of another, booted for the first time; the original has the same node id."""
        self.machine = f"system=IBM,9009-42A*7854321 partition={number} uuid=c0ffee00-0000-4000-8000-{number:012}"
        self.flapping = True
        self.reboot()

    def fill_var(self, share: float) -> None:
        """/var is that full."""
        self.var_free = int(self.var_size * (1 - share))
        self.changed()

    def storm(self, per_second: float = 10.0, kind: str = "hmc") -> None:
        """IBM.MgmtDomainRM writes so many lines a second, of kind slots, hmc or network, until end_storm."""
        if kind not in voices.STORMS:
            raise ValueError(f"cannot storm of {kind}: choose from {', '.join(voices.STORMS)}")
        token = self._storm = object()
        self.storming = kind
        seconds = BURST * self.pace

        def burst() -> object:
            if self._storm is token:
                if self.active(self.handshaker):
                    self.write_log(kind, max(1, round(per_second * seconds)))
                self.clock.at(seconds, burst)
            return self.on_burst()

        burst()

    def end_storm(self) -> None:
        """It writes no more than it must."""
        self._storm, self.storming = None, ""

    def rotate_log(self) -> None:
        """The log becomes NAME.last, and a new one begins."""
        path = f"{self.log_folder}/{LOG}"
        if path in self.logs:
            self.logs[f"{path}.last"] = self.logs[path]
            self.logs[path] = SimLog(self.inode())

    def start_caa(self, name: str = "caa_cl", disk: str = "hdisk2") -> None:
        """The node joins a CAA cluster: Group Services run, the repository disk is taken."""
        self.caa, self.caa_name, self.caa_disk = "active", name, disk
        self._group_services(*GROUP_SERVICES, "clcomd", "clconfd")
        self.changed()

    def stop_caa(self) -> None:
        """The cluster is stopped here, and stays configured."""
        if self.caa != "active":
            raise ValueError("cannot stop CAA: it is not active here")
        self.caa = "stopped"
        for name in ("cthags", "cthats", "clconfd"):
            self.end(name)
        self.changed()

    def remove_caa(self) -> None:
        """The cluster is deleted, and what stood on it: its disk is free. One that was to come up does not."""
        self.upon.clear()
        self.powerha = self.powerha_name = self.ssp = ""
        self.caa = self.caa_name = self.caa_disk = ""
        for name in ("cthags", "cthats", "clconfd"):
            self.end(name)
        self.changed()

    def caa_upon(self, command: str = "lsrpdomain") -> None:
        """The node joins a CAA cluster the moment that command is asked next: between a decision and its deed."""
        self.insist_on(command)
        self.upon[command] = self.start_caa

    def start_powerha(self, state: str = "ST_STABLE", name: str = "ha_cl") -> None:
        """PowerHA is configured, its cluster manager in the given state."""
        self.powerha, self.powerha_name = state, name
        self.put_on_file("clstrmgrES", "cluster")
        self.start("clstrmgrES")
        self.changed()

    def start_ssp(self, name: str = "ssp_cl", disk: str = "hdisk2") -> None:
        """A VIOS joins a shared storage pool's cluster."""
        self.ssp = name
        self.start_caa(name, disk)

    def define_peer_domain(self, name: str = "pd1", state: str = "Online") -> None:
        """A peer domain in the given OpState; an Online one runs Group Services, and one that comes Topology Services, which
        they build on [my inference]."""
        self.domains[name] = state
        if state == "Online":
            self._group_services(*GROUP_SERVICES)
        elif state == "Pending Online":
            self._group_services("IBM.ConfigRM", "cthats")
        elif not self.cluster_name:
            for subsystem in {"cthags", "cthats"} & set(self.subsystems):
                self.end(subsystem)
        self.changed()

    def remove_peer_domain(self, name: str = "pd1") -> None:
        """rmrpdomain: nothing of it is left."""
        self.define_peer_domain(name, "Offline")
        del self.domains[name]
        self.changed()

    def _group_services(self, *names: str) -> None:
        groups = {"IBM.ConfigRM": "rsct_rm", "clcomd": "caa", "clconfd": "caa"}
        for name in names:
            self.put_on_file(name, groups.get(name, name))
            self.start(name)

    def in_band(self, host: str = "hmc1") -> None:
        """An HMC connected through the hypervisor."""
        self.put_on_file("mcproxy", "rsct")
        self.start("mcproxy")
        self.in_band_hosts.append(host)
        self.changed()

    def end_in_band(self, host: str = "hmc1") -> None:
        """That HMC goes."""
        if host not in self.in_band_hosts:
            raise ValueError(f"cannot end {host}: no such HMC is connected through the hypervisor")
        self.in_band_hosts.remove(host)
        self.changed()

    def start_migration(self) -> None:
        """The partition begins to move to another machine."""
        if self.migrating:
            raise ValueError("cannot start a migration: one is under way")
        self.migrating = True
        self.note("CLIENT_PMIG_STARTED")
        self.busy.append("drmgr")

    def end_migration(self, aborted: bool = False) -> None:
        """Completed, the partition stands on another machine: another serial, the same UUID."""
        if not self.migrating:
            raise ValueError("cannot end a migration: none is under way")
        self.migrating = False
        self.note("CLIENT_PMIG_ABORTED" if aborted else "CLIENT_PMIG_DONE")
        self.busy.remove("drmgr")
        if not aborted:
            self.machine = self.machine.replace("7812345", "7899999")

    def run_program(self, name: str) -> None:
        """Somebody runs installp, clmgr, rmcctrl ..."""
        self.busy.append(name)

    def end_program(self, name: str) -> None:
        """It ends."""
        if name not in self.busy:
            raise ValueError(f"cannot end {name}: it does not run")
        self.busy.remove(name)

    def stick_lparmgr(self) -> None:
        """lparmgr runs and does not work."""
        self.lparmgr_stuck = True

    def mend_lparmgr(self) -> None:
        """Somebody restarts it."""
        self.lparmgr_stuck, self.lparmgr_runs = False, LPARMGR_RUNS

    def end_programs(self, *names: str) -> None:
        """Processes that SRC does not know are ended by their names."""
        if set(names) & set(self.lparmgr_runs):
            self.lparmgr_runs = tuple(name for name in self.lparmgr_runs if name not in names)
            self.lparmgr_stuck = True
            self.changed()

    def slow_down(self, factor: float = 1.0) -> None:
        """A loaded partition: every command takes so many times longer."""
        self.slowness = factor

    def reboot(self) -> None:
        """Everything ends; what belongs at boot starts, in a new boot."""
        for label in ("REBOOT_ID", "ERRLOG_OFF", "ERRLOG_ON"):
            self.note(label)
        running = [row.name for row in self.subsystems.values() if row.pid is not None and row not in self.rmc_rows()]
        online = dict(self.domains)
        for row in self.subsystems.values():
            self.end(row.name)
        self.boot = f"boot-{int(self.boot[5:]) + 1}"
        self.clock.rebooted()
        self.booted_at = self.clock.monotonic()
        self.ended_by_crash, self.underway, self.busy, self.migrating = False, [], [], False
        self.lparmgr_stuck, self.lparmgr_runs = False, LPARMGR_RUNS if self.platform is Platform.VIOS else ()
        for name in running:
            self.start(name)
        self.domains = online
        if self.at_boot:
            self.start("ctrmc")
        if self.cluster_name:
            self.start("IBM.ConfigRM")
        self.changed()

    # --- what is wrong with a command; the words of `name` may go on with arguments ("lssrc -ls")

    def hang_command(self, name: str, until: Optional[float] = None, stubborn: bool = False, forks: bool = False) -> None:
        """It never ends, or not until so many seconds from now; a stubborn one ignores SIGTERM."""
        self.trick(name, Trick("hang", stubborn=stubborn, forks=forks))
        if until is not None:
            self.later(until, lambda: self.mend_command(name))

    def garble_command(self, name: str, text: str = "\x1b[2J?? \xff\n") -> None:
        """It says `text` instead."""
        self.trick(name, Trick("garble", text))

    def cut_command(self, name: str) -> None:
        """Its answer stops in the middle of a line."""
        self.trick(name, Trick("cut"))

    def localise(self, name: str) -> None:
        """It speaks another language."""
        self.trick(name, Trick("localise"))

    def empty_command(self, name: str) -> None:
        """It says nothing and exits 0."""
        self.trick(name, Trick("empty"))

    def remove_command(self, name: str) -> None:
        """It is not installed."""
        self.trick(name, Trick("remove"))

    def fail_command(self, name: str, rc: int = 1, text: str = "") -> None:
        """It does nothing, says `text` on stderr and exits `rc`."""
        self.trick(name, Trick("fail", text, rc))

    def mend_command(self, name: str) -> None:
        """It works again."""
        self.tricks.pop(tuple(name.split()), None)

    def trick(self, name: str, trick: Trick) -> None:
        self.insist_on(name)
        self.tricks[tuple(name.split())] = trick

    def insist_on(self, name: str) -> None:
        """Refuse a command that this platform does not have."""
        if not name.split() or name.split()[0] not in self.commands:
            raise ValueError(f"cannot change {name}: {self.platform.value} has no such command")
