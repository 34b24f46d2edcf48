"""What the verbs' options and words are given: the placeholder, what it is for, and what a shell may offer for it."""
from __future__ import annotations

from typing import Dict, NamedTuple, Tuple

from rmcagent.command.table import VERBS
from rmcagent.model import Remedy
from rmcagent.sim.rehearsal.scenarios import SCENARIOS

FILE = "file"                             # offered: files


class Value(NamedTuple):
    placeholder: str                      # empty for an option without a value
    does: str
    offers: Tuple[str, ...] = ()


JSON = Value("", "Print JSON instead, whose keys stay.")
SVG = Value(FILE, "Draw it into this file.")

# By verb and option; by option alone where it is the same for all.
OPTIONS: Dict[str, Value] = {
    "--config": Value(FILE, "Go by this policy, and the `conf.d` beside it, instead of `/etc/rmcagent/rmcagent.yaml`."),
    "--json": JSON,
    "status --brief": Value("", "Print the verdict alone, in one line."),
    "status --watch": Value("", "Print it again every two seconds, until interrupted."),
    "plan --from": Value(FILE, "Reason on a bundle of `rmcagent collect`, or on a folder of captured output, "
                               "instead of this partition."),
    "pause --for": Value("duration", "How long, at most 365d.", ("30m", "1h", "2h", "4h", "8h", "1d", "2d", "7d")),
    "pause --reason": Value("text", "Why; it stands in the event and in `rmcagent status`."),
    "heal --dry-run": Value("", "Tell what the guards say, and run nothing."),
    "history --since": Value("when", "Only what happened since: so long ago, as in `12h`, or a moment, as in `2026-05-04T14:30`.",
                             ("1h", "12h", "1d", "7d", "30d")),
    "history --follow": Value("", "Go on telling what happens, until interrupted."),
    "history --svg": SVG,
    "collect --out": Value(FILE, "Where to write the bundle; - is standard output."),
    "register --check": Value("", "Tell whether it is so, and change nothing."),
    "register --apply": Value("", "Put it right; nothing is started or stopped."),
    "register --remove": Value("", "Take it away."),
    "rehearse --policy": Value(FILE, "Rehearse this policy."),
    "rehearse --scenario": Value("scenario", "Play this one, event by event.", tuple(SCENARIOS)),
    "rehearse --script": Value(FILE, "Let happen what this script says."),
    "rehearse --seed": Value("number", "By which chance: the same number gives the same rehearsal."),
    "rehearse --for": Value("duration", "How much virtual time.", ("1d", "7d", "30d", "90d")),
    "rehearse --svg": SVG,
    "rehearse --runs": Value("number", "Play so many months of everything."),
    "rehearse --fleet": Value("number", "See whether so many partitions would act in step when an HMC restarts."),
    "rehearse --hmcs": Value("number", "With so many HMCs."),
    "rehearse --stuck": Value("", "With --fleet: no session comes back by itself."),
    "rehearse --list": Value("", "Tell the scenarios, and what may happen in a script."),
}
WORDS: Dict[str, Value] = {
    "why": Value("episode", "The episode, as events name it."),
    "heal": Value("remedy", "The remedy.", tuple(remedy.value for remedy in Remedy)),
    "classify": Value(FILE, "What was captured; without it standard input is read."),
}
NEEDED = ("pause --for", "pause --reason", "heal")


def option(verb: str, name: str) -> Value:
    """What a verb's option is; every option of the program's table has its row here."""
    found = OPTIONS.get(f"{verb} {name}") or OPTIONS.get(name)
    if found is None:
        raise SystemExit(f"cannot tell what {verb} {name} is for: give it a row in packaging/man/values.py")
    if bool(found.placeholder) != VERBS[verb].options[name]:
        raise SystemExit(f"cannot describe {verb} {name}: the program and values.py differ on whether it has a value")
    return found


def word(verb: str) -> Value:
    """What the word after a verb is."""
    if verb not in WORDS:
        raise SystemExit(f"cannot tell what the word after {verb} is: give it a row in packaging/man/values.py")
    return WORDS[verb]
