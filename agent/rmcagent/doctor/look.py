"""What one real look could not tell, or told only just in time."""
from __future__ import annotations

from typing import Dict, Iterator, Optional

from rmcagent.doctor.nouns import Complaint, Run, Scene, advice, cannot_see
from rmcagent.model import Gap, State

ASK_RMC = ("rmcdomainstatus", "lsrsrc", "lsrpdomain")     # what waits for an answer of rmcd's


def gaps(scene: Scene) -> Iterator[Complaint]:
    """What one real look could not tell; a missing command has spoken for itself."""
    runs = {run.answer.id: run for run in scene.runs}
    for gap in scene.seen.gaps:
        run = runs.get(gap.about)
        if run is None or not run.answer.missing:
            yield cannot_see("observation", gap.because if gap.about in gap.because else f"{gap.about}: {gap.because}",
                             _by_hand(scene, gap, run))
    state = scene.seen.state_of("ctrmc")
    if state is not None and state is not State.ACTIVE:
        yield advice("observation", f"ctrmc is {state.value}: what asks RMC could not be tried", "rmcagent plan")


def _by_hand(scene: Scene, gap: Gap, run: Optional[Run]) -> str:
    if run is None:
        on_file = gap.about in scene.settings.expect.subsystems or gap.about == "ctrmc"
        return f"{scene.place.commands['lssrc']} -s {gap.about}" if on_file else "rmcagent plan"
    typed = " ".join(run.argv)
    if not run.answer.timed_out:
        return typed
    asks_rmc = run.argv[0].rpartition("/")[2] in ASK_RMC
    hangs = "if it hangs there too, RMC hangs: rmcagent status" if asks_rmc else "does it hang there too?"
    return f"{typed}   # by hand: {hangs}\n{_longer(run)}   # only if it is merely slow"


def slow(scene: Scene) -> Iterator[Complaint]:
    worst: Dict[str, Run] = {}
    for run in scene.runs:
        name = run.argv[0].rpartition("/")[2]
        if not run.answer.timed_out and run.answer.took > run.timeout / 2 and (
                name not in worst or run.answer.took > worst[name].answer.took):
            worst[name] = run
    for name, run in worst.items():
        yield advice("observation", f"{name} took {run.answer.took:.1f} s of its {run.timeout:g} s: on a busier "
                     "day it would not be heard out", _longer(run))


def _longer(run: Run) -> str:
    return f"timeouts: {{{run.argv[0].rpartition('/')[2]}: {max(1, round(3 * run.timeout))}s}}"


def logs(scene: Scene) -> Iterator[Complaint]:
    patterns = [pattern.replace("{var_ct}", scene.place.paths["var_ct"]) for pattern in scene.settings.log.files]
    if not any(scene.host.files(pattern) for pattern in patterns):
        yield advice("log", f"no log file matches {', '.join(patterns) or 'log.files'}: no log storm is noticed and "
                     "no HMC's error read", f"ls -l {scene.place.paths['var_ct']}/*/log/mc")


def hmcs(scene: Scene) -> Iterator[Complaint]:
    """Only where everything that would show an HMC has answered, and showed none."""
    seen, wanted = scene.seen, scene.settings.expect
    if seen.hmcs or wanted.management == "none" or not (seen.status.seen and seen.mcp.seen):
        return
    yield advice("hmc", "RMC knows no HMC: look at this partition from the HMC; where none manages it, say so in "
                 "the configuration", "lspartition -dlpar   # on the HMC\nexpect: {management: none}")
