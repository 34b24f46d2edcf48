"""YAML -> Settings; every mistake collected, with its line and a suggestion. One table, SPEC, holds every key there is."""
from __future__ import annotations

from typing import Optional

from rmcagent.config.files import files_of, text_of
from rmcagent.config.nouns import (
    Budget,
    Cadence,
    ConfigError,
    Expect,
    Faults,
    Guards,
    Loaded,
    Log,
    Mistake,
    Network,
    RemedyPolicy,
    Report,
    Settings,
    Storm,
    Syslog,
    Window,
)
from rmcagent.config.reading import Reading, finish, read
from rmcagent.config.table import defaults, dump, each_key
from rmcagent.config.values import TREATABLE
from rmcagent.config.words import duration, spell

__all__ = (
    "DEFAULT_PATH", "TREATABLE", "load", "parse", "defaults", "dump", "each_key", "duration", "spell",
    "Budget", "Cadence", "ConfigError", "Expect", "Faults", "Guards", "Loaded", "Log", "Mistake", "Network", "RemedyPolicy",
    "Report", "Settings", "Storm", "Syslog", "Window",
)

DEFAULT_PATH = "/etc/rmcagent/rmcagent.yaml"


def load(path: str = DEFAULT_PATH, platform_hint: Optional[str] = None) -> Loaded:
    """Read the file and its conf.d, and return what they come to, or raise ConfigError with everything that is wrong."""
    reading = Reading()
    files = files_of(reading, path)
    for reading.file in files:
        text = text_of(reading, reading.file)
        if text is not None:
            read(reading, text)
    return finish(reading, files, platform_hint)


def parse(text: str, file: str = "rmcagent.yaml") -> Loaded:
    """What `text` comes to when it is the whole configuration, or ConfigError."""
    reading = Reading(file)
    read(reading, text)
    return finish(reading, (file,))
