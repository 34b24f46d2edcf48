"""YAML's nodes -> values; every mistake collected, with its line and a suggestion."""
from __future__ import annotations

import re
from typing import Any, Dict, Iterator, List, Optional, Sequence, Set, Tuple, Union

from rmcagent.config.nouns import ConfigError, Loaded, Mistake, Settings
from rmcagent.config.rules import RULES, Rule, sparing
from rmcagent.config.table import SPEC, Got, Key, Names, Section, default_values, dump, each_key, settings_of
from rmcagent.config.values import Kind
from rmcagent.config.words import either, near, plain
from rmcagent.frozen import dataclass, field

MOST_NODES = 10_000           # keys and values in one file; a full configuration has some three hundred
DEEPEST = 10                  # levels of nesting
MOST_MISTAKES = 50


@dataclass
class Reading:
    """What was read so far, later files over earlier ones, and everything that is wrong with it."""

    file: str = ""
    values: Dict[str, Got] = field(default_factory=default_values)
    partial: bool = False                     # some of it could not be read: what is missing is unknown, not the default
    distrusted: Set[str] = field(default_factory=set)     # files and folders that somebody else could change
    quoting: bool = True                      # whether messages may tell what stands in the file: it could be a secret
    mistakes: List[Mistake] = field(default_factory=list)
    warnings: List[Mistake] = field(default_factory=list)
    more: int = 0

    def wrong(self, line: int, text: str, file: str = "") -> None:
        if len(self.mistakes) < MOST_MISTAKES:
            self.mistakes.append(Mistake(plain(file or self.file, 200), line, plain(text)))
        else:
            self.more += 1

    def warn(self, line: int, text: str, file: str = "") -> None:
        if len(self.warnings) < MOST_MISTAKES:
            self.warnings.append(Mistake(plain(file or self.file, 200), line, plain(text)))


def read(reading: Reading, text: str) -> None:
    """Take in the text of a whole file; what is wrong with it is noted."""
    reading.partial = reading.partial or not reading.quoting      # the rules quote what they judge
    try:
        root = compose(text)
    except CannotCompose as wrong:
        reading.partial = True
        reading.wrong(wrong.line, "cannot read it as YAML" + (f": {wrong}" if reading.quoting else ""))
    else:
        if root is not None:
            _read_keys(reading, SPEC, root, "")


class CannotCompose(ValueError):
    """The text is no YAML, or more of it than a configuration needs."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


def compose(text: str) -> Any:
    """The root of YAML's tree of nodes, which still know their lines; None for a text that says nothing."""
    import yaml

    class Bounded(yaml.SafeLoader):           # the pure Python one: the C one is not everywhere
        depth = count = 0

        def compose_node(self, parent: Optional[yaml.Node], index: int) -> Optional[yaml.Node]:
            event = self.peek_event()    # type: ignore[no-untyped-call]
            self.depth, self.count = self.depth + 1, self.count + 1
            for refused, because in ((isinstance(event, yaml.AliasEvent), "aliases (*NAME) are not taken here, write it out"),
                                     (self.depth > DEEPEST, "it is nested too deeply"),
                                     (self.count > MOST_NODES, "it has too many keys and values")):
                if refused:
                    raise yaml.MarkedYAMLError(problem=because, problem_mark=event.start_mark)
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

    line = 0
    try:
        loader = Bounded(text)
        try:
            return loader.get_single_node()
        finally:
            line = loader.line + 1
    except yaml.reader.ReaderError as wrong:
        line = text.count("\n", 0, wrong.position) + 1
        raise CannotCompose(line, f"character U+{ord(text[wrong.position]):04X} may not stand here") from None
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        hint = "; indent with spaces" if "\\t" in (wrong.problem or "") else ""
        raise CannotCompose(mark.line + 1 if mark else line, f"{wrong.problem or wrong.context}{hint}") from None
    except (yaml.YAMLError, ValueError, OverflowError) as wrong:      # chr() of a long \U, int() of a long %YAML version
        raise CannotCompose(line, str(wrong)) from None


def _read_keys(reading: Reading, holder: Union[Section, Names], node: Any, where: str) -> None:
    for name, line, child in _pairs(reading, node, where):
        here = f"{where}.{name}" if where else name
        entry = _entry(holder, name)
        if entry is None:
            reading.wrong(line, f"cannot use {_named(where, name)}: {_unknown(holder, name)}")
        elif isinstance(entry, Key):
            _read_value(reading, entry.kind, child, here, line)
        else:
            _read_keys(reading, entry, child, here)


def _entry(holder: Union[Section, Names], name: str) -> Union[Key, Names, Section, None]:
    if isinstance(holder, Section):
        return next((entry for entry in holder.entries if entry.name == name), None)
    # 30 characters are SRC's own limit [my inference].
    allowed = name in holder.known if holder.known else re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,29}", name)
    return Key(name, holder.kind, "", holder.doc) if allowed else None


def _pairs(reading: Reading, node: Any, where: str) -> Iterator[Tuple[str, int, Any]]:
    """The keys of a mapping, each once, with lines and values; none where all below a key is commented out."""
    if node.tag == f"{TAG}null":
        return
    if node.id != "mapping":
        reading.partial = True
        reading.wrong(node.start_mark.line + 1, f"cannot use {where or 'this file'}: it is {_what(node)}, write keys with values")
        return
    seen: Dict[str, int] = {}
    for key, child in node.value:
        line, name = key.start_mark.line + 1, key.value
        if key.id != "scalar":
            reading.wrong(line, f"cannot use {_what(key)} as a key{' of ' + where if where else ''}: write a name")
        elif name in seen:
            reading.wrong(line, f"cannot use {_named(where, name)} twice: lines {seen[name]} and {line} have it, keep one")
        else:
            seen[name] = line
            yield name, line, child


def _named(where: str, name: str) -> str:
    """A key as messages name it; what is no word may be a line of another file than a configuration, and is not told."""
    if not re.fullmatch(r"[\w.-]{1,40}", name, re.ASCII):
        return f"a key that is no word{f' under {where}' if where else ''}"
    return f"{where}.{name}" if where else name


def _read_value(reading: Reading, kind: Kind, node: Any, where: str, line: int) -> None:
    # What is wrong here must not be judged again by the rules, with the default in its place.
    reading.values.pop(where, None)
    listed = kind.many and node.id == "sequence"
    values: List[Any] = []
    for item in node.value if listed else (node,):
        try:
            if kind.many and not listed and not kind.lone:
                raise ValueError(f"not a list, write {kind.says}")
            values.append(kind.parse(_scalar(item, kind)))
        except ValueError as why:
            shown = f' "{plain(item.value, 60)}"' if item.id == "scalar" and item.value else ""
            told = f"{shown}: {why}" if reading.quoting else f": write {kind.says}"
            reading.wrong(item.start_mark.line + 1, f"cannot use {where}{told}")
    if listed and len(node.value) < kind.least:
        reading.wrong(line, f"cannot use {where}: an empty list, write {kind.says}")
    elif len(values) == (len(node.value) if listed else 1):
        reading.values[where] = Got(tuple(values) if kind.many else values[0], reading.file, line)


TAG = "tag:yaml.org,2002:"
TAGS = tuple(TAG + name for name in ("str", "int", "float", "bool", "null", "timestamp", "merge", "value"))


def _scalar(node: Any, kind: Kind) -> str:
    """The words of a single value as they stand in the file, whatever YAML takes them for."""
    if node.id != "scalar" or node.tag == f"{TAG}null":
        raise ValueError(f"it is {_what(node)}, write {kind.says}")
    if node.tag not in TAGS:
        raise ValueError("tags (!NAME) are not taken here, write the value alone")
    # YAML 1.1 has more words for false than one.
    if node.tag == f"{TAG}bool" and "off" in kind.words and node.value.lower() in ("off", "no", "false"):
        return "off"
    return str(node.value)


def _what(node: Any) -> str:
    return "empty" if node.tag == f"{TAG}null" else {"sequence": "a list", "mapping": "a mapping"}.get(node.id, "a single value")


def _unknown(holder: Union[Section, Names], name: str) -> str:
    if isinstance(holder, Names):
        return f"unknown name, {near(name, holder.known) or 'known are ' + ', '.join(holder.known)}" if holder.known \
            else "not a subsystem's name, write it as lssrc does"
    places = dict.fromkeys(".".join(key.split(".")[:depth]) for key, _ in each_key() for depth in range(1, 4))
    homes = [place.rpartition(".")[0] for place in places if place.rpartition(".")[2] == name]
    if homes:
        return f"unknown key, it belongs {either([f'under {home}' if home else 'at the top level' for home in homes[:3]])}"
    known = [entry.name for entry in holder.entries]
    return f"unknown key, {near(name, known) or 'known are ' + ', '.join(known)}"


# The end of it.

def finish(reading: Reading, files: Sequence[str], platform_hint: Optional[str] = None) -> Loaded:
    """What was read, once the rules have judged it; ConfigError with everything that is wrong."""
    for rule in (*RULES, *sparing(files)) if not reading.partial else ():
        _apply(reading, rule)
    if reading.mistakes:
        raise ConfigError(tuple(reading.mistakes), reading.more)
    settings = settings_of(reading.values)
    if platform_hint and settings.platform not in ("auto", platform_hint):
        _, file, line = reading.values["platform"]
        reading.warn(line, f"platform is {settings.platform}, but this looks like {plain(platform_hint, 20)}", file)
    return Loaded(settings, tuple(reading.warnings), tuple(files), _hash(settings), reading.values)


def _apply(reading: Reading, rule: Rule) -> None:
    got = [reading.values[key] for key in rule.keys if key in reading.values]
    text = rule.wrong(*(one.value for one in got)) if len(got) == len(rule.keys) else None
    if text:
        written = next((one for one in got if one.line), got[0])
        note = reading.warn if rule.warning else reading.wrong
        note(written.line, f"{'' if rule.warning else 'cannot use '}{rule.keys[0]} {text}", written.file)


def _hash(settings: Settings) -> str:
    """Twelve hex digits that tell policies apart, not forgers: hashlib would load OpenSSL, 3.5 MB for this alone."""
    import json
    from binascii import crc32
    text = json.dumps(dump(settings), sort_keys=True).encode()
    # Backwards as well: with another seed the second one would say nothing that the first does not.
    return f"{crc32(text):08x}{crc32(text[::-1]):08x}"[:12]
