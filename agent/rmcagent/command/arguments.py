"""Arguments: what was written -> the verb, its words and options; help; and the sentence with which a command ends."""
from __future__ import annotations

import posix  # and not os, as in cli
import sys

from rmcagent.show import codes
from rmcagent.show.screen import ascii_of, clean

TYPE_CHECKING = False                     # typing's own would be an import that `status` pays for
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

    Verbs = Mapping[str, "Verb"]

CONFIG = "/etc/rmcagent/rmcagent.yaml"
DONE, FAILED, USAGE, NOT_PERMITTED = codes.DONE, codes.FAILED, codes.USAGE, codes.NOT_PERMITTED
UNKNOWN, INVALID, NOT_RUNNING = codes.UNKNOWN, codes.INVALID, codes.NOT_RUNNING


class Cannot(Exception):
    """The command ends here: the sentence goes to stderr, the code to the caller."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Verb:
    """One row of the table: what runs it, what that does, how it is written, which options it takes (True: with a value)."""

    def __init__(self, run: Callable[[Asked], int], does: str, example: str, options: Optional[Mapping[str, bool]] = None,
                 words: int = 0) -> None:
        self.run = run
        self.does = does
        self.example = example
        self.options = {"--config": True, **(options or {})}
        self.words = words                # arguments besides options, at most


class Asked:
    """What the user wrote: the verb, its words, its options."""

    def __init__(self, verb: str, words: List[str], options: Dict[str, str], example: str = "") -> None:
        self.verb = verb
        self.example = example
        self.words = words
        self.options = options

    @property
    def config(self) -> str:
        return self.options.get("--policy") or self.options.get("--config", CONFIG)

    @property
    def json(self) -> bool:
        return "--json" in self.options


def parsed(argv: List[str], verbs: Verbs) -> Optional[Asked]:
    """The verb, its words and options, in whatever order they stand; None: help was asked for."""
    words, options = _sorted_out(argv, verbs)
    if "--help" in options or "-h" in options:
        return None
    name = " ".join(words[:2]) if words[:1] == ["config"] else "".join(words[:1])
    if name not in verbs:
        if not words:
            raise Cannot(USAGE, f"cannot tell what to do: give a verb, one of {', '.join(verbs)}; rmcagent --help explains them")
        raise Cannot(USAGE, f"cannot run {name}: unknown verb{nearest(name, verbs)}")
    verb, rest = verbs[name], words[len(name.split()):]
    for option in options:
        if option not in verb.options:
            raise Cannot(USAGE, f"cannot run {name} with {option}: unknown option{nearest(option, verb.options)}")
    if len(rest) > verb.words:
        raise Cannot(USAGE, f"cannot run {name} with {rest[verb.words]}: too many arguments, write {verb.example}")
    return Asked(name, rest, options, verb.example)


def _sorted_out(argv: List[str], verbs: Verbs) -> Tuple[List[str], Dict[str, str]]:
    takes_value = {option for verb in verbs.values() for option, value in verb.options.items() if value}
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
                raise Cannot(USAGE, f"cannot take {word}: {option} has no value{nearest(option, takes_value)}")
            if option in takes_value and not given:
                value = next(rest, "")
            if option in takes_value and not value:
                raise Cannot(USAGE, f"cannot take {option}: it needs a value")
            options[option] = value
    return words, options


def nearest(word: str, known: Any) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), 1, 0.5)
    return f', did you mean "{near[0]}"?' if near else f"; known are {', '.join(known)}"


def help_text(argv: List[str], verbs: Verbs) -> str:
    names = [name for name in verbs if name.split() == argv[:len(name.split())]] or list(verbs)
    lines = ["usage: rmcagent VERB [OPTIONS] [--config FILE]", ""]
    for name in names:
        lines += [f"  {name:<14}{verbs[name].does}", f"  {'':<14}  {verbs[name].example}"]
        if len(names) == 1:
            options = (option + (" VALUE" if value else "") for option, value in verbs[name].options.items())
            lines += ["", f"  options: {', '.join(options)}"]
    return "\n".join([*lines, "", "rmcagent --version tells the version."]) + "\n"


def complain(sentence: str) -> None:
    """On standard error, a line each."""
    for line in sentence.splitlines() or [""]:
        sys.stderr.write(f"rmcagent: {ascii_of(clean(line))}\n")


def as_json(value: Any) -> str:
    import json

    return json.dumps(value, sort_keys=True, indent=2)


def colour() -> bool:
    dumb = posix.environ.get(b"TERM", b"dumb") == b"dumb"
    return sys.stdout.isatty() and not dumb and not posix.environ.get(b"NO_COLOR")


def columns() -> int:
    try:
        return min(80, posix.get_terminal_size(1).columns or 80)
    except OSError:
        return 80
