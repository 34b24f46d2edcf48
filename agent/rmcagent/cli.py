"""Arguments in, text out. One table of verbs; each verb loads what it needs when it runs, so that `status` loads little."""
from __future__ import annotations

import os
import sys

from rmcagent import __version__, published, show

TYPE_CHECKING = False                     # typing's own would be an import that `status` pays for
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

    from rmcagent.config import Loaded

CONFIG = "/etc/rmcagent/rmcagent.yaml"
LONGEST_PAUSE = 365                       # days
WATCH_SECONDS = 2.0

DONE, FAILED, USAGE, NOT_PERMITTED, UNKNOWN, INVALID, NOT_RUNNING = 0, 1, 2, 4, 4, 6, 7
ENDED_BY_CTRL_C, ENDED_BY_PIPE = 130, 141


class Cannot(Exception):
    """The command ends here: the sentence goes to stderr, the code to the caller."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Verb:
    """One row of the table: what the verb does, how it is written, and which options it takes (True: with a value)."""

    def __init__(self, run: Callable[[Asked], int], does: str, example: str, options: Optional[Mapping[str, bool]] = None,
                 words: int = 0) -> None:
        self.run = run
        self.does = does
        self.example = example
        self.options = {"--config": True, **(options or {})}
        self.words = words                # arguments besides options, at most


class Asked:
    """What the user wrote: the verb, its words, its options."""

    def __init__(self, verb: str, words: List[str], options: Dict[str, str]) -> None:
        self.verb = verb
        self.words = words
        self.options = options

    @property
    def config(self) -> str:
        return self.options.get("--policy") or self.options.get("--config", CONFIG)

    @property
    def json(self) -> bool:
        return "--json" in self.options


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run one command and return its exit code; whatever goes wrong is told in a sentence, never in a traceback."""
    try:
        code = _run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        return code
    except Cannot as reason:
        return _complain(str(reason), reason.code)
    except KeyboardInterrupt:
        return ENDED_BY_CTRL_C
    except BrokenPipeError:
        _hush()
        return ENDED_BY_PIPE
    except PermissionError as reason:
        return _complain(_sentence(reason), NOT_PERMITTED)
    except OSError as reason:
        _hush()
        return _complain(_sentence(reason), FAILED)
    except Exception as reason:           # the last resort: a user is owed a sentence
        return _complain(f"cannot go on: {type(reason).__name__}: {reason}; please report", FAILED)


def _hush() -> None:
    """Drop what stdout cannot take (a closed pipe, a full disk), or Python complains of it once more at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _complain(sentence: str, code: int) -> int:
    for line in sentence.splitlines() or [""]:
        sys.stderr.write(f"rmcagent: {show.clean(line)}\n")
    return code


def _sentence(reason: OSError) -> str:
    """Our own sentence where one was raised, or else the file and what the system said of it."""
    if reason.strerror is None:
        return str(reason)
    return f"cannot use {reason.filename}: {reason.strerror}" if reason.filename else f"cannot go on: {reason.strerror}"


# ---- arguments ---------------------------------------------------------------------------------------------------------

def _run(argv: List[str]) -> int:
    if "--version" in argv[:1]:
        print(f"rmcagent {__version__}")
        return DONE
    asked = _parsed(argv)
    if asked is None:
        print(_help(argv), end="")
        return DONE
    return VERBS[asked.verb].run(asked)


def _parsed(argv: List[str]) -> Optional[Asked]:
    """The verb, its words and options, in whatever order they stand; None: help was asked for."""
    words, options = _sorted_out(argv)
    if "--help" in options or "-h" in options:
        return None
    name = " ".join(words[:2]) if words[:1] == ["config"] else "".join(words[:1])
    if name not in VERBS:
        if not words:
            raise Cannot(USAGE, f"cannot tell what to do: give a verb, one of {', '.join(VERBS)}; rmcagent --help explains them")
        raise Cannot(USAGE, f"cannot run {name}: unknown verb{_nearest(name, VERBS)}")
    verb, rest = VERBS[name], words[len(name.split()):]
    for option in options:
        if option not in verb.options:
            raise Cannot(USAGE, f"cannot run {name} with {option}: unknown option{_nearest(option, verb.options)}")
    if len(rest) > verb.words:
        raise Cannot(USAGE, f"cannot run {name} with {rest[verb.words]}: too many arguments, write {verb.example}")
    return Asked(name, rest, options)


def _sorted_out(argv: List[str]) -> Tuple[List[str], Dict[str, str]]:
    takes_value = {option for verb in VERBS.values() for option, value in verb.options.items() if value}
    words: List[str] = []
    options: Dict[str, str] = {}
    rest = iter(argv)
    for word in rest:
        if word == "--":
            words.extend(rest)
        elif not word.startswith("-") or word == "-":
            words.append(word)
        else:
            option, given, value = word.partition("=")
            if given and option not in takes_value:
                raise Cannot(USAGE, f"cannot take {word}: {option} has no value{_nearest(option, takes_value)}")
            if option in takes_value and not given:
                value = next(rest, "")
            if option in takes_value and not value:
                raise Cannot(USAGE, f"cannot take {option}: it needs a value")
            options[option] = value
    return words, options


def _nearest(word: str, known: Any) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), 1, 0.5)
    return f', did you mean "{near[0]}"?' if near else f"; known are {', '.join(known)}"


def _help(argv: List[str]) -> str:
    names = [name for name in VERBS if name.split() == argv[:len(name.split())]] or list(VERBS)
    lines = ["usage: rmcagent VERB [OPTIONS] [--config FILE]", ""]
    for name in names:
        lines += [f"  {name:<14}{VERBS[name].does}", f"  {'':<14}  {VERBS[name].example}"]
        if len(names) == 1:
            options = (option + (" VALUE" if value else "") for option, value in VERBS[name].options.items())
            lines += ["", f"  options: {', '.join(options)}"]
    return "\n".join([*lines, "", "rmcagent --version tells the version."]) + "\n"


# ---- the verbs ---------------------------------------------------------------------------------------------------------

def _status(asked: Asked) -> int:
    path = _public(asked)
    if "--watch" not in asked.options:
        return _status_once(asked, path)
    import time

    try:
        while True:
            if _colour():
                sys.stdout.write("\x1b[H\x1b[2J")
            _status_once(asked, path)
            sys.stdout.flush()
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:             # the only way to end it, and so a good one
        return DONE


def _status_once(asked: Asked, path: str) -> int:
    document = _document(path)
    alive, age = (published.alive(document), published.age(document)) if document else (None, None)
    code = show.status_code(document, alive, age)
    if document is None:
        absent = {"schema": 1, "verdict": "not-running"}
        print(_json(absent) if asked.json else f"* rmcagent: not-running: nothing was published in {os.path.dirname(path)}")
        return code
    now = show.as_of(document, alive, age)
    sys.stdout.write(_json(now) + "\n" if asked.json else show.status_text(now, _columns(), _colour()))
    return code


def _plan(asked: Asked) -> int:
    from rmcagent import daemon

    captured = asked.options.get("--from")
    document = daemon.plan_from(_load(asked), captured) if captured else daemon.plan(_load(asked), asked.config)
    text = (daemon.preface(document, _columns()) if captured else "") + show.plan_text(document, _columns(), _colour())
    sys.stdout.write(_json(document) + "\n" if asked.json else text)
    return show.plan_code(document)


def _why(asked: Asked) -> int:
    document = _document(_public(asked))
    if document is None or (document["verdict"] == "not-running" and not document.get("why")):
        raise Cannot(NOT_RUNNING, "cannot tell why: the agent is not running, start it or use rmcagent plan")
    entries = [entry for entry in document.get("why") or () if isinstance(entry, dict)]
    episode = asked.words[0] if asked.words else None
    chosen = [entry for entry in entries if entry.get("episode") == episode] if episode else entries
    if episode and not chosen:
        known = dict.fromkeys(str(entry["episode"]) for entry in entries if entry.get("episode"))
        raise Cannot(FAILED, f"cannot find episode {episode}: known are {', '.join(known) or 'none'}")
    nothing = "nothing was decided yet: no finding has asked for it\n"
    sys.stdout.write(_json(chosen) + "\n" if asked.json else show.why_text(chosen, episode, _columns()) or nothing)
    return DONE


def _start(asked: Asked) -> int:
    loaded = _load(asked)
    from rmcagent import daemon

    try:
        return daemon.run(loaded, asked.config)
    except daemon.Locked as reason:
        raise Cannot(FAILED, str(reason)) from None


def _pause(asked: Asked) -> int:
    reason = " ".join(asked.options.get("--reason", "").split())
    if "--for" not in asked.options or not reason:
        raise Cannot(USAGE, f"cannot pause: say for how long and why, as in {VERBS['pause'].example}")
    from rmcagent.config import duration

    try:
        length = duration(asked.options["--for"])
    except ValueError as wrong:
        raise Cannot(USAGE, f"cannot pause for {asked.options['--for']}: {wrong}") from None
    if not 0 < length.total_seconds() <= LONGEST_PAUSE * 86400:
        raise Cannot(USAGE, f"cannot pause for {asked.options['--for']}: it must be over 0s and at most {LONGEST_PAUSE}d")
    return _ask(asked, {"do": "pause", "for": length.total_seconds(), "reason": show.clean(reason, 200)})


def _request(asked: Asked) -> int:
    return _ask(asked, {"do": asked.verb})


def _ask(asked: Asked, request: Dict[str, Any]) -> int:
    from rmcagent import daemon

    answer = daemon.ask(_load(asked).settings, request)
    if not answer["ok"]:
        raise Cannot(answer["exit"], f"cannot {asked.verb}: {answer['text']}")
    print(show.clean(answer["text"]))
    return int(answer["exit"])


def _config_check(asked: Asked) -> int:
    loaded = _load(asked)
    for warning in loaded.warnings:
        _complain(f"warning: {warning}", DONE)
    files = f"{len(loaded.files)} file" + ("" if len(loaded.files) == 1 else "s")
    print(f"OK: {show.clean(asked.config)} ({files}), policy {loaded.hash}")
    return DONE


def _collect(asked: Asked) -> int:
    from rmcagent import collect

    said = collect.collect(asked.config, asked.options.get("--out", ""))
    (sys.stderr if asked.options.get("--out") == "-" else sys.stdout).write(said)
    return DONE


def _classify(asked: Asked) -> int:
    from rmcagent import classify

    path = asked.words[0] if asked.words else "-"
    with open(0 if path == "-" else path, "rb", closefd=path != "-") as file:
        told = classify.tell(file.read, path)
    if not told.understood and not asked.json:
        raise Cannot(FAILED, classify.complaint(told))
    sys.stdout.write(_json(classify.document(told)) + "\n" if asked.json else classify.text(told, _columns(), _colour()))
    return DONE if told.understood else FAILED


def _doctor(asked: Asked) -> int:
    from rmcagent import doctor

    return doctor.main(asked.config, asked.json, _columns(), sys.stdout.write)


def _rehearse(asked: Asked) -> int:
    loaded = _load(asked)
    from rmcagent.sim.rehearsal import rehearse

    for warning in loaded.warnings:
        _complain(f"warning: {warning}", DONE)
    try:
        return rehearse.main(asked.options, loaded, asked.config, _columns(), sys.stdout.write, sys.stderr)
    except rehearse.Mistaken as wrong:
        raise Cannot(INVALID if wrong.in_script else USAGE, str(wrong)) from None


def _demo(asked: Asked) -> int:
    from rmcagent.sim import demo

    return demo.main()


VERBS: Dict[str, Verb] = {
    "run": Verb(_start, "be the daemon, in the foreground; SRC or systemd starts it", "rmcagent run"),
    "status": Verb(_status, "tell how RMC is and what the agent makes of it", "rmcagent status --watch",
                   {"--json": False, "--watch": False}),
    "plan": Verb(_plan, "look once and tell what would be done now, and why or why not", "rmcagent plan --json",
                 {"--json": False, "--from": True}),
    "why": Verb(_why, "explain the last decision, or those of an episode", "rmcagent why E-12", {"--json": False}, words=1),
    "pause": Verb(_pause, "look on, but run no remedy for a while", 'rmcagent pause --for 2h --reason "LPM week"',
                  {"--for": True, "--reason": True}),
    "resume": Verb(_request, "end the pause", "rmcagent resume"),
    "reload": Verb(_request, "read the configuration again", "rmcagent reload"),
    "config check": Verb(_config_check, "tell everything that is wrong with the configuration",
                         "rmcagent config check --config new.yaml"),
    "collect": Verb(_collect, "write what can be seen here into a bundle, secrets left out", "rmcagent collect", {"--out": True}),
    "classify": Verb(_classify, "tell what a captured answer or log is, and what it says", "rmcagent classify lspartition.txt",
                     {"--json": False}, words=1),
    "doctor": Verb(_doctor, "tell what cannot be observed or done here, and what mends it", "rmcagent doctor", {"--json": False}),
    "rehearse": Verb(_rehearse, "try the policy on a simulated partition", "rmcagent rehearse --scenario caa-appears",
                     {"--policy": True, "--scenario": True, "--script": True, "--seed": True, "--for": True, "--svg": True,
                      "--runs": True, "--fleet": True, "--hmcs": True, "--stuck": False, "--list": False, "--json": False}),
    "demo": Verb(_demo, "watch the daemon heal a simulated partition, not this one", "rmcagent demo"),
}


# ---- what the daemon published -----------------------------------------------------------------------------------------

def _public(asked: Asked) -> str:
    """Where status.json is: the platform's own folder, unless a configuration that was named, or is installed and speaks of
    another, says otherwise; the latter is read only where nothing was published."""
    folder = "/var/rmcagent/public" if sys.platform.startswith("aix") else "/run/rmcagent"
    path = os.path.join(folder, "status.json")
    if "--config" in asked.options:
        return os.path.join(_load(asked).settings.paths.get("public", folder), "status.json")
    if not os.path.exists(path) and os.access(CONFIG, os.R_OK):
        try:
            return os.path.join(_load(asked).settings.paths.get("public", folder), "status.json")
        except Cannot:
            return path                   # with a configuration like that no daemon runs
    return path


def _document(path: str) -> Optional[show.Document]:
    try:
        return published.read(path)
    except ValueError as reason:
        raise Cannot(UNKNOWN, str(reason)) from None


# ---- helpers -----------------------------------------------------------------------------------------------------------

def _load(asked: Asked) -> Loaded:
    from rmcagent import config

    try:
        if ("--from" in asked.options or asked.verb == "rehearse") and asked.config == CONFIG and not os.path.exists(CONFIG):
            return config.parse("{}", "") # who reads a bundle, or rehearses, need not run an agent
        return config.load(asked.config)
    except config.ConfigError as wrong:
        raise Cannot(INVALID, str(wrong)) from None


def _json(value: Any) -> str:
    import json

    return json.dumps(value, sort_keys=True, indent=2)


def _colour() -> bool:
    dumb = os.environ.get("TERM", "dumb") == "dumb"
    return sys.stdout.isatty() and not dumb and not os.environ.get("NO_COLOR")


def _columns() -> int:
    try:
        return min(80, os.get_terminal_size(1).columns or 80)
    except OSError:
        return 80
