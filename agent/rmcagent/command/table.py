"""Every verb: what runs it, what it does, an example, its options. Completion, man page and help are made of this table."""
from __future__ import annotations

from rmcagent.command.arguments import Verb

TYPE_CHECKING = False                     # typing's own would be an import that `status` pays for
if TYPE_CHECKING:
    from typing import Any, Callable, Dict

    from rmcagent.command.arguments import Asked

    Run = Callable[[Asked], int]


def _in(room: str, name: str) -> Run:
    """The function of that name in one of command's modules, which is loaded when the verb runs."""
    def run(asked: Asked) -> int:
        return int(getattr(_module(room), name)(asked))

    return run


def _module(room: str) -> Any:
    if room == "told":
        from rmcagent.command import told

        return told
    if room == "asked":
        from rmcagent.command import asked

        return asked
    if room == "past":
        from rmcagent.command import past

        return past
    from rmcagent.command import here

    return here


JSON = {"--json": False}
VERBS: Dict[str, Verb] = {
    "run": Verb(_in("here", "start"), "be the daemon, in the foreground; SRC or systemd starts it", "rmcagent run"),
    "status": Verb(_in("told", "status"), "tell how RMC is and what the agent makes of it", "rmcagent status --watch",
                   {**JSON, "--brief": False, "--watch": False}),
    "check": Verb(_in("told", "check"), "the same as a line for Nagios, with its exit codes", "rmcagent check"),
    "plan": Verb(_in("here", "plan"), "look once and tell what would be done now, and why or why not", "rmcagent plan --json",
                 {**JSON, "--from": True}),
    "why": Verb(_in("told", "why"), "explain the last decision, or those of an episode", "rmcagent why E-12", JSON, words=1),
    "history": Verb(_in("past", "history"), "tell what happened, from the events that were kept", "rmcagent history --since 7d",
                    {**JSON, "--since": True, "--follow": False, "--svg": True}),
    "pause": Verb(_in("asked", "pause"), "look on, but run no remedy for a while", 'rmcagent pause --for 2h --reason "LPM week"',
                  {"--for": True, "--reason": True}),
    "resume": Verb(_in("asked", "request"), "end the pause", "rmcagent resume"),
    "reload": Verb(_in("asked", "request"), "read the configuration again", "rmcagent reload"),
    "heal": Verb(_in("asked", "heal"), "ask for a remedy now; the same guards, the same budget",
                 "rmcagent heal refresh --dry-run", {"--dry-run": False}, words=1),
    "config check": Verb(_in("here", "config_check"), "tell everything that is wrong with the configuration",
                         "rmcagent config check --config new.yaml"),
    "config show": Verb(_in("here", "config_show"), "tell every key's value, and where it comes from",
                        "rmcagent config show", JSON),
    "metrics": Verb(_in("told", "metrics"), "print what a textfile collector is given", "rmcagent metrics"),
    "collect": Verb(_in("here", "collect"), "write what can be seen here into a bundle, secrets left out", "rmcagent collect",
                    {"--out": True}),
    "classify": Verb(_in("here", "classify"), "tell what a captured answer or log is, and what it says",
                     "rmcagent classify lspartition.txt", JSON, words=1),
    "doctor": Verb(_in("here", "doctor"), "tell what cannot be observed or done here, and what mends it",
                   "rmcagent doctor", JSON),
    "register": Verb(_in("here", "register"), "have SRC and inittab, or systemd, start the agent at boot",
                     "rmcagent register --check", {"--check": False, "--apply": False, "--remove": False, **JSON}),
    "rehearse": Verb(_in("here", "rehearse"), "try the policy on a simulated partition",
                     "rmcagent rehearse --scenario caa-appears",
                     {"--policy": True, "--scenario": True, "--script": True, "--seed": True, "--for": True, "--svg": True,
                      "--runs": True, "--fleet": True, "--hmcs": True, "--stuck": False, "--list": False, **JSON}),
    "demo": Verb(_in("here", "demo"), "watch the daemon heal a simulated partition, not this one", "rmcagent demo"),
}
