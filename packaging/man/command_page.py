"""rmcagent(8): the verbs, the ladder, exit codes and events of the program's own tables, and the prose around them."""
from __future__ import annotations

from typing import Iterator, List, Tuple

import values
from mdoc import capital, display, explained, item, literally, macro, page, prose, section, tagged
from readme import EXITS, RUN_EXITS, to_do

from rmcagent.command.table import VERBS
from rmcagent.config.table import COMMANDS, PATHS, REMEDIES, Section
from rmcagent.model import Remedy
from rmcagent.partition.act import MANAGERS, START, deed
from rmcagent.reason.ladder import LADDER
from rmcagent.report import EVENTS

DATE = "November 26, 2026"                # of the text, and not of the clock: the same tables make the same page

NOTICED = {
    "refresh": "",
    "start": "Nobody notices: RMC is down already.",
    "manager": "Who uses that manager notices.",
    "lparmgr": "On a VIOS: readiness for Live Partition Mobility is away meanwhile.",
    "recycle": "RMC and its resource managers are away for a minute.",
    "recfgct": "The partition gets a new node id; conditions, responses, sensors and access lists of your own are lost. "
               "An archive of `/var/ct/cfg` is kept first.",
}
LEVELS = {"I": "info", "N": "notice", "W": "warning", "E": "err"}
SIGNALS = {
    "HUP": "Read the configuration again, as `rmcagent reload` does.",
    "TERM": "Stop. A remedy that is under way is brought to its end by its own process, which ends with RMC started.",
    "INT": "The same.",
    "USR1": "Look whether somebody asked for something; `rmcagent pause` and its like send it.",
}
ENVIRONMENT = {
    "NO_COLOR": "If set and not empty, nothing is printed in colour.",
    "TERM": "If unset or dumb, nothing is printed in colour. Colour needs a terminal in any case.",
    "NOTIFY_SOCKET": "Set by systemd, which is told there that the daemon is ready and alive.",
    "SUDO_USER": "Whom events name as the one who asked, when `rmcagent pause` is run by sudo.",
    "TZ": "The local time of windows, and of what is printed.",
}
FILES = {
    "/etc/rmcagent/rmcagent.yaml": "The policy, and `/etc/rmcagent/conf.d` beside it: see `rmcagent.yaml` in section 5.",
    "/etc/rmcagent/maintenance": "While it exists nothing is changed.",
    "/var/lib/rmcagent": "Linux: the state, for root alone: the ledger of what was done (ledger.jsonl), the events of the past "
                         "(events.jsonl and events.jsonl.1), the archives made before recfgct, and the lock.",
    "/var/rmcagent": "AIX and VIOS: the same.",
    "/run/rmcagent/status.json": "Linux: what was last seen and decided, for everybody; replaced at each look.",
    "/var/rmcagent/public/status.json": "AIX and VIOS: the same.",
    "/var/log/rmcagent/rmcagent.log": "AIX and VIOS: the events, for syslog.conf there records nothing as shipped.",
}
SEE_ALSO = (("errpt", 1), ("lsrsrc", 1), ("lssrc", 1), ("recfgct", 1), ("refrsrc", 1), ("rmcctrl", 1), ("rmcdomainstatus", 1),
            ("rmcagent.yaml", 5), ("clmgr", 8))


def text() -> str:
    """The page."""
    return page(
        "rmcagent", 8, DATE,
        section("NAME", [".Nm rmcagent", ".Nd watch RMC, heal it where that is safe, and say what a human must do"]),
        section("SYNOPSIS", [".Nm", ".Ar verb", ".Op Ar options", ".Op Fl \\-config Ar file", ".Nm", ".Op Ar verb",
                             ".Fl \\-help", ".Nm", ".Fl \\-version"]),
        section("DESCRIPTION", prose("""
            RSCT's Resource Monitoring and Control (RMC) is the channel by which a Hardware Management Console (HMC) reaches a
            partition. Where it is broken, dynamic LPAR, Live Partition Mobility and service events do not work. `rmcagent` is a
            daemon for AIX, VIOS and Linux on Power that notices within seconds and finds the cause."""),
            [".Pp"], prose("It keeps two promises, in this order:"),
            [".Bl -enum", ".It"], prose("""
            It never makes things worse. Whatever cannot be told counts as forbidden: in a cluster, under a connected HMC,
            during a migration, an installation or a shutdown no remedy is run that could do harm there."""), [".It"], prose("""
            It heals what can be healed here, without anybody asking, gently first, and within a budget."""), [".El"],
            [".Pp"], prose("""
            Every few seconds it asks the kernel for process ids and log sizes. Every minute, or when one of those changed, it
            takes a look with RSCT's own commands, finds what is wrong and whose it is, and decides. Where no remedy here helps,
            or a guard forbids it, it says once what is wrong, what it refused and why, and what a human does where.
            `rmcagent plan` tells beforehand what would be done. With `mode: shadow` in the policy no remedy is run, and it is
            told what would have been.""")),
        section("COMMANDS", _commands()),
        section("REMEDIES", prose("""
            The ladder, gentlest first. A remedy is tried when its fault has lasted for its grace, judged after its settle by a
            later look, and followed by the next where it changed nothing."""), tagged(map(_remedy, Remedy), "manager")),
        section("ENVIRONMENT", explained(ENVIRONMENT, "Ev", "NOTIFY_SOCKET")),
        section("FILES", explained(FILES, "Pa")),
        section("SIGNALS", ["The daemon heeds:"], explained(SIGNALS, "Dv", "TERM", compact=True),
                [".Pp"], prose("It runs no remedy because of a signal.")),
        section("EXIT STATUS", _exits()),
        section("EXAMPLES", _examples()),
        section("DIAGNOSTICS", _events()),
        section("SEE ALSO", [f".Xr {name} {where} ," for name, where in SEE_ALSO[:-1]], [".Xr {} {}".format(*SEE_ALSO[-1])]),
        section("CAVEATS", prose("""
            It has never run on AIX, on VIOS or on any Power partition. What was deduced or remembered about RSCT is listed in
            README.md; where it relies on that, it is meant to refuse rather than guess.""")),
        section("SECURITY CONSIDERATIONS", prose("""
            The daemon runs as root and listens on no network. Requests reach it through a folder that root alone may write.
            Its state and its policy belong to root; a file or a folder that others may write is refused. What it publishes
            may be read by everybody and holds no key: RMCKey is never shown, and `rmcagent collect` blacks keys out and lists
            what it left out. No command goes through a shell. What RSCT, logs and users say is bounded and freed from control
            characters before it is shown or recorded. It opens connections to the RMC ports of the HMCs it knows
            and of the partition itself, and sends nothing over them.""")))


def _commands() -> Iterator[str]:
    yield from prose("Every verb takes `--help`, and:")
    yield from tagged([_option("status", "--config")], "Ds")
    yield from [".Pp", "The verbs:"]
    yield from tagged(((_synopsis(verb), list(_described(verb))) for verb in VERBS), "Ds")


def _synopsis(verb: str) -> str:
    shown = [f".It Ic {verb}"]
    for option in VERBS[verb].options:
        if option != "--config":
            value = values.option(verb, option).placeholder
            flag = f"Fl {literally(option[1:])}" + (f" Ar {value}" if value else "")
            shown.append(flag if f"{verb} {option}" in values.NEEDED else f"Op {flag}")
    if VERBS[verb].words:
        word = f"Ar {values.word(verb).placeholder}"
        shown.append(word if verb in values.NEEDED else f"Op {word}")
    # What an Op leads to closes at the end of its line, so each has to be opened and closed by itself.
    return " ".join(f"Oo {part[3:]} Oc" if part.startswith("Op ") else part for part in shown)


def _described(verb: str) -> Iterator[str]:
    yield from prose(capital(VERBS[verb].does))
    own = [_option(verb, option) for option in VERBS[verb].options if option != "--config"]
    if VERBS[verb].words:
        word = values.word(verb)
        offered = f" One of {', '.join(word.offers)}." if word.offers else ""
        own.append((f".It Ar {word.placeholder}", prose(word.does + offered)))
    if own:
        yield from tagged(own, "Ds", compact=True)
    yield from display(VERBS[verb].example)


def _option(verb: str, option: str) -> Tuple[str, List[str]]:
    value = values.option(verb, option)
    return f".It Fl {literally(option[1:])}" + (f" Ar {value.placeholder}" if value.placeholder else ""), prose(value.does)


def _remedy(remedy: Remedy) -> Tuple[str, List[str]]:
    does = next(entry.doc for entry in REMEDIES.entries if isinstance(entry, Section) and entry.name == remedy.value)
    everywhere, places = {name: f"/{name}" for name in COMMANDS}, {name: f"/{name}" for name in PATHS}
    steps = deed(0, remedy, MANAGERS[0], everywhere, places).steps
    commands = (step for step in steps if not step.mends and (step.argv[0] == START or not step.argv[0].startswith("@")))
    runs = ", ".join(f"`{step.name.replace(MANAGERS[0], 'NAME')}`" for step in commands)
    treats = ", ".join(fault.value for fault, remedies in LADDER.items() if remedy in remedies)
    only = f" NAME is one of {', '.join(MANAGERS)}." if remedy is Remedy.MANAGER else ""
    return item("Ic", remedy.value), prose(f"{capital(does)} {NOTICED[remedy.value]} Runs {runs}. Treats {treats}." + only)


def _exits() -> Iterator[str]:
    for title, codes in EXITS.items():
        yield macro("Ss", title)
        yield from explained({str(code): capital(meaning) for code, meaning in codes.items()}, "Li", "150", compact=True)
    yield ".Pp"
    yield from prose(RUN_EXITS)


def _examples() -> Iterator[str]:
    for what, command in (
            ("The first day: what can be observed and done here, and what would be done now?", "rmcagent doctor\nrmcagent plan"),
            ("Hold every remedy while the network is worked on:", VERBS["pause"].example),
            ("See what a policy that is not installed yet would do in a month:",
             "rmcagent rehearse --policy new.yaml --scenario session-stuck"),
            ("Reason about another partition, where the agent is not installed, by what was captured there:",
             "rmcagent plan --from captured/")):
        yield from [*prose(what), *display(command), ".Pp"]
    yield from prose("README.md has more of them, by occasion.")


def _events() -> Iterator[str]:
    yield from prose("""
        Events go to syslog, and to the journal, the error log or a file where the policy says so. An event is a line: its code,
        a few words, then key=value. MESSAGE_ID is what the journal finds it by. The last letter of the code is its level:""")
    yield from prose("; ".join(f"{letter} is {level}" for letter, level in LEVELS.items()) + ".")
    yield from prose("""
        RMCA2001W and RMCA2002N come in pairs, by their episode. The one to wake somebody for is RMCA4001E; in a cluster
        RMCA3004W as well, for there the remedy is refused and a human has to do it.""")
    yield ".Bl -tag -width Ds"
    for code, event in EVENTS.items():
        yield f".It Sy {code} No {literally(event.name)}"
        yield from prose(event.meaning)
        if to_do(event.do):
            yield from [".br", *prose(to_do(event.do))]
        yield from [".br", f"MESSAGE_ID {event.message_id}"]
    yield ".El"
