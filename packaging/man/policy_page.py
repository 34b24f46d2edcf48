"""rmcagent.yaml(5): every key of the configuration's table, with how it is written, its default and what it is for."""
from __future__ import annotations

from typing import Iterator, List, Tuple, Union

from command_page import DATE
from mdoc import capital, display, explained, item, literally, macro, page, prose, section, tagged

from rmcagent.config.table import REMEDIES, SPEC, Key, Names, Section

Entry = Union[Key, Names, Section]

LONGEST = "remedies.start.cause_unknown__"
EXAMPLE = """
mode: shadow
remedies:
  recycle:
    window: "Sat,Sun 01:00-05:00"
"""


def text() -> str:
    """The page."""
    return page(
        "rmcagent.yaml", 5, DATE,
        section("NAME", [".Nm rmcagent.yaml", ".Nd what rmcagent watches, what it may heal, and how far it may go"]),
        section("SYNOPSIS", [".Pa /etc/rmcagent/rmcagent.yaml", ".br", ".Pa /etc/rmcagent/conf.d/*.yaml"]),
        section("DESCRIPTION", prose("""
            The policy of `rmcagent` is YAML. The main file is read first, then the files of `conf.d` in the order of their
            names; later keys win, and a list replaces the list before it. A key that is left out has its default, so an empty
            file is a policy. All files, and the folders they lie in, belong to root and may be written by nobody else;
            otherwise they are refused."""), [".Pp"], prose("""
            `rmcagent config check` tells every mistake at once, each with its file, its line and the nearest key that exists.
            `rmcagent config show` tells the value of every key and where it comes from. `rmcagent reload`, or the signal HUP,
            takes changes over; a policy with mistakes leaves the old one in force."""), [".Pp"], prose("""
            Durations are a whole number and ms, s, m, h or d, such as `90s`. Sizes are a number of bytes, or a number and KiB,
            MiB or GiB. Budgets are times per span, such as `2/24h`, or a list of them, which all hold. The dots in the names
            below stand for sections:"""), display(EXAMPLE)),
        section("KEYS", _entries(SPEC, "")),
        section("REMEDIES", _remedies()),
        section("FILES", explained({
            "/etc/rmcagent/rmcagent.yaml": "The main file. As shipped it has every key, with a comment, at its default.",
            "/etc/rmcagent/conf.d/*.yaml": "Changes: one file for a site, one for a group of partitions, as it suits.",
            "/etc/rmcagent/maintenance": "While a file of this name stands there, nothing is changed on the partition.",
        }, "Pa")),
        section("EXAMPLES", _examples()),
        section("SEE ALSO", [".Xr rmcagent 8"]))


def _entries(holder: Section, where: str) -> List[str]:
    keys = [entry for entry in holder.entries if not isinstance(entry, Section)]
    lines = tagged((_row(where + key.name, key) for key in keys), "Ds") if keys else []
    for entry in holder.entries:
        if isinstance(entry, Section) and entry is not REMEDIES:
            lines += [macro("Ss", where + entry.name), *prose(capital(entry.doc)), *_entries(entry, f"{where}{entry.name}.")]
    return lines


def _row(name: str, key: Union[Key, Names]) -> Tuple[str, List[str]]:
    written = f"{name}.NAME" if isinstance(key, Names) else name
    known = f" NAME is one of {', '.join(key.known)}." if isinstance(key, Names) and key.known else \
        " NAME is a subsystem's." if isinstance(key, Names) else ""
    return item("Va", written), [*prose(capital(key.doc, key.kind.words) + known), ".br", *_kind_and_default(key)]


def _kind_and_default(key: Union[Key, Names]) -> List[str]:
    return [*prose(f"Write {key.kind.says}."), "Default:", *(f"{line} ." for line in _default(key))]


def _default(key: Union[Key, Names]) -> Iterator[str]:
    if isinstance(key, Names):
        shown = ", ".join(f"{name}: {value}" for name, value in key.default.items()) or "none"
    elif isinstance(key.default, tuple):
        shown = f"[{', '.join(key.default)}]" if key.default else "none"
        shown = key.default[0] if key.kind.lone and len(key.default) == 1 else shown
    else:
        shown = key.default
    yield f".Ic {literally(shown)}"


def _remedies() -> List[str]:
    """What the remedies have in common once, then each key of each with its default."""
    remedies = [entry for entry in REMEDIES.entries if isinstance(entry, Section)]
    common = [key for key in remedies[0].entries if isinstance(key, Key)
              and all(_like(key, remedy) for remedy in remedies)]
    lines = [*prose(capital(REMEDIES.doc) + " Gentlest first. Each remedy has:"),
             *tagged(map(_shared, common))]
    for remedy in remedies:
        where = f"{REMEDIES.name}.{remedy.name}"
        keys = [key for key in remedy.entries if isinstance(key, Key)]
        lines += [macro("Ss", where), *prose(capital(remedy.doc)), ".Pp",
                  *tagged(((item("Va", f"{where}.{key.name}"), list(_default(key))) for key in keys), LONGEST, compact=True)]
        own = [key for key in keys if key.name not in {one.name for one in common}]
        lines += tagged(map(_shared, own)) if own else []
    return lines


def _shared(key: Key) -> Tuple[str, List[str]]:
    return item("Va", key.name), [*prose(capital(key.doc, key.kind.words)), ".br", *prose(f"Write {key.kind.says}.")]


def _like(key: Key, remedy: Section) -> bool:
    return any(isinstance(other, Key) and (other.name, other.kind.says, other.doc) == (key.name, key.kind.says, key.doc)
               for other in remedy.entries)


def _examples() -> List[str]:
    return [*prose("Look on for a week before anything is run, then take this line away:"), *display("mode: shadow"), ".Pp",
            *prose("Never make a new node id, and let RMC be recycled at night only:"),
            *display('remedies:\n  recfgct: {mode: off}\n  recycle: {window: "01:00-05:00"}'), ".Pp",
            *prose("Say which HMCs there should be, so that one that is missing is noticed:"),
            *display("expect:\n  management: required\n  hmcs: [192.0.2.10, 192.0.2.11]")]
