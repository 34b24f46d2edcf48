"""Which platform this is, where its commands and files are, and what the policy may put elsewhere."""
from __future__ import annotations

import sys
from typing import Iterable, Mapping, Sequence, Set, Tuple

import pytest

from rmcagent import config
from rmcagent.config import Settings
from rmcagent.model import Answer, Platform
from rmcagent.partition import act
from rmcagent.partition.host import SystemHost
from rmcagent.partition.platform import IOSCLI, Place, expected, place, which
from rmcagent.sim.partition.nouns import COMMANDS

SINGLE = ["/opt/rsct/bin/rmcctrl", "/usr/sbin/rsct/bin/rmcctrl"]


class Paths(SystemHost):
    """A machine of which only the paths that exist are known; it runs nothing."""

    def __init__(self, *there: str) -> None:
        self.there: Set[str] = set(there)

    def exists(self, path: str) -> bool:
        return path in self.there

    def run(self, argv: Sequence[str], timeout: float, keep: int = 1 << 20) -> Answer:
        raise AssertionError(f"a platform is found without running {argv[0]}")


def settings(text: str = "") -> Settings:
    return config.parse(text).settings


def placed(platform: str, *there: str, policy: str = "") -> Place:
    return place(Paths(*there), settings(f"platform: {platform}\n{policy}"))


@pytest.mark.parametrize("system, there, platform", [
    ("linux", (), Platform.LINUX),
    ("linux", (IOSCLI,), Platform.LINUX),
    ("aix", (), Platform.AIX),
    ("aix7", (), Platform.AIX),
    ("aix", (IOSCLI,), Platform.VIOS),
])
def test_a_platform_is_told_by_the_system_and_by_ioscli(system: str, there: Tuple[str, ...], platform: Platform,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", system)

    assert which(Paths(*there), settings()) is platform


@pytest.mark.parametrize("platform", list(Platform))
def test_the_policys_word_for_the_platform_is_taken(platform: Platform) -> None:
    assert which(Paths(), settings(f"platform: {platform.value}")) is platform


@pytest.mark.parametrize("there, path", [
    ((), SINGLE[0]), (SINGLE[:1], SINGLE[0]), (SINGLE[1:], SINGLE[1]), (SINGLE, SINGLE[0]),
])
def test_a_command_is_taken_from_the_first_folder_that_has_it(there: Sequence[str], path: str) -> None:
    assert placed("aix", *there).commands["rmcctrl"] == path


def test_on_old_levels_everything_is_below_usr_sbin() -> None:
    old = [f"/usr/sbin/rsct/bin/{name}" for name in ("lsrsrc", "rmcctrl", "ct_clusterinfo")]

    commands = placed("aix", *old, "/usr/sbin/rsct/install/bin/recfgct").commands

    assert [commands[name] for name in ("lsrsrc", "rmcctrl", "ct_clusterinfo", "recfgct")] == [
        *old, "/usr/sbin/rsct/install/bin/recfgct"]


def test_only_what_exists_counts_as_installed() -> None:
    host = Paths("/opt/rsct/bin/rmcctrl", "/usr/bin/lssrc", "/elsewhere/lsrsrc")
    here = place(host, settings("platform: linux\ncommands: {lsrsrc: /elsewhere/lsrsrc, refrsrc: /not/there}"))

    assert here.installed(host) == {
        "rmcctrl": "/opt/rsct/bin/rmcctrl", "lssrc": "/usr/bin/lssrc", "lsrsrc": "/elsewhere/lsrsrc"}


def test_the_policys_places_win_over_the_platforms_own() -> None:
    here = placed("aix", *SINGLE, policy="commands: {rmcctrl: /site/rmcctrl}\npaths: {var_ct: /site/ct, state: /site/state}")

    assert here.commands["rmcctrl"] == "/site/rmcctrl"
    assert (here.paths["var_ct"], here.paths["state"], here.paths["node_id"]) == ("/site/ct", "/site/state", "/etc/ct_node_id")


@pytest.mark.parametrize("platform, state, public", [
    ("aix", "/var/rmcagent", "/var/rmcagent/public"),
    ("vios", "/var/rmcagent", "/var/rmcagent/public"),
    ("linux", "/var/lib/rmcagent", "/run/rmcagent"),
])
def test_each_platform_keeps_its_state_where_the_contract_says(platform: str, state: str, public: str) -> None:
    paths = placed(platform).paths

    assert (paths["state"], paths["public"], paths["var_ct"], paths["var"]) == (state, public, "/var/ct", "/var")
    assert set(paths) == {"var_ct", "node_id", "var", "state", "public", "apsock", "dr_lock"}


@pytest.mark.parametrize("platform, has, has_not", [
    ("linux", ("systemctl", "lssrc"), ("lspv", "errpt", "odmget", "lsitab", "ioscli", "lsivm")),
    ("aix", ("lspv", "errpt", "odmget", "lsitab", "lsattr", "errlogger"), ("ioscli", "lsivm", "lparmgr")),
    ("vios", ("lspv", "errpt", "odmget", "ioscli", "lsivm", "lparmgr"), ()),
])
def test_a_platform_has_the_commands_that_exist_on_it(platform: str, has: Iterable[str], has_not: Iterable[str]) -> None:
    commands = placed(platform).commands

    assert set(has) <= set(commands)
    assert not set(has_not) & set(commands)


@pytest.mark.parametrize("platform", list(Platform))
def test_every_command_of_the_simulated_partition_has_its_place(platform: Platform) -> None:
    assert set(COMMANDS[platform]) <= set(placed(platform.value).commands)


def test_every_command_the_policy_may_move_has_a_place_somewhere() -> None:
    places: Mapping[str, str] = {name: path for word in ("aix", "vios", "linux") for name, path in placed(word).commands.items()}
    listed = "".join(f"  {name}: /x/{name}\n" for name in places)

    moved = settings(f"commands:\n{listed}").commands

    assert set(moved) == set(places)


@pytest.mark.parametrize("platform", list(Platform))
def test_every_place_is_absolute_and_its_last_word_is_the_command(platform: Platform) -> None:
    for name, path in placed(platform.value).commands.items():
        assert path.startswith("/") and path.endswith(f"/{name}")


ALL = {"ctrmc", "IBM.DRM", "IBM.MgmtDomainRM", "IBM.CSMAgentRM"}


def required(on_file: Set[str], policy: Mapping[str, str] = {}) -> Set[str]:  # noqa: B006
    return {name for name, need in expected(on_file, policy).items() if need == "required"}


def test_what_must_run_is_what_the_manager_remedy_can_start() -> None:
    assert required(set()) - {"ctrmc"} <= set(act.MANAGERS)


def test_the_older_manager_of_the_handshake_must_run_only_where_the_newer_one_is_not() -> None:
    assert required(ALL - {"IBM.MgmtDomainRM"}) >= {"ctrmc", "IBM.DRM", "IBM.CSMAgentRM"}
    assert required(ALL) == ALL - {"IBM.CSMAgentRM"}
    assert expected(ALL, {})["IBM.CSMAgentRM"] == "on-demand"


def test_the_policy_has_the_last_word() -> None:
    policy = {"IBM.CSMAgentRM": "required", "IBM.DRM": "absent-ok", "IBM.ServiceRM": "required"}

    assert required(ALL, policy) == {"ctrmc", "IBM.MgmtDomainRM", "IBM.CSMAgentRM", "IBM.ServiceRM"}
    assert expected(ALL, policy)["IBM.DRM"] == "absent-ok"
