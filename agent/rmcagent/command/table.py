"""Every verb: what runs it, what it does, an example, its options. Completion, man page and help are made of this table."""
from __future__ import annotations

from rmcagent.command.arguments import Verb

TYPE_CHECKING = False                     # typing's own would be an import that `status` pays for
if TYPE_CHECKING:
    from typing import Callable, Dict

    from rmcagent.command.arguments import Asked

    Run = Callable[[Asked], int]


def _told(name: str) -> Run:
    def run(asked: Asked) -> int:
        from rmcagent.command import told

        return int(getattr(told, name)(asked))

    return run


def _asked(name: str) -> Run:
    def run(asked: Asked) -> int:
        from rmcagent.command import asked as requests

        return int(getattr(requests, name)(asked))

    return run


def _here(name: str) -> Run:
    def run(asked: Asked) -> int:
        from rmcagent.command import here

        return int(getattr(here, name)(asked))

    return run


def _past(name: str) -> Run:
    def run(asked: Asked) -> int:
        from rmcagent.command import past

        return int(getattr(past, name)(asked))

    return run


JSON = {"--json": False}
VERBS: Dict[str, Verb] = {
    "run": Verb(_here("start"), "be the daemon, in the foreground; SRC or systemd starts it", "rmcagent run"),
    "status": Verb(_told("status"), "tell how RMC is and what the agent makes of it", "rmcagent status --watch",
                   {**JSON, "--brief": False, "--watch": False}),
    "check": Verb(_told("check"), "the same as a line for Nagios, with its exit codes", "rmcagent check"),
    "plan": Verb(_here("plan"), "look once and tell what would be done now, and why or why not", "rmcagent plan --json",
                 {**JSON, "--from": True}),
    "why": Verb(_told("why"), "explain the last decision, or those of an episode", "rmcagent why E-12", JSON, words=1),
    "history": Verb(_past("history"), "tell what happened, from the events that were kept", "rmcagent history --since 7d",
                    {**JSON, "--since": True, "--follow": False, "--svg": True}),
    "pause": Verb(_asked("pause"), "look on, but run no remedy for a while", 'rmcagent pause --for 2h --reason "LPM week"',
                  {"--for": True, "--reason": True}),
    "resume": Verb(_asked("request"), "end the pause", "rmcagent resume"),
    "reload": Verb(_asked("request"), "read the configuration again", "rmcagent reload"),
    "heal": Verb(_asked("heal"), "ask for a remedy now; the same guards, the same budget", "rmcagent heal refresh --dry-run",
                 {"--dry-run": False}, words=1),
    "config check": Verb(_here("config_check"), "tell everything that is wrong with the configuration",
                         "rmcagent config check --config new.yaml"),
    "config show": Verb(_here("config_show"), "tell every key's value, and where it comes from", "rmcagent config show", JSON),
    "metrics": Verb(_told("metrics"), "print what a textfile collector is given", "rmcagent metrics"),
    "collect": Verb(_here("collect"), "write what can be seen here into a bundle, secrets left out", "rmcagent collect",
                    {"--out": True}),
    "classify": Verb(_here("classify"), "tell what a captured answer or log is, and what it says",
                     "rmcagent classify lspartition.txt", JSON, words=1),
    "doctor": Verb(_here("doctor"), "tell what cannot be observed or done here, and what mends it", "rmcagent doctor", JSON),
    "rehearse": Verb(_here("rehearse"), "try the policy on a simulated partition", "rmcagent rehearse --scenario caa-appears",
                     {"--policy": True, "--scenario": True, "--script": True, "--seed": True, "--for": True, "--svg": True,
                      "--runs": True, "--fleet": True, "--hmcs": True, "--stuck": False, "--list": False, **JSON}),
    "demo": Verb(_here("demo"), "watch the daemon heal a simulated partition, not this one", "rmcagent demo"),
}
