"""The one table of events behind syslog, the journal and its catalogue, the man page and their test; and what an event is."""
from __future__ import annotations

from typing import Mapping, NamedTuple, Tuple

from rmcagent.frozen import dataclass


class Meaning(NamedTuple):
    level: str                            # I | N | W | E
    name: str                             # the line's words after the code, and what every manual calls it
    meaning: str
    do: str                               # what a human does about it
    message_id: str                       # the journal's; for good, like the code
    shows: Tuple[str, ...] = ()           # fields that every such event has, in the order the catalogue tells them


SEVERITIES = {"I": 6, "N": 5, "W": 4, "E": 3}
NOTHING = "Nothing."
REMEDY = ("remedy", "fault", "episode")

EVENTS: Mapping[str, Meaning] = {
    "RMCA1001I": Meaning(
        "I", "started", "The agent started, with this version, policy and mode.", NOTHING,
        "a67bc027b8fa4ef0bae9a803595b4c68", ("version", "policy", "mode", "platform")),
    "RMCA1002I": Meaning(
        "I", "stopped", "The agent stopped because it was asked to.",
        "Nothing, if that was intended. Until it is started again nobody watches RMC here.",
        "01e82d16133d42deb8fbaa0a8c672282"),
    "RMCA1003E": Meaning(
        "E", "configuration rejected, old one kept", "The new configuration has mistakes; the old one stays in force.",
        "Mend the mistakes named in the message, see that `rmcagent config check` finds no more, then run `rmcagent reload`.",
        "1ae92d322bfb48ce8e1eaf7d1b717c69", ("mistakes",)),
    "RMCA1004N": Meaning(
        "N", "paused", "An administrator paused the agent: it looks, and runs no remedy.",
        "When the work is done run `rmcagent resume`; the pause also ends by itself at its time.",
        "beaa3dcb3e974dacbc19bd595d94ef2d", ("by", "reason", "until")),
    "RMCA1005N": Meaning(
        "N", "resumed", "The pause ended, or was ended.", NOTHING, "b13b0cc53e3648c287b08abbea897a87", ("because",)),
    "RMCA1006W": Meaning(
        "W", "blind", "The agent cannot observe RMC, and therefore runs no remedy.",
        "Run `rmcagent doctor`: it names each command that does not answer, and the mend.",
        "32a93dc3854347ddba1b67d9be3c32af", ("because",)),
    "RMCA1007N": Meaning(
        "N", "sees again", "The agent can observe RMC again.", NOTHING, "f048234ec10b4d63b192bea948bbd694"),
    "RMCA1008E": Meaning(
        "E", "crash loop: observing only", "The agent failed several times in a row; it observes only.",
        "Look at what it wrote on standard error (the journal, or SRC's console file) and report it. "
        "The agent acts again after a quiet hour.",
        "08ef8a7b172d44249f40898f7f7eae54", ("crashes", "because")),
    "RMCA1009E": Meaning(
        "E", "ledger damaged", "The ledger cannot be trusted, so every budget counts as spent.",
        "Look at /var, and at the disk beneath it: something cut or changed a file of the agent's state. "
        "The budgets come back as their spans pass.",
        "7b973a43008844c98dd9a814fecc7c97", ("because", "therefore")),
    "RMCA2001W": Meaning(
        "W", "problem found", "Something is wrong with RMC, or with what it needs.",
        "Nothing yet, if the agent may act: it tries what helps, gently first. `rmcagent why` tells what it will do, and when.",
        "d6ff8a1662024e83a90ea6761d8d852c", ("fault", "side", "episode", "evidence")),
    "RMCA2002N": Meaning(
        "N", "problem gone", "A problem is over, healed by the agent or by itself.", NOTHING,
        "3b3ab640a7c64b3b8dc48fd09f8bd2bf", ("fault", "episode", "healed")),
    "RMCA3001N": Meaning(
        "N", "remedy begun", "A remedy was begun; it is judged after its settle time.",
        "Wait for RMCA3002N or RMCA3003W. To keep the agent's hands still meanwhile run `rmcagent pause --for 2h --reason WHY`.",
        "cee7e2934d1c40cbbe9551fe733eaefc", (*REMEDY, "because")),
    "RMCA3002N": Meaning(
        "N", "remedy healed it", "A later look showed that the remedy healed the fault.", NOTHING,
        "49879efb4e5e408686f767aa81f48756", (*REMEDY, "because")),
    "RMCA3003W": Meaning(
        "W", "remedy changed nothing", "The fault is still there or untold, or the remedy was cut short.",
        "Nothing yet: the agent goes on to what reaches further, as far as the policy allows. `rmcagent why` tells what is next.",
        "0de4b784cf1d47e593104a2c7c2a4955", (*REMEDY, "outcome", "because")),
    "RMCA3004W": Meaning(
        "W", "refused", "A guard forbids the remedy; the line says why, and what would unblock it.",
        "Do what unblocks it, where that is wanted; `rmcagent why` has every guard that spoke.",
        "380b3644003a400b8b47f9c5990cf276", (*REMEDY, "guard", "because", "unblock")),
    "RMCA3005N": Meaning(
        "N", "shadow: would have", "In shadow mode: what the agent would have done now.",
        "When you agree with what it would have done, set the remedy's mode to `act`.",
        "404c8406007642968b83c186f92c819e", (*REMEDY, "because")),
    "RMCA3006W": Meaning(
        "W", "interrupted remedy finished", "A remedy cut short earlier was brought to its end.",
        "See that RMC runs (`rmcagent status`), and find what ended the agent and its helper half-way.",
        "265bc24bef7e45589bbc1cb05d040330", (*REMEDY, "failed")),
    "RMCA3007W": Meaning(
        "W", "node id changed", "This partition's RSCT node id is not what it was.",
        "Restore conditions, responses, access control lists and trusted hosts from the archive, where they were used.",
        "c732272cde324b1a96878168b136c683", ("before", "after", "archive")),
    "RMCA4001E": Meaning(
        "E", "needs a human", "What may be done here was done, or helps nothing: what a human does.",
        "Do what the message says unblocks it; `rmcagent why` has the evidence, what was tried, and what was refused.",
        "8fec9ae0f8fa4c869d4839eb24b1eb0a", ("fault", "episode", "because", "unblock")),
    "RMCA4002W": Meaning(
        "W", "cause is elsewhere", "The cause is not on this partition; the line says what to do where.",
        "Do it there: no remedy on this partition helps. The agent says when the problem is gone.",
        "9c78fe86a1294cde909fc0496050fa5f", ("fault", "side", "episode", "evidence", "do")),
}


@dataclass(frozen=True)
class Event:
    """One thing to report: a code of EVENTS, its name there, and the fields in their order."""

    code: str
    word: str
    fields: Tuple[Tuple[str, str], ...] = ()

    @property
    def level(self) -> str:
        return self.code[-1:]

    @property
    def severity(self) -> int:
        """As syslog counts them."""
        return SEVERITIES.get(self.level, 6)
