"""Lines and listings of attributes in an answer, heard to the end, cleaned and bounded: what every parser begins with; pure.

The live agent meets plain answers; prompts, echoed commands and an author's captions are for captures and bundles.
"""
from __future__ import annotations

import re
from typing import Dict, List, Optional, Tuple

from rmcagent.model import Answer

MOST_LINES = 4096
LONGEST_LINE = 4096
LONGEST_TEXT = 255


class Unreadable(Exception):
    """What was said cannot be understood, or not all of it was heard; its text is one sentence and holds no secret."""


def whole(answer: Answer) -> None:
    """Raise Unreadable unless the command ran to its end and all it said was kept."""
    if answer.timed_out:
        raise cannot(answer, "it did not end in time")
    if answer.cut:
        raise cannot(answer, "it said more than is kept")
    if answer.exit_code is None or answer.exit_code < 0:
        raise cannot(answer, "it did not end by itself")
    if answer.exit_code in (126, 127):
        raise cannot(answer, f"exit {answer.exit_code}, it cannot be run")
    if answer.stdout and not answer.stdout.endswith("\n"):
        raise cannot(answer, "its last line is cut")


# The number of a message of RMC, its commands or its resource managers.
MESSAGE = re.compile(r"(?<!\d)26\d\d-\d{3}(?!\d)")
# C0 but the tab, C1, invisible and direction-changing marks, halves of surrogate pairs.
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
ECHOED = re.compile(r"(?:\S*/)?(?:lssrc|lsrsrc|lsrsrc-api|rmcdomainstatus|lsrpdomain|mkrpdomain|startrpdomain|stoprpdomain|lspv"
                    r"|lscluster|ct_clusterinfo|lsnodeid|errpt|odmget|ioscli|cluster|systemctl|clshowsrv|recfgct|rmcctrl|cat)(?:\s.*)?")


def lines_of(answer: Answer, text: Optional[str] = None, most: Optional[int] = MOST_LINES, echoes: bool = False) -> List[str]:
    """Lines that say something, cleaned; too many or too long a one are Unreadable: what matters may be in what is left out."""
    said = answer.stdout if text is None else text
    lines = [line for line in (line.rstrip() for line in said.split("\n")) if line]
    if any(len(line) > LONGEST_LINE for line in lines):
        raise cannot(answer, f"it has a line of more than {LONGEST_LINE} characters")
    kept = [line for line in (UNPRINTABLE.sub("?", line) for line in lines) if echoes or not is_echo(line)]
    if most and len(kept) > most:
        raise cannot(answer, f"it has more than {most} lines")
    return kept


def lines_or_none(answer: Answer, none: bool = False) -> List[str]:
    """Lines of a command whose silence is an answer; `none`: it said so in words. A complaint is not silence."""
    whole(answer)
    if not none:
        succeeded(answer)
    lines = lines_of(answer)
    if not lines and answer.stderr.strip() and not none:
        raise cannot(answer, complaint(answer, answer.stderr))
    return lines


def is_echo(line: str) -> bool:
    """A prompt, alone or with a command behind it; the command's line alone; a test log's frame around it."""
    if re.match(r"\s*(?:Running '|Command '.*' finished with \d)", line):
        return True
    mark = re.search(r"[#$]", line[:160])
    if not mark:
        return line.lstrip().startswith("/") and bool(ECHOED.fullmatch(line.strip()))
    before, after = line[:mark.start()], line[mark.end():].strip()
    is_prompt = "=" not in before and '"' not in before and len(before.split()) <= 2
    return is_prompt and (not after or bool(ECHOED.fullmatch(after)))


def is_caption(line: str) -> bool:
    return line.rstrip().endswith((":", "\uff1a"))


def clean(text: str) -> str:
    return UNPRINTABLE.sub("?", text)[:LONGEST_TEXT]


def quote(text: str) -> str:
    """What is quoted in a reason: short, printable, and never a line that may hold a key."""
    short = " ".join(clean(text).split())[:80]
    return "a line with a key" if "rmckey" in text.lower() else f'"{short}"'


def succeeded(answer: Answer) -> None:
    if answer.exit_code != 0:
        raise cannot(answer, complaint(answer, answer.stderr + answer.stdout))


def complaint(answer: Answer, text: str) -> str:
    first = next((line for line in text.split("\n") if line.strip()), "")
    return f"exit {answer.exit_code}, {quote(first)}" if first else f"exit {answer.exit_code}"


def cannot(answer: Answer, because: str) -> Unreadable:
    """Quote nothing of an answer that names an RMCKey: its value may stand on any line."""
    if "rmckey" in (answer.stdout + answer.stderr).lower():
        because = re.sub('".*"', "a line with a key", because, flags=re.DOTALL)
    return Unreadable(f"cannot read {clean(answer.id)}: {because}")


# ---- listings of attributes --------------------------------------------------------------------------------------------

Attributes = Dict[str, Tuple[str, ...]]
# A class's own attributes are titled "Resource Class ..." and are no resources.
TITLE = re.compile(r"(?:Resource )?(?:Persistent |Dynamic |and ){1,3}Attributes for (?:Resource: )?(\S+)")
ATTRIBUTE = re.compile(r"\s*([A-Za-z]\w{0,63})\s*=(.*)")
TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|([{}\[\]"])|([^\s,"{}\[\]]+)')


def resources_of(answer: Answer, class_name: str, lines: List[str], none: bool) -> List[Attributes]:
    """Attributes of each resource. No reason quotes a line: any of them may hold a part of the RMCKey."""
    resources: List[Tuple[str, Attributes]] = []
    titled = False
    for number, line in enumerate(lines, 1):
        folded = " ".join(line.split())
        title = TITLE.fullmatch(folded)
        attribute = ATTRIBUTE.match(line)
        if title and title.group(1) == class_name:
            titled = True
        elif titled and re.fullmatch("resource [0-9]{1,9}:", folded):
            resources.append((folded, {}))
        elif attribute and resources and attribute.group(1) not in resources[-1][1]:
            is_key = attribute.group(1).lower() == "rmckey"
            resources[-1][1][attribute.group(1)] = () if is_key else _values(answer, number, attribute.group(2))
        elif not none or titled:
            raise cannot(answer, f"its line {number} does not belong to a listing of {class_name}")
    if not titled and not none:
        raise cannot(answer, f"it has no title that names {class_name}")
    if not all(attributes for _, attributes in resources):
        raise cannot(answer, "it shows a resource without an attribute")
    return _merged(resources)


def _merged(resources: List[Tuple[str, Attributes]]) -> List[Attributes]:
    """Join a resource that several listings of one attribute each tell of."""
    merged: List[Tuple[str, Attributes]] = []
    for number, attributes in resources:
        same = next((one for at, one in merged if at == number and not one.keys() & attributes.keys()), None)
        if same is None:
            merged.append((number, dict(attributes)))
        else:
            same.update(attributes)
    return [attributes for _, attributes in merged]


def _values(answer: Answer, number: int, text: str) -> Tuple[str, ...]:
    """The strings and numbers of a value, which ends where its quotes and brackets do; an author's notes may follow."""
    values: List[str] = []
    depth = 0
    for match in TOKEN.finditer(text):
        quoted, mark, bare = match.groups()
        if mark == '"':
            break
        if mark:
            depth += 1 if mark in "{[" else -1
        else:
            values.append(clean(bare if quoted is None else quoted))
        if depth <= 0:
            if not re.match(r"\s*(?:<-|-+>|$)", text[match.end():]):
                raise cannot(answer, f"the value on its line {number} goes on behind its end")
            return tuple(values)
    if text.strip():
        raise cannot(answer, f"the value on its line {number} has no end")
    return ()
