"""How the values of a script are written: text -> value, or ValueError that tells what to write instead."""
from __future__ import annotations

import ipaddress
import re
from typing import Any, Callable, Mapping, Tuple

from rmcagent.config.words import duration, either, near
from rmcagent.model import Platform
from rmcagent.sim import voices
from rmcagent.sim.partition.nouns import COMMANDS, MENDERS
from rmcagent.sim.rehearsal.script import HMC


def span(text: str) -> float:
    """Seconds, as a number or with their unit."""
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text):
        return float(text)
    return duration(text).total_seconds()


def signed(text: str) -> float:
    return -span(text[1:]) if text.startswith("-") else span(text.lstrip("+"))


def number(least: float, most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) or not least <= float(text) <= most:
            raise ValueError(f"write a number from {least:g} to {most:g}")
        return float(text)
    return parse


def whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,19}", text) or not least <= int(text) <= most:
            raise ValueError(f"write a whole number from {least} to {most}")
        return int(text)
    return parse


def share(text: str) -> float:
    return number(0, 100)(text[:-1]) / 100 if text.endswith("%") else number(0, 1)(text)


def yes_or_no(text: str) -> bool:
    if text.lower() not in ("true", "yes", "on", "false", "no", "off"):
        raise ValueError("write true or false")
    return text.lower() in ("true", "yes", "on")


def one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"{near(text, words) or 'no such choice,'} write {either(words)}")
        return text
    return parse


def or_none(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: None if text in ("none", "null", "~", "") else parse(text)


def words(text: str) -> str:
    if not re.fullmatch(r"[\w .,:'-]{1,80}", text, re.ASCII):
        raise ValueError("write at most 80 plain characters")
    return text


def name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}", text):
        raise ValueError("not a name, write letters, digits, dots and hyphens")
    return text


def any_text(text: str) -> str:
    if len(text) > 4000:
        raise ValueError("too long, write at most 4000 characters")
    return text


def address(text: str) -> str:
    try:
        if "%" in text:             # with a scope it holds for one interface, and a scope may hold anything
            raise ValueError
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"not an IP address, write one such as {HMC}") from None


def command(platform: Platform, text: str) -> str:
    words = text.split()
    if not words or words[0] not in COMMANDS[platform] or len(text) > 200:
        raise ValueError(f"{platform.value} has no such command; {near(text, COMMANDS[platform]) or 'write one as lssrc'}")
    return " ".join(words)


OF_ALL: Mapping[str, Callable[[str], Any]] = {
    "seconds": span, "again": span, "after": span, "until": span, "times": whole(0, 1000),
    "share": share, "number": whole(1, 9999),
    "per_second": number(0.1, 200), "factor": number(0.1, 1000), "rc": whole(0, 255), "text": any_text, "name": name,
    "state": words, "host": name, "disk": name, "stubborn": yes_or_no, "forks": yes_or_no, "aborted": yes_or_no,
    "helper": yes_or_no, "connected": yes_or_no, "kind": one_of(*voices.STORMS), "mended_by": or_none(one_of(*MENDERS)),
    "address": address, "new": address,
}
OF_ONE: Mapping[Tuple[str, str], Callable[[str], Any]] = {
    ("jump_clock", "seconds"): signed,
    ("manager_crash", "mended_by"): one_of("manager", "recycle"),
    ("define_peer_domain", "state"): one_of("Online", "Offline", "Pending Online", "Pending Offline", "Ineligible"),
    ("start_powerha", "state"): one_of("ST_INIT", "NOT_CONFIGURED", "ST_STABLE", "ST_BARRIER", "ST_UNSTABLE", "ST_JOINING",
                                        "ST_VOTING", "ST_RP_RUNNING", "ST_RP_FAILED"),
    ("add_hmc", "name"): words,
}
