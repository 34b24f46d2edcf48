"""YAML -> Settings; every mistake collected, with its line and a suggestion. One table, SPEC, holds every key there is."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional

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
from rmcagent.config.words import duration, spell

if TYPE_CHECKING:
    from rmcagent.config.table import defaults, dump, each_key
    from rmcagent.config.values import TREATABLE

__all__ = (
    "DEFAULT_PATH", "TREATABLE", "load", "parse", "defaults", "dump", "each_key", "duration", "spell",
    "Budget", "Cadence", "ConfigError", "Expect", "Faults", "Guards", "Loaded", "Log", "Mistake", "Network", "RemedyPolicy",
    "Report", "Settings", "Storm", "Syslog", "Window",
)

DEFAULT_PATH = "/etc/rmcagent/rmcagent.yaml"


def load(path: str = DEFAULT_PATH, platform_hint: Optional[str] = None) -> Loaded:
    """Read the file and its conf.d, and return what they come to, or raise ConfigError with everything that is wrong."""
    from rmcagent.config.files import files_of, text_of
    from rmcagent.config.reading import Reading, finish, read

    reading = Reading()
    files = files_of(reading, path)
    for reading.file in files:
        text = text_of(reading, reading.file)
        if text is not None:
            read(reading, text)
    return finish(reading, files, platform_hint)


def parse(text: str, file: str = "rmcagent.yaml") -> Loaded:
    """What `text` comes to when it is the whole configuration, or ConfigError."""
    from rmcagent.config.reading import Reading, finish, read

    reading = Reading(file)
    read(reading, text)
    return finish(reading, (file,))


def __getattr__(name: str) -> Any:
    """What reading needs is loaded when it is asked for: the daemon has its settings read by another process."""
    if name in ("defaults", "dump", "each_key"):
        from rmcagent.config import table

        return getattr(table, name)
    if name == "TREATABLE":
        from rmcagent.config import values

        return values.TREATABLE
    raise AttributeError(f"module {__name__} has no {name}")
