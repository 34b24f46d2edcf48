"""The README's first day, played again: on a broken partition doctor, status, plan and why lead to the step that mends it."""
from __future__ import annotations

import os
import subprocess
import sys
from typing import Any, Dict, Iterator

import pytest

from house import ROOT
from rmcagent import config
from rmcagent.sim.live.stage import Stage

pytestmark = [pytest.mark.slow, pytest.mark.real]
PATIENCE = 60.0
NETWORK = "is the HMC running? check route and firewall from here to 127.0.0.2, TCP 657 and 12601 and UDP 657"
HMC = "the HMC itself answers with errors: check its RMC (diagrmc), free space in its /tmp, and restart the HMC if need be"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A policy as shipped, which only looks more often."""
    whole = config.dump(config.defaults())
    shipped: Dict[str, Any] = {section: whole[section] for section in ("faults", "remedies", "guards")}
    policy = {**shipped, "cadence": {"pulse": "500ms", "look": "2s"}, "timeout": "4s"}
    with Stage(tmp_path_factory.mktemp("first-day"), policy=policy) as stage:
        yield stage


def test_doctor_status_plan_and_why_lead_to_the_firewall_as_the_readme_shows(stage: Stage) -> None:
    doctor = said(stage, 0, "doctor")
    stage.start()
    assert stage.wait_healthy(PATIENCE)
    assert "healthy: RMC runs and its management connection works" in said(stage, 0, "status")

    stage.world.do("hmc_unreachable")

    assert stage.wait_for("RMCA4002W", PATIENCE, fault="hmc-unreachable")
    status, plan, why = said(stage, 151, "status"), said(stage, 11, "plan"), said(stage, 0, "why")
    assert "doctor: can observe and act" in doctor
    assert "needs-human: no known HMC answers on its RMC ports: 127.0.0.2" in status and NETWORK in status
    assert "a human is needed: hmc-unreachable has no remedy here" in plan and NETWORK in plan
    assert "E-1 hmc-unreachable escalate" in why and NETWORK in why
    shown = flat((ROOT / "README.md").read_text("utf-8").partition("\n## First day")[2].partition("\n## ")[0])
    assert shown.count(f"To do: {NETWORK}") == 3
    for sentence in ("doctor: can observe and act", "needs-human: no known HMC answers on its RMC ports: 127.0.0.2",
                     "a human is needed: hmc-unreachable has no remedy here", "E-1 hmc-unreachable escalate"):
        assert sentence in shown
    assert stage.did() == []


def test_once_the_firewall_is_open_the_agent_says_so(stage: Stage) -> None:
    stage.world.do("hmc_reachable")

    assert stage.wait_for("RMCA2002N", PATIENCE, fault="hmc-unreachable")
    assert stage.wait_healthy(PATIENCE)


def test_where_the_hmc_is_ill_the_same_commands_lead_to_the_hmc(stage: Stage) -> None:
    stage.world.do("storm", per_second=60)

    assert stage.wait_for("RMCA4002W", PATIENCE, fault="hmc-side")
    status, why = said(stage, 150, "status"), said(stage, 0, "why")
    assert "degraded: the IBM.MgmtDomainRM log grew" in status and "hmc-side since" in status and HMC in status
    assert "E-2 hmc-side escalate" in why and HMC in why
    assert stage.did() == []


def said(stage: Stage, code: int, *command: str) -> str:
    """What the command prints, on one line; it must end with that code and say nothing on standard error."""
    ended = subprocess.run([sys.executable, "-m", "rmcagent", *command, "--config", str(stage.config)], cwd=ROOT / "agent",
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE,
                           env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"})
    assert (ended.returncode, ended.stderr) == (code, ""), ended.stdout
    return flat(ended.stdout)


def flat(text: str) -> str:
    return " ".join(text.split())
