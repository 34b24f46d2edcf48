from __future__ import annotations

import re
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Dict, Optional, Tuple

import pytest

from rmcagent.model import (
    Answer,
    ControlPoint,
    DomainStatus,
    Link,
    ManagementServer,
    PeerDomain,
    Platform,
    Remedy,
    State,
    Subsystem,
)
from rmcagent.partition import act, parse
from rmcagent.sim import voices
from rmcagent.sim.clock import FollowingClock, VirtualClock
from rmcagent.sim.impossible import RULES, Impossible, check
from rmcagent.sim.partition import FOREVER, Partition, Reply, SimHost
from rmcagent.sim.voices import LogEntry

HMC = "192.0.2.21"
OTHER_HMC = "192.0.2.22"
APSOCK = "/var/adm/lpm/apsock"
PATHS = {"var_ct": "/var/ct", "node_id": "/etc/ct_node_id", "apsock": APSOCK}
CAPTURES = Path(__file__).parent / "captures"
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=timezone.utc)
HERE_AT_NOON = datetime(2026, 3, 4, 12, 0).astimezone()


class Scene:
    """A partition, its clock and its host."""

    def __init__(self, platform: Platform = Platform.AIX, hmcs: Tuple[str, ...] = (HMC,), seed: int = 1) -> None:
        self.clock = VirtualClock()
        self.partition = Partition(self.clock, platform, hmcs, seed)
        self.host = SimHost(self.partition, self.clock)

    def run(self, line: str, timeout: float = 20.0) -> Answer:
        name, *args = line.split()
        return self.host.run((f"/sim/bin/{name}", *args), timeout)

    def change(self, line: str) -> Reply:
        """Run a command to its end."""
        name, *args = line.split()
        reply = self.partition.command(name, args)
        self.clock.sleep(reply.seconds)
        return reply

    def link(self, address: str = HMC) -> Link:
        points = parse.rmcdomainstatus(self.run("rmcdomainstatus -s ctrmc")).control_points
        return next(point.link for point in points if point.address == address)

    def state(self, name: str) -> Optional[State]:
        row = parse.lssrc_one(self.run(f"lssrc -s {name}"), name)
        return row.state if row else None

    def begin(self, remedy: Remedy, subject: str = "", attempt: int = 1) -> None:
        self.host.begin(act.deed(attempt, remedy, subject, self.host.commands(), PATHS), "/state")


def said(text: str, code: int = 0) -> Answer:
    return Answer("voice", code, text)


# --- the clock


def test_sleeping_runs_what_falls_due_in_order_and_at_its_time():
    clock = VirtualClock(monotonic=100.0)
    seen = []
    clock.at(5, lambda: seen.append(("second", clock.monotonic())))

    def first() -> None:
        seen.append(("first", clock.monotonic()))
        clock.at(1, lambda: seen.append(("nested", clock.monotonic())))

    clock.at(2, first)
    clock.at(5, lambda: seen.append(("third", clock.monotonic())))

    clock.sleep(4)
    early = list(seen)
    clock.sleep(1)

    assert early == [("first", 102.0), ("nested", 103.0)]
    assert seen[2:] == [("second", 105.0), ("third", 105.0)]


def test_a_jump_moves_the_wall_only():
    clock = VirtualClock(NOON, monotonic=10.0)
    seen = []
    clock.at(60, lambda: seen.append("due"))

    clock.jump(timedelta(days=1))

    assert (clock.now(), clock.monotonic(), seen) == (NOON + timedelta(days=1), 10.0, [])


def test_a_reboot_begins_the_monotonic_seconds_again_and_forgets_no_appointment():
    clock = VirtualClock(monotonic=500.0)
    seen = []
    clock.at(3, lambda: seen.append(clock.monotonic()))

    clock.sleep(1)
    clock.rebooted()
    clock.sleep(2)

    assert (clock.monotonic(), seen) == (2.0, [2.0])


def test_a_following_clock_runs_only_what_is_due():
    clock = FollowingClock()
    seen = []
    clock.at(0, lambda: seen.append("now"))
    clock.at(3600, lambda: seen.append("in an hour"))

    clock.run_due()

    assert seen == ["now"]
    assert 3590 < (clock.until_next() or 0) <= 3600


# --- parse(voice(state)) == state


@pytest.mark.parametrize("platform", Platform)
@pytest.mark.parametrize("state", [state for state in State if state is not State.UNKNOWN])
def test_lssrc_reads_as_it_was_said(platform: Platform, state: State):
    running = state is not State.INOPERATIVE
    rows = [Subsystem("ctrmc", state, "rsct", 6947312 if running else None),
            Subsystem("IBM.MgmtDomainRM", state, "rsct_rm", 4711 if running else None), Subsystem("pfcdaemon", State.INOPERATIVE)]

    assert parse.lssrc(said(voices.lssrc(rows, platform))) == {row.name: row for row in rows}


@pytest.mark.parametrize("link", Link)
def test_rmcdomainstatus_reads_as_it_was_said(link: Link):
    points = (ControlPoint("12b6b4fd1cebb73f", HMC, link, queued=True), ControlPoint("0" * 15 + "1", "fe80::1", link))
    status = DomainStatus(points, peers=("aix2", "aix3"), managed=("aix4",))

    assert parse.rmcdomainstatus(said(voices.rmcdomainstatus(status))) == status
    assert parse.rmcdomainstatus(said(voices.rmcdomainstatus(DomainStatus()))) == DomainStatus()


def test_lsrsrc_reads_as_it_was_said():
    servers = (ManagementServer(HMC, "7042CR9*10A2B3C", "12b6b4fd1cebb73f", (HMC, OTHER_HMC, "2001:db8::5"), "pd1"),
               ManagementServer("2001:db8::6", "V807f77*6d11757", "f" * 16, ("2001:db8::6",)))
    older = (ManagementServer(HMC, addresses=(HMC,), active_peer_domain="pd1"),)

    assert parse.lsrsrc(said(voices.lsrsrc_mcp(servers)), "IBM.MCP") == servers
    assert parse.lsrsrc(said(voices.lsrsrc_management_server(older)), "IBM.ManagementServer") == older
    assert parse.lsrsrc(said(voices.lsrsrc_mcp(())), "IBM.MCP") == ()


@pytest.mark.parametrize("state", ["Online", "Offline", "Pending online", "Pending offline", "Failed offline"])
def test_lsrpdomain_reads_as_it_was_said(state: str):
    domains = (PeerDomain("pd1", state), PeerDomain("a_domain_with_a_long_name", "Offline"))

    assert parse.lsrpdomain(said(voices.lsrpdomain(domains))) == domains
    assert parse.lsrpdomain(said(voices.lsrpdomain(()))) == ()


def test_lscluster_lspv_and_the_odm_read_as_they_were_said():
    up, down = (voices.lscluster_m(name) for name in ("caa_cl", ""))

    assert parse.lscluster(said(up.stdout)) and not parse.lscluster(Answer("lscluster-m", 1, "", down.stderr))
    for disk, active in (("hdisk7", True), ("hdisk7", False), ("", True)):
        assert parse.lspv(said(voices.lspv(disk, active))) == disk
    assert [parse.odm_hacmpcluster(_answered(voices.odm_hacmpcluster(name))) for name in ("ha_cl", "")] == ["ha_cl", ""]


def _answered(what: voices.Said) -> Answer:
    return Answer("voice", what.exit_code, what.stdout, what.stderr)


def test_errpt_reads_as_it_was_said():
    entries = [LogEntry(label, HERE_AT_NOON) for label in voices.ERRORS]

    rows = parse.errpt(said(voices.errpt(entries)))

    assert [(row.identifier, row.at_text, row.type, row.class_, row.resource, row.description) for row in rows] == [
        (identifier, "0304120026", kind, class_, resource, text[:40])
        for identifier, kind, class_, resource, text in voices.ERRORS.values()]


def test_what_a_platform_says_is_understood_throughout():
    for platform in Platform:
        scene = Scene(platform)

        rows = parse.lssrc(scene.run("lssrc -a"))

        assert rows["ctrmc"] == scene.partition.subsystems["ctrmc"].row()
        assert parse.node_id(scene.run("lsnodeid")) == scene.partition.node_id
        assert parse.ct_clusterinfo(scene.run("ct_clusterinfo -c")) == "IW"
        assert parse.lssrc_one(scene.run("lssrc -s nobody"), "nobody") is None


def test_a_service_manager_tells_a_crash_from_a_clean_stop():
    crashed, stopped = Scene(Platform.LINUX), Scene(Platform.LINUX)

    crashed.partition.crash()
    stopped.partition.stop_cleanly()

    asked = "systemctl show ctrmc.service -p ActiveState,Result"
    assert parse.systemctl_show(crashed.run(asked)) == {"ActiveState": "failed", "Result": "signal"}
    assert parse.systemctl_show(stopped.run(asked)) == {"ActiveState": "inactive", "Result": "success"}


@pytest.mark.parametrize("capture, platform", [("lssrc-a--aix72", Platform.AIX), ("lssrc-a--linux-narrow-pid", Platform.LINUX)])
def test_lssrc_says_a_captured_table_again_to_the_letter(capture: str, platform: Platform):
    text = (CAPTURES / f"{capture}.txt").read_text("utf-8")

    assert voices.lssrc(parse.lssrc(said(text)).values(), platform) == text


@pytest.mark.parametrize("capture, say", [
    ("lsrpdomain--pending", lambda answer: voices.lsrpdomain(parse.lsrpdomain(answer))),
    ("rmcdomainstatus--peers-and-hmc", lambda answer: voices.rmcdomainstatus(
        DomainStatus(parse.rmcdomainstatus(answer).control_points))),
    ("lsrsrc-IBM.MCP--none", lambda answer: voices.lsrsrc_mcp(parse.lsrsrc(answer, "IBM.MCP"))),
])
def test_a_voice_says_a_captured_answer_again_to_the_letter(capture, say):
    text = (CAPTURES / f"{capture}.txt").read_text("utf-8")

    again = say(said(text))

    assert again and again in text


def test_voices_have_the_columns_of_captured_output():
    """Shapes only: widths of the first columns, the blank after Status on Linux, the indent of a status line."""
    rows = [Subsystem("ctrmc", State.ACTIVE, "rsct", 6947312), Subsystem("lpd", State.INOPERATIVE, "spooler")]

    aix = voices.lssrc(rows, Platform.AIX).splitlines()
    linux = voices.lssrc(rows[:1], Platform.LINUX).splitlines()

    assert aix == ["Subsystem         Group            PID          Status",
                   " ctrmc            rsct             6947312      active",
                   " lpd              spooler                       inoperative"]
    assert linux == ["Subsystem         Group            PID     Status ", " ctrmc            rsct             6947312 active"]
    assert voices.lsrpdomain((PeerDomain("pd1", "Pending online"),)).splitlines() == [
        "Name OpState        RSCTActiveVersion MixedVersions TSPort GSPort ",
        "pd1  Pending online 3.2.3.2           No            12347  12348  "]
    assert voices.errpt([LogEntry("RMCD_INFO_0_ST", HERE_AT_NOON)]).splitlines()[1] == (
        "A6DF45AA   0304120026 I O RMCdaemon      The daemon is started.")


def test_a_log_line_has_the_shape_of_a_captured_one():
    lines = voices.log_lines("hmc", 3, NOON, HMC).decode().splitlines()

    assert lines[0] == (
        "Wed Mar 4 12:00:00 UTC 2026(000000) ../../../../../src/rsct/rm/MgmtDomainRM/MCP_cfg.c/02047/1.24 "
        f"2613-021 MDC received an error response for getSupportedProtocols from {HMC}: 262154 "
        "2610-415 Cannot execute the command. The resource manager IBM.DMSRM is not available.")
    assert [re.findall(r"26\d\d-\d{3}", line) for line in lines] == [
        ["2613-021", "2610-415"], ["2613-027", "2613-021"], ["2613-023"]]


# --- the state machine


def test_ctrmc_that_crashes_leaves_its_row_an_error_and_no_session():
    scene = Scene()

    scene.partition.crash("ctrmc")

    assert scene.state("ctrmc") is State.INOPERATIVE
    assert parse.errpt(scene.run("errpt"))[0].identifier == "BC3BE5A3"
    assert not scene.partition.hmcs[0].connected
    assert scene.run("rmcdomainstatus -s ctrmc").exit_code == scene.run("lsrsrc IBM.MCP").exit_code == 1


def test_a_clean_stop_leaves_no_error_of_src():
    scene = Scene()

    scene.partition.stop_cleanly()

    assert scene.state("IBM.DRM") is State.INOPERATIVE
    assert [row.resource for row in parse.errpt(scene.run("errpt"))] == ["RMCdaemon", "errdemon"]


def test_a_recycle_stops_everything_and_brings_the_session_back_after_its_time():
    scene = Scene()
    scene.partition.stick_session(mended_by="recycle")
    stop = scene.partition.command("rmcctrl", ("-z",))

    during = scene.state("ctrmc")
    scene.clock.sleep(stop.seconds)
    after = scene.state("ctrmc"), scene.state("IBM.ServiceRM")
    scene.change("rmcctrl -A")
    scene.clock.sleep(29)
    early = scene.link()
    scene.clock.sleep(2)

    assert during is State.STOPPING
    assert after == (State.INOPERATIVE, State.INOPERATIVE)
    assert (early, scene.link(), scene.state("IBM.ServiceRM")) == (Link.DOWN, Link.UP, State.ACTIVE)
    assert [words for _, words in scene.partition.did] == ["rmcctrl -z", "rmcctrl -A"]


@pytest.mark.parametrize("mended_by, by_refresh, by_recycle, by_recfgct", [
    ("refresh", Link.UP, Link.UP, Link.UP),
    ("recycle", Link.DOWN, Link.UP, Link.UP),
    ("recfgct", Link.DOWN, Link.DOWN, Link.UP),
    (None, Link.DOWN, Link.DOWN, None),
])
def test_a_stuck_session_is_mended_by_its_mender_and_by_nothing_gentler(mended_by, by_refresh, by_recycle, by_recfgct):
    for lines, expected in (("rmcctrl -p;rmcrefreshMD -s ctrmc;refrsrc IBM.MCP", by_refresh),
                            ("rmcctrl -z;rmcctrl -A;rmcctrl -p", by_recycle), ("recfgct;rmcctrl -p", by_recfgct)):
        scene = Scene()
        scene.partition.stick_session(mended_by=mended_by)

        for line in lines.split(";"):
            scene.change(line)
        scene.clock.sleep(120)

        status = parse.rmcdomainstatus(scene.run("rmcdomainstatus -s ctrmc"))
        shown = {point.address: point.link for point in status.control_points}
        assert shown.get(HMC) == expected, lines


def test_recfgct_gives_a_new_identity_and_wants_remote_clients_enabled_afterwards():
    scene = Scene()
    scene.partition.break_identity()
    before = scene.partition.node_id

    pending = scene.link()
    reply = scene.change("recfgct")
    scene.clock.sleep(120)
    without = scene.partition.hmcs[0].connected
    scene.change("rmcctrl -p")
    scene.clock.sleep(120)

    assert pending is Link.PENDING
    assert "0513-059 The ctrmc Subsystem has been started" in reply.stdout
    assert not without and scene.link() is Link.UP
    assert parse.node_id(scene.run("lsnodeid")) != before
    assert scene.run("lscondition -C").stdout == ""
    assert scene.partition.disasters == []


def test_a_domain_that_comes_online_runs_topology_services_but_not_yet_group_services():
    scene = Scene()

    scene.partition.define_peer_domain("pd1", "Pending Online")
    scene.clock.sleep(5.0)

    assert (scene.partition.active("cthats"), scene.partition.active("cthags")) == (True, False)


def test_recfgct_refuses_while_a_peer_domain_is_online():
    scene = Scene()
    scene.partition.define_peer_domain("pd1")
    before = scene.partition.node_id

    reply = scene.change("recfgct")

    assert act.DECLINED in reply.stdout and reply.exit_code == 1
    assert scene.partition.node_id == before and scene.state("ctrmc") is State.ACTIVE


@pytest.mark.parametrize("event, deed, disaster", [
    (lambda p: p.define_peer_domain(), "rmcctrl -z", "recycle under live Group Services"),
    (lambda p: p.start_caa(), "recfgct", "recfgct under an active CAA cluster"),
    (lambda p: p.define_peer_domain(state="Offline"), "recfgct", "recfgct deletes peer domain pd1"),
    (lambda p: p.hmc_up(), "rmcctrl -z", "recycle while an HMC was connected"),
    (lambda p: p.start_migration(), "recfgct", "recfgct during a migration"),
])
def test_what_a_careful_hand_would_not_do_is_a_disaster(event, deed, disaster):
    scene = Scene()
    event(scene.partition)

    scene.change(deed)

    assert disaster in scene.partition.disasters


def test_a_changing_command_takes_effect_whoever_waits_for_it():
    scene = Scene()

    answer = scene.run("rmcctrl -z", timeout=1.0)
    at_time_out = scene.state("ctrmc")
    scene.clock.sleep(10)

    assert answer.timed_out and answer.exit_code is None
    assert (at_time_out, scene.state("ctrmc")) == (State.STOPPING, State.INOPERATIVE)


def test_ctrmc_that_will_not_start_is_gone_a_second_after_a_start_that_exited_0():
    scene = Scene()
    scene.partition.crash()
    scene.partition.ctrmc_wont_start(times=1)

    first = scene.change("rmcctrl -A").exit_code, scene.state("ctrmc")
    scene.clock.sleep(2)
    then = scene.state("ctrmc")
    scene.change("rmcctrl -A")
    scene.clock.sleep(2)

    assert first == (0, State.ACTIVE)
    assert (then, scene.state("ctrmc")) == (State.INOPERATIVE, State.ACTIVE)


def test_a_hung_rmc_answers_nobody_until_it_is_started_again():
    scene = Scene()
    scene.partition.hung_rmc()

    asked = [scene.run(line, 5.0).timed_out for line in ("rmcdomainstatus -s ctrmc", "lsrsrc IBM.MCP", "lssrc -a", "lsnodeid")]
    for line in ("rmcctrl -z", "rmcctrl -A"):
        scene.change(line)

    assert asked == [True, True, False, False]
    assert not scene.run("lsrsrc IBM.MCP").timed_out


def test_a_manager_is_started_by_startsrc_unless_only_a_recycle_mends_it():
    scene = Scene()
    scene.partition.manager_crash("IBM.DRM", mended_by="recycle")

    started = scene.change("startsrc -s IBM.DRM").exit_code, scene.state("IBM.DRM")
    scene.clock.sleep(2)
    again = scene.state("IBM.DRM")
    for line in ("rmcctrl -z", "rmcctrl -A"):
        scene.change(line)
    scene.clock.sleep(10)

    assert started == (0, State.ACTIVE)
    assert (again, scene.state("IBM.DRM")) == (State.INOPERATIVE, State.ACTIVE)


def test_each_trouble_shows_its_letter():
    troubles = {
        Link.DOWN: lambda p: p.hmc_unreachable(), Link.PENDING: lambda p: p.break_identity(), Link.FLAPPING: lambda p: p.flap(),
        Link.SUSPENDED: lambda p: p.hmc(HMC, suspended=True), Link.UP: lambda p: p.hmc_up(),
    }
    for link, trouble in troubles.items():
        scene = Scene()

        trouble(scene.partition)

        assert scene.link() is link


def test_an_hmc_that_comes_back_connects_after_its_time_and_the_other_never_noticed():
    scene = Scene(hmcs=(HMC, OTHER_HMC))
    scene.partition.hmc_down(HMC)

    down = scene.link(HMC), scene.link(OTHER_HMC), dict(scene.host.reach((HMC, OTHER_HMC, "hmc1"), (657,), 3.0))
    scene.partition.hmc_up(HMC)
    scene.clock.sleep(31)

    assert down == (Link.DOWN, Link.UP, {HMC: False, OTHER_HMC: True, "hmc1": None})
    assert scene.link(HMC) is Link.UP


def test_a_cluster_shows_in_every_place_it_can_be_asked_for():
    scene = Scene()
    scene.partition.start_caa("caa_cl", "hdisk3")
    scene.partition.start_powerha("ST_STABLE", "ha_cl")

    seen: Dict[str, object] = {
        "lspv": parse.lspv(scene.run("lspv")), "name": parse.ct_clusterinfo(scene.run("ct_clusterinfo -c")),
        "caa": bool(parse.lscluster(scene.run("lscluster -m"))), "powerha": parse.clstrmgr(scene.run("lssrc -ls clstrmgrES")),
        "odm": parse.odm_hacmpcluster(scene.run("odmget HACMPcluster")), "cthags": scene.state("cthags"),
    }

    assert seen == {"lspv": "hdisk3", "name": "caa_cl", "caa": True, "powerha": "ST_STABLE", "odm": "ha_cl",
                    "cthags": State.ACTIVE}


def test_caa_that_is_stopped_still_holds_its_disk():
    scene = Scene()
    scene.partition.start_caa(disk="hdisk3")

    scene.partition.stop_caa()

    assert parse.lspv(scene.run("lspv")) == "hdisk3"
    assert not parse.lscluster(scene.run("lscluster -m")) and scene.state("cthags") is State.INOPERATIVE


def test_a_shared_storage_pool_is_named_by_ioscli():
    plain, pooled = Scene(Platform.VIOS), Scene(Platform.VIOS)
    pooled.partition.start_ssp("ssp_cl")

    names = [parse.ioscli_cluster(scene.run("ioscli cluster -list -field cluster_name -fmt ,")) for scene in (plain, pooled)]

    assert names == ["", "ssp_cl"]


def test_an_in_band_hmc_is_known_to_mcproxy_only():
    scene = Scene(hmcs=())
    scene.partition.in_band("hmc1.example.com")

    assert parse.mcproxy(scene.run("lssrc -ls mcproxy")) == ("hmc1.example.com",)
    assert parse.lsrsrc(scene.run("lsrsrc IBM.MCP"), "IBM.MCP") == ()
    assert parse.rmcdomainstatus(scene.run("rmcdomainstatus -s ctrmc")) == DomainStatus()


def test_a_migration_stands_in_the_error_log_until_it_ends():
    scene = Scene()
    identity = scene.host.vitals("").identity
    scene.partition.start_migration()

    started = [row.description for row in parse.errpt(scene.run("errpt"))][:1]
    scene.clock.sleep(60)
    scene.partition.end_migration()

    ended = [row.description for row in parse.errpt(scene.run("errpt"))][:1]
    assert ("Started" in started[0], "Completed" in ended[0]) == (True, True)
    assert scene.host.vitals("").identity != identity


def test_a_reboot_is_a_new_boot_in_which_rmc_comes_back():
    scene = Scene()
    scene.partition.crash()
    boot = scene.host.vitals("").boot

    scene.partition.reboot()
    vitals = scene.host.vitals("")
    scene.clock.sleep(60)

    assert vitals.boot != boot and vitals.up_for == timedelta(0)
    assert scene.clock.monotonic() < 61
    assert scene.link() is Link.UP


def test_what_was_under_way_at_a_reboot_never_ends():
    scene = Scene()
    scene.partition.command("rmcctrl", ("-z",))
    scene.clock.sleep(1)

    scene.partition.reboot()
    scene.clock.sleep(60)

    assert scene.state("ctrmc") is State.ACTIVE
    assert "rmcctrl" not in (scene.host.processes() or ())


@pytest.mark.parametrize("ended, mended", [((), False), (("accessprocess",), False), (("accessprocess", "lparmgr"), True)])
def test_an_lparmgr_is_mended_only_by_ending_its_processes_and_starting_them_again(ended, mended):
    scene = Scene(Platform.VIOS)
    scene.partition.stick_lparmgr()
    scene.partition.end_programs(*ended)

    scene.change("lparmgr all start")
    at_once = scene.host.exists(APSOCK)
    scene.clock.sleep(10)

    assert (at_once, scene.host.exists(APSOCK), scene.run("lsivm").exit_code == 0) == (False, mended, mended)
    assert "lparmgr" in (scene.host.processes() or ())


def test_an_lparmgr_that_was_ended_is_gone_with_its_socket_until_it_is_started_or_booted():
    scene = Scene(Platform.VIOS)

    scene.partition.end_programs("accessprocess", "lparmgr")
    ended = ("lparmgr" in (scene.host.processes() or ()), scene.host.exists(APSOCK))
    scene.partition.reboot()

    assert ended == (False, False)
    assert ("lparmgr" in (scene.host.processes() or ()), scene.host.exists(APSOCK)) == (True, True)


def test_a_helper_ends_lparmgr_starts_it_and_waits_for_its_socket():
    scene = Scene(Platform.VIOS)
    scene.partition.stick_lparmgr()

    scene.begin(Remedy.LPARMGR)
    scene.clock.sleep(5)
    waiting = scene.host.progress(1, "/state")
    scene.clock.sleep(5)
    done = scene.host.progress(1, "/state")

    assert waiting and waiting.alive and waiting.steps[-1] == "wait for apsock" and not scene.partition.lparmgr_stuck
    assert done and done.done and done.failed == ()


@pytest.mark.parametrize("trick", ["hang_command", "fail_command"])
def test_a_helper_waits_for_no_socket_and_for_no_command_for_ever(trick: str):
    scene = Scene(Platform.VIOS)
    getattr(scene.partition, trick)("lparmgr")

    scene.begin(Remedy.LPARMGR)
    scene.clock.sleep(130)

    done = scene.host.progress(1, "/state")
    assert done and done.done
    assert done.failed[-1] == f"wait for apsock: exit 1, cannot find {APSOCK} after 60 seconds"


def test_lsrpdomain_wakes_config_rm():
    scene = Scene()

    scene.run("lsrpdomain")

    assert scene.state("IBM.ConfigRM") is State.ACTIVE


def test_the_same_seed_gives_the_same_partition():
    one, same, other = (Scene(seed=seed).partition for seed in (7, 7, 8))

    assert (one.node_id, one.subsystems, one.hmcs) == (same.node_id, same.subsystems, same.hmcs)
    assert one.node_id != other.node_id


def test_no_session_begins_without_ibm_mgmtdomainrm():
    scene = Scene()
    scene.partition.manager_crash("IBM.MgmtDomainRM")
    kept = scene.link()

    scene.partition.hmc_down()
    scene.partition.hmc_up()
    scene.clock.sleep(300)
    without = scene.link()
    scene.change("startsrc -s IBM.MgmtDomainRM")
    scene.clock.sleep(60)

    assert (kept, without, scene.link()) == (Link.UP, Link.DOWN, Link.UP)


def test_a_first_session_after_recfgct_takes_longer_than_any_later_one():
    scene = Scene()
    scene.partition.break_identity()
    for line in ("recfgct", "rmcctrl -p"):
        scene.change(line)

    waits = []
    for _ in range(2):
        began = scene.clock.monotonic()
        while not scene.partition.hmcs[0].connected:
            scene.clock.sleep(1)
        waits.append(scene.clock.monotonic() - began)
        scene.partition.hmc_down()
        scene.partition.hmc_up()

    assert waits == [pytest.approx(60, abs=2), pytest.approx(30, abs=2)]


def test_a_peer_domain_is_not_online_without_group_services():
    scene = Scene()
    scene.partition.define_peer_domain("pd1")

    scene.partition.crash("cthags")

    assert parse.lsrpdomain(scene.run("lsrpdomain")) == (PeerDomain("pd1", "Offline"),)


# --- what cannot be


def _connected_without_rmc(p: Partition) -> None:
    p.end("ctrmc")
    p.hmcs[0].connected = True


@pytest.mark.parametrize("rule, lie", [
    ("a_pid_belongs_to_what_runs", lambda p: setattr(p.row("ctrmc"), "pid", None)),
    ("no_two_subsystems_share_a_pid", lambda p: setattr(p.row("ctrmc"), "pid", p.row("IBM.DRM").pid)),
    ("a_session_needs_both_ends", _connected_without_rmc),
    ("a_connected_hmc_is_known", lambda p: setattr(p.hmcs[0], "known", False)),
    ("one_address_has_one_session", lambda p: p.hmcs.append(p.hmcs[0])),
    ("a_node_is_online_in_one_domain_at_most", lambda p: (p.define_peer_domain("pd1"), p.domains.update(pd2="Online"))),
    ("an_online_domain_has_group_services", lambda p: p.domains.update(pd1="Online")),
    ("powerha_services_need_caa", lambda p: setattr(p, "powerha", "ST_STABLE")),
    ("a_storage_pool_cluster_stands_on_caa", lambda p: setattr(p, "ssp", "ssp_cl")),
    ("in_band_hosts_come_through_mcproxy", lambda p: p.in_band_hosts.append("hmc1")),
    ("var_holds_no_more_than_it_can", lambda p: setattr(p, "var_free", p.var_size + 1)),
    ("a_node_id_is_sixteen_hex_digits", lambda p: setattr(p, "node_id", "12")),
    ("a_boot_lies_in_the_past", lambda p: setattr(p, "booted_at", 1e9)),
])
def test_what_a_partition_cannot_be_is_refused_by_name(rule, lie):
    partition = Scene().partition
    lie(partition)

    with pytest.raises(Impossible, match=rule):
        check(partition)


def test_every_rule_was_broken_once_above_or_below():
    text = Path(__file__).read_text("utf-8")

    assert [rule.__name__ for rule in RULES if f'"{rule.__name__}"' not in text] == []


@pytest.mark.parametrize("rule, platform, event", [
    ("each_platform_has_its_own_clusters", Platform.LINUX, lambda p: p.start_caa()),
    ("each_platform_has_its_own_clusters", Platform.AIX, lambda p: p.start_ssp()),
    ("powerha_services_need_caa", Platform.AIX, lambda p: p.start_powerha("ST_STABLE")),
    ("var_holds_no_more_than_it_can", Platform.AIX, lambda p: p.fill_var(1.5)),
])
def test_an_event_that_cannot_be_is_refused(rule, platform, event):
    with pytest.raises(Impossible, match=rule):
        event(Scene(platform).partition)


@pytest.mark.parametrize("event", [
    lambda p: p.crash("nobody"), lambda p: p.hmc_down("203.0.113.9"), lambda p: p.stick_session(mended_by="prayer"),
    lambda p: p.storm(1, "sand"), lambda p: p.hang_command("lslpp"), lambda p: p.hmc(HMC, colour="red"),
])
def test_an_event_that_names_what_is_not_there_says_so(event):
    with pytest.raises(ValueError, match="^cannot "):
        event(Scene().partition)


# --- tricks on commands


def test_a_command_can_be_made_to_fail_in_every_way():
    scene = Scene()
    healthy = scene.run("lssrc -a")
    answers = {}
    for trick, play in {
        "hang": scene.partition.hang_command, "garble": scene.partition.garble_command, "cut": scene.partition.cut_command,
        "localise": scene.partition.localise, "empty": scene.partition.empty_command, "remove": scene.partition.remove_command,
    }.items():
        play("lssrc")
        answers[trick] = scene.run("lssrc -a")
        scene.partition.mend_command("lssrc")
    scene.partition.fail_command("lssrc", 127, "no")
    failed = scene.run("lssrc -a")

    assert answers["hang"].timed_out and answers["hang"].took == 20.0
    assert "\x1b" in answers["garble"].stdout
    assert healthy.stdout.startswith(answers["cut"].stdout) and not answers["cut"].stdout.endswith("\n")
    assert " activo\n" in answers["localise"].stdout
    assert (answers["empty"].stdout, answers["empty"].exit_code) == ("", 0)
    assert answers["remove"].missing
    assert (failed.exit_code, failed.stderr) == (127, "no\n")
    scene.partition.mend_command("lssrc")
    assert scene.run("lssrc -a").stdout == healthy.stdout


def test_a_trick_may_befall_some_calls_of_a_command_only_and_pass():
    scene = Scene()
    scene.partition.hang_command("lssrc -s", until=60)

    during = scene.run("lssrc -s ctrmc").timed_out, scene.run("lssrc -a").timed_out
    scene.clock.sleep(60)

    assert during == (True, False)
    assert not scene.run("lssrc -s ctrmc").timed_out


def test_the_trick_that_names_more_of_a_call_counts():
    scene = Scene()
    scene.partition.fail_command("lssrc", 1, "all")
    scene.partition.fail_command("lssrc -ls clstrmgrES", 1, "this one")

    said_by = [scene.run(line).stderr for line in ("lssrc -ls clstrmgrES", "lssrc -ls mcproxy", "lssrc -a")]

    assert said_by == ["this one\n", "all\n", "all\n"]


def test_a_loaded_partition_answers_later():
    scene = Scene()
    scene.partition.slow_down(300)

    assert scene.run("lsrsrc IBM.MCP").timed_out
    assert 2.0 < scene.run("lssrc -a").took < 20.0


# --- SimHost


def test_a_command_of_another_platform_or_at_another_path_is_missing():
    scene = Scene(Platform.LINUX)

    assert scene.run("lspv").missing and "lspv" not in scene.host.commands()
    assert scene.host.run(("/usr/bin/lssrc", "-a"), 20.0).missing


def test_an_answer_that_is_too_long_is_cut():
    scene = Scene()

    answer = scene.host.run(("/sim/bin/lssrc", "-a"), 20.0, keep=100)

    assert answer.cut and len(answer.stdout) == 100


def test_a_storm_grows_the_log_at_its_rate_and_eats_var():
    scene = Scene()
    (before,), free = scene.host.files("/var/ct/*/log/mc/IBM.MgmtDomainRM*"), scene.partition.var_free
    scene.partition.storm(per_second=10, kind="slots")

    scene.clock.sleep(99)
    (after,) = scene.host.files("/var/ct/*/log/mc/IBM.MgmtDomainRM*")
    text = scene.host.read_from(after.path, before.size, after.size) or b""

    assert text.count(b"2613-023") == 1000
    assert len(text) == after.size - before.size
    assert free - scene.partition.var_free == len(text)


def test_a_second_storm_takes_the_place_of_the_first_and_a_storm_can_end():
    scene = Scene()
    scene.partition.storm(per_second=1000, kind="slots")
    scene.partition.storm(per_second=1, kind="slots")

    (before,) = scene.host.files("/var/ct/*/log/mc/IBM.MgmtDomainRM*")
    scene.clock.sleep(101)
    (during,) = scene.host.files("/var/ct/*/log/mc/IBM.MgmtDomainRM*")
    scene.partition.end_storm()
    scene.clock.sleep(100)
    (after,) = scene.host.files("/var/ct/*/log/mc/IBM.MgmtDomainRM*")

    assert 0 < during.size - before.size < 100 * 250
    assert after.size == during.size


def test_a_star_does_not_reach_over_a_slash():
    scene = Scene()

    assert scene.host.files("/var/*/IBM.MgmtDomainRM*") == ()


def test_a_full_var_takes_no_more_lines():
    scene = Scene()
    scene.partition.fill_var(1.0)

    scene.partition.storm(per_second=100, kind="hmc")
    scene.clock.sleep(60)

    assert scene.partition.var_free == 0
    assert scene.host.space("/var").free == 0


def test_a_log_of_gigabytes_costs_megabytes_and_keeps_its_size():
    scene = Scene()
    scene.partition.storm(per_second=20000, kind="slots")

    scene.clock.sleep(60)
    (log,) = scene.host.files("/var/ct/*/log/mc/IBM.MgmtDomainRM*")

    assert log.size > 150 << 20
    assert sum(len(one.data) for one in scene.partition.logs.values()) <= 8 << 20
    assert len(scene.host.read_from(log.path, log.size - 100, 1000) or b"") == 100


def test_a_rotated_log_keeps_its_inode_under_its_new_name():
    scene = Scene()
    (before,) = scene.host.files("/var/ct/*/log/mc/IBM.MgmtDomainRM*")

    scene.partition.rotate_log()
    new, last = scene.host.files("/var/ct/*/log/mc/IBM.MgmtDomainRM*")

    assert (last.path, last.inode, last.size) == (f"{before.path}.last", before.inode, before.size)
    assert new.size == 0 and new.inode != before.inode


def test_in_a_cluster_the_log_goes_to_a_folder_with_a_number():
    scene = Scene()
    scene.partition.define_peer_domain()

    scene.partition.write_log("network", 2)

    folders = {log.path.split("/")[3] for log in scene.host.files("/var/ct/*/log/mc/IBM.MgmtDomainRM*")}
    assert folders == {"IW", "3423108940"}


def test_the_two_node_id_files_disagree_after_a_clash():
    scene = Scene()
    scene.partition.clash_identity()

    first, copy = (parse.node_id((scene.host.read_from(path, 0, 4096) or b"").decode())
                   for path in ("/etc/ct_node_id", "/var/ct/cfg/ct_node_id"))

    assert first == scene.partition.node_id != copy


def test_our_own_port_answers_while_remote_clients_are_enabled():
    scene = Scene()

    enabled = scene.host.reach(("127.0.0.1",), (657,), 1.0)
    scene.partition.disable_remote()

    assert (enabled, scene.host.reach(("127.0.0.1",), (657,), 1.0)) == ({"127.0.0.1": True}, {"127.0.0.1": False})


def test_a_pid_is_alive_as_long_as_its_subsystem():
    scene = Scene()
    pid = scene.partition.row("ctrmc").pid or 0

    before = scene.host.alive(pid)
    scene.partition.crash()

    assert (before, scene.host.alive(pid)) == (True, False)


# --- deeds in virtual time


def test_a_deed_goes_on_while_the_agent_sleeps():
    scene = Scene()
    scene.partition.stick_session()
    scene.begin(Remedy.RECYCLE)

    scene.clock.sleep(5)
    early = scene.host.progress(1, "/state")
    scene.clock.sleep(20)
    late = scene.host.progress(1, "/state")

    assert early and (early.alive, early.done, early.steps) == (True, False, ("rmcctrl -z",))
    assert late and (late.alive, late.done, late.failed) == (False, True, ())
    assert late.steps == ("rmcctrl -z", "rmcctrl -A", "rmcctrl -p")
    assert late.ended_at == pytest.approx(3600 + 8 + 2 + 0.5)


def test_a_helper_that_dies_leaves_its_command_to_end_and_takes_no_further_step():
    scene = Scene()
    scene.partition.stick_session()
    scene.begin(Remedy.RECYCLE)
    scene.clock.sleep(1)

    scene.host.kill_helper(1)
    during = scene.host.progress(1, "/state")
    scene.clock.sleep(60)
    after = scene.host.progress(1, "/state")

    assert during and during.alive
    assert after and (after.alive, after.done, after.steps) == (False, False, ("rmcctrl -z",))
    assert scene.state("ctrmc") is State.INOPERATIVE


def test_a_deed_does_not_survive_a_reboot():
    scene = Scene()
    scene.partition.stick_session()
    scene.begin(Remedy.RECYCLE)
    scene.clock.sleep(1)

    scene.partition.reboot()
    scene.clock.sleep(60)
    progress = scene.host.progress(1, "/state")

    assert progress and (progress.alive, progress.done, len(progress.steps)) == (False, False, 1)
    assert [words for _, words in scene.partition.did] == ["rmcctrl -z"]


def test_recfgct_records_the_node_id_before_and_after():
    scene = Scene()
    scene.partition.break_identity()
    before = scene.partition.node_id
    scene.begin(Remedy.RECFGCT)

    scene.clock.sleep(120)
    progress = scene.host.progress(1, "/state")

    assert progress and progress.done and progress.failed == ()
    assert progress.notes == {"node_id_before": before, "node_id_after": scene.partition.node_id}
    assert scene.link() is Link.UP


def test_a_start_that_fails_is_tried_again():
    scene = Scene()
    scene.partition.crash()
    scene.partition.fail_command("rmcctrl -A", 1, "cannot")
    scene.begin(Remedy.START)

    scene.clock.sleep(1)
    scene.partition.mend_command("rmcctrl -A")
    scene.clock.sleep(60)

    assert [words for _, words in scene.partition.did] == ["rmcctrl -A", "rmcctrl -A", "rmcctrl -p"]
    assert scene.state("ctrmc") is State.ACTIVE


def test_a_changing_command_that_hangs_keeps_its_helper_alive():
    scene = Scene()
    scene.partition.hang_command("rmcctrl -z")
    scene.begin(Remedy.RECYCLE)

    scene.clock.sleep(86400)
    progress = scene.host.progress(1, "/state")

    assert scene.partition.command("rmcctrl", ("-z",)).seconds == FOREVER
    assert progress and (progress.alive, progress.done) == (True, False)


def test_a_command_is_late_only_while_it_runs():
    scene = Scene()
    scene.partition.hang_command("rmcctrl -z")
    scene.begin(Remedy.RECYCLE)
    scene.clock.sleep(119)
    early = scene.host.progress(1, "/state")
    scene.clock.sleep(481)
    late = scene.host.progress(1, "/state")

    scene.host.end_hanging()
    during = scene.host.progress(1, "/state")
    scene.clock.sleep(60)
    ended = scene.host.progress(1, "/state")

    was = {"was_late": "rmcctrl -z ended late, after 10 minutes"}
    assert early and late and (early.notes, late.notes, late.ended_at) == ({}, {"late": "rmcctrl -z"}, 3600)
    assert during and ended and (during.steps[-1], during.notes, ended.done, ended.notes) == ("rmcctrl -A", was, True, was)


def test_what_is_forgotten_leaves_no_trace():
    scene = Scene()
    scene.begin(Remedy.REFRESH)

    scene.host.forget(1, "/state")

    assert scene.host.progress(1, "/state") is None


def test_errpt_dates_and_selects_in_local_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as here:
        here.setenv("TZ", "EST5EDT")
        time.tzset()
        try:
            scene = Scene()                               # in 2026 at midnight, UTC
            scene.clock.sleep(3600)
            scene.partition.crash("ctrmc")
            every = scene.run("errpt").stdout.splitlines()[1:]
            since = scene.run("errpt -s 1231193025").stdout
        finally:
            here.undo()
            time.tzset()

    assert [row.split()[1] for row in every] == ["1231200025", "1231190025"]
    assert since.splitlines()[1:] == every[:1]
