"""Captures, mangled for as long as it is given, into every parser: nothing but Unreadable, soon, and no key in what comes out."""
from __future__ import annotations

import os
import time
from random import Random
from typing import Any, Callable, List, Sequence

import pytest

from rmcagent.model import Answer
from rmcagent.partition import parse
from rmcagent.partition.parse import Unreadable, hmc
from rmcagent.partition.parse.lines import LONGEST_TEXT, UNPRINTABLE
from test_parse import CAPTURES, PARSERS, READ, capture, foo, said
from test_parse_more import PARSERS as MORE
from test_parse_more import READ as MORE_READ

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("RMCAGENT_FUZZ_SECONDS", "2"))      # for each parser
SEED = int(os.environ.get("RMCAGENT_FUZZ_SEED", "20"))
LONGEST_PARSE = 2.0          # seconds of the processor; the longest seen for a mebibyte is 0.6
SECRET = "cGxhbnRlZC1zZWNyZXQ="
# However a listing goes wrong, the name is there: without it nothing tells that this is a key.
KEYS = [f'\tRMCKey            = "{SECRET}"', f'RMCKey="{SECRET}', f"\trmckey = {SECRET}", f'  RMCKey = {{"{SECRET}"}}',
        f'\tRMCKey = {{\n"{SECRET}"}}', f"RMCKey =\n{SECRET}", f'RMCKey = "\n2610-444 {SECRET}"', f"RMCKey : {SECRET}"]
PIECES = ["\x1b[2J\x1b[31m", "\x1b]0;title\x07", "\x00", "\ud800", "\udfff", "\uff1a", "\u202e", "\u2028", "\x85",
          "\x0b", "\r", "\r\n", "\t", " " * 300, "x" * 10_000, "9" * 10_000, '"', "'", "\\", "{", "}", "[", "]", "/",
          "<-", "->", "#", "$", "# lssrc -ls x\n", "=", ":", "::", "%", "(2)", "0x", "-1", "None", "active",
          "inoperative", "warned to stop", "Not", "I", "O", "S", "\u0663", "0513-085 ", "0513-036", "2612-023 ",
          "2612-022 ", "2610-444 ", "caavg_private", "HACMPcluster:", "State of node: ", "resource 1:\n",
          "Resource Persistent Attributes for IBM.MCP\n", "Peer Domain Status\n", "Management Control Points\n",
          "Name OpState\n", "Current state: ST_STABLE\n", "Hostname: ", "-----", "no cluster", "\n", "\n\n",
          "\u6d3b\u52a8", "activo"]


def mangle(text: str, chance: Random) -> str:
    """One to six changes: of lines, of words, of characters; a piece put in, an end cut off."""
    for _ in range(chance.randint(1, 6)):
        text = chance.choice(CHANGES)(text, chance)
    return text


def _in_lines(text: str, chance: Random) -> str:
    return "\n".join(_in_sequence(text.split("\n"), chance))


def _in_words(text: str, chance: Random) -> str:
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    lines[at] = " ".join(_in_sequence(lines[at].split(" "), chance))
    return "\n".join(lines)


def _in_characters(text: str, chance: Random) -> str:
    at = chance.randint(0, len(text))
    near = _in_sequence(list(text[at:at + 8]) or [""], chance)
    return text[:at] + "".join(near) + text[at + 8:]


def _in_sequence(parts: List[str], chance: Random) -> Sequence[str]:
    """Drop, repeat or swap."""
    one, other = chance.randrange(len(parts)), chance.randrange(len(parts))
    how = chance.randrange(3)
    if how == 0:
        return parts[:one] + parts[one + 1:]
    if how == 1:
        return parts[:one] + [parts[one]] * chance.choice([2, 2, 2, 50]) + parts[one + 1:]
    parts[one], parts[other] = parts[other], parts[one]
    return parts


def _piece_in(text: str, chance: Random) -> str:
    at = chance.randint(0, len(text))
    return text[:at] + chance.choice(PIECES) + text[at:]


def _piece_for_word(text: str, chance: Random) -> str:
    words = text.split(" ")
    words[chance.randrange(len(words))] = chance.choice(PIECES)
    return " ".join(words)


def _other_character(text: str, chance: Random) -> str:
    at = chance.randint(0, len(text))
    return text[:at] + chr(chance.choice([chance.randrange(128), chance.randrange(0x3000)])) + text[at + 1:]


def _cut(text: str, chance: Random) -> str:
    return text[:chance.randint(0, len(text))]


def _spliced(text: str, chance: Random) -> str:
    """Another answer's lines from here on."""
    return text[:chance.randint(0, len(text))] + chance.choice(TEXTS)[chance.randint(0, 200):]


CHANGES: List[Callable[[str, Random], str]] = [
    _in_lines, _in_words, _in_characters, _piece_in, _piece_for_word, _other_character, _cut, _spliced,
]
TEXTS = [capture(name).stdout for name in READ]
EVERY = [*PARSERS, foo, *MORE]
# What no capture of one's own shows.
SHORT = {
    parse.uname: ["AIX\n", "Linux\n", "IBM,9009-42A\n"], parse.uname_partition: ["12 lpar12\n", "-1 NULL\n"],
    parse.systemctl_is_enabled: ["enabled\n", "disabled\n", "masked\n"], parse.lsivm: ["1\n", "\n"],
    hmc.lspartition: [path.read_text("utf-8") for path in sorted(CAPTURES.glob("lspartition*.txt"))],
    hmc.lssyscfg: [path.read_text("utf-8") for path in sorted(CAPTURES.glob("lssyscfg*.txt"))],
}


def own_texts(parser: Callable[[Answer], Any]) -> List[str]:
    captured = [capture(name).stdout for name, (its, _) in READ.items() if its is parser]
    more = [(CAPTURES / f"{name}.txt").read_text("utf-8") for name, (its, _) in MORE_READ.items() if its is parser]
    return captured + more + SHORT.get(parser, []) or TEXTS


def planted(text: str, chance: Random) -> str:
    """A key on a line of its own, after all mangling."""
    lines = text.split("\n")
    lines.insert(chance.randint(0, len(lines)), chance.choice(KEYS))
    return "\n".join(lines)


def strings_in(noun: Any) -> List[str]:
    if isinstance(noun, str):
        return [noun]
    if isinstance(noun, dict):
        return [text for pair in noun.items() for one in pair for text in strings_in(one)]
    if isinstance(noun, tuple):
        return [text for one in noun for text in strings_in(one)]
    return [text for one in vars(noun).values() for text in strings_in(one)] if hasattr(noun, "__dict__") else []


def outcome(parser: Callable[[Answer], Any], answer: Answer) -> Any:
    """Nouns or an Unreadable, in time, and whichever it is: printable, short, and without the key."""
    started = time.process_time()
    try:
        result = parser(answer)
    except Unreadable as reason:
        result = reason
    took = time.process_time() - started

    said_of_it = [str(result)] if isinstance(result, Unreadable) else strings_in(result)
    assert took < LONGEST_PARSE, f"{took:.1f} s for {len(answer.stdout)} characters"
    assert not [text for text in said_of_it if len(text) > 2 * LONGEST_TEXT or UNPRINTABLE.search(text) or "\n" in text]
    assert not isinstance(result, Unreadable) or str(result).startswith("cannot read answer: ")
    # A unit's properties are whatever they are called; and what names no resource of RMC's tells no key of one.
    assert parser is parse.systemctl_show or parser in MORE or SECRET not in "".join(said_of_it), said_of_it
    return result


@pytest.mark.parametrize("parser", EVERY, ids=lambda parser: getattr(parser, "__name__", ""))
def test_mangled_captures_are_nouns_or_unreadable(parser: Callable[[Answer], Any], record_property: Any) -> None:
    own = own_texts(parser)
    chance = Random(f"{SEED}-{EVERY.index(parser)}")
    until, runs, read = time.monotonic() + SECONDS, 0, 0

    while time.monotonic() < until:
        text = mangle(chance.choice(own if chance.random() < 0.9 else TEXTS), chance)
        text = (planted(text, chance) if chance.random() < 0.3 else text) + chance.choice(["\n", "\n", "\n", ""])
        stdout, stderr = (text, "") if chance.random() < 0.8 else (chance.choice(own), text)
        answer = said(stdout, stderr, chance.choice([0, 0, 0, 0, 1, 6, 127]), cut=chance.random() < 0.02)
        try:
            read += not isinstance(outcome(parser, answer), Unreadable)
        except Exception as mistake:
            raise AssertionError(f"run {runs} of seed {SEED}: {answer!r}") from mistake
        runs += 1

    record_property("runs", runs)
    print(f"{runs} runs, {read} of them nouns")
    assert read, "every text was unreadable: this looks no further than the first line"


UNITS = [" ", "\t", '"', "{", "[", "/", "#", "<-", "=", ":", "a", "0", "1.", "no ", "cluster ", "no cluster ", "State of node: ",
         "Cluster Name ", "0519-000 ", "odmget:", "Attributes for ", "Persistent ", "\u3000", "\uff1a", "2612-", "class ",
         "unknown class", "active ", "\x85", "I A 0x1 1 a/ ", "::", '"a",', "a-", "Check path ", "libodm: not ", "Hostname: ",
         "Current state: "]


@pytest.mark.parametrize("parser", EVERY, ids=lambda parser: getattr(parser, "__name__", ""))
def test_a_mebibyte_of_one_thing_is_read_or_refused_in_time(parser: Callable[[Answer], Any]) -> None:
    """Time grows with the text and not with its square: a line is at most 4096 characters, and there are as many."""
    listing = "Resource Persistent Attributes for IBM.MCP\nresource 1:\n"
    for unit in UNITS:
        line = unit * (4000 // len(unit))
        one_line, lines, short = unit * ((1 << 20) // len(unit)), f"{line}\n" * 260, f"{unit * (200 // len(unit))}\n" * 4096
        attributes = f'{listing}HMCIPAddr = "{line}"\nNodeID = {line}\n' + "".join(f"a{at} = {line}\n" for at in range(250))
        for text in (one_line + "\n", lines, short, attributes):
            outcome(parser, said(text))
        outcome(parser, said("", lines, 1))
