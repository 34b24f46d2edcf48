"""What node_exporter's textfile collector finds: the metrics file, replaced at every look, and the counts that only it tells."""
from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, Mapping

from rmcagent.model import Attempt, Remedy
from rmcagent.report import HANGS, Aside, Once, overwrite, withdraw
from rmcagent.show.metrics import text

OFF = "off"
OURS = b"# HELP rmcagent_"                # how every such file begins


class Exposed:
    """Owns the file that `report.metrics` names, and counts the remedies of one life of the daemon."""

    def __init__(self, complain: Callable[[str], None], attempts: Iterable[Attempt]) -> None:
        self.once = Once(complain)
        self.aside = Aside()
        self.path = OFF                   # what we wrote last
        before = tuple(attempts)          # another life's
        self.newest = max((attempt.id for attempt in before), default=0)
        self.judged = {attempt.id for attempt in before if attempt.outcome is not None}
        self.counts: Dict[Remedy, Dict[str, int]] = {remedy: {"begun": 0} for remedy in Remedy}

    def counted(self, attempts: Iterable[Attempt]) -> Mapping[str, Mapping[str, int]]:
        """How many of each remedy were begun since the daemon started, and what they came to; those in shadow never ran.

        Kept nowhere: a restart begins at 0, which is what rate() and increase() expect of a counter.
        """
        seen = tuple(attempts)
        for attempt in seen:
            if attempt.shadow or attempt.by == "finish":
                continue
            counts = self.counts[attempt.remedy]
            if attempt.id > self.newest:
                counts["begun"] += 1
            if attempt.outcome is not None and attempt.id not in self.judged:
                counts[attempt.outcome.value] = counts.get(attempt.outcome.value, 0) + 1
        self.newest = max([self.newest, *(attempt.id for attempt in seen)])
        self.judged = {attempt.id for attempt in seen if attempt.outcome is not None}
        return {remedy.value: dict(counts) for remedy, counts in self.counts.items()}

    def write(self, path: str, document: Mapping[str, Any]) -> bool:
        """Replace the file, unchanged or not: its age is a metric of node_exporter's own. False where it cannot; said once.

        A stopped daemon leaves a file that says so, not none: node_exporter would tell the last one for ever, and a file that is
        missing could as well be one that was never asked for.
        """
        before = self.path
        if before == path == OFF:
            return True
        content = b"" if path == OFF else text(document).encode("ascii")

        def work() -> None:
            if before not in (OFF, path):
                withdraw(before, OURS)    # or it would be told for ever, and each series twice
            if path != OFF:
                overwrite(path, content, OURS)

        problem = self.aside.do(work)
        if problem != HANGS:
            self.path = path
        where = before if path == OFF else path
        self.once.say(f"cannot write {where}: {problem}; report.metrics names it, or is off" if problem else "")
        return not problem
