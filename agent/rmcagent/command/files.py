"""Which files a command reads: the configuration, and what the daemon published."""
from __future__ import annotations

import posix  # and not os, as in cli
import sys

from rmcagent import published
from rmcagent.command import arguments
from rmcagent.command.arguments import INVALID, UNKNOWN, Cannot

TYPE_CHECKING = False                     # typing's own would be an import that `status` pays for
if TYPE_CHECKING:
    from typing import Any, Dict, Optional

    from rmcagent.command.arguments import Asked
    from rmcagent.config import Loaded


def public(asked: Asked) -> str:
    """Where status.json is."""
    folder = "/var/rmcagent/public" if sys.platform.startswith("aix") else "/run/rmcagent"
    return _folder(asked, "public", folder, "status.json").rstrip("/") + "/status.json"


def state(asked: Asked) -> str:
    """The folder of what survives."""
    return _folder(asked, "state", "/var/rmcagent" if sys.platform.startswith("aix") else "/var/lib/rmcagent", "ledger.jsonl")


def _folder(asked: Asked, name: str, usual: str, holds: str) -> str:
    """The platform's own folder, unless a configuration that was named, or is installed and speaks of another, says otherwise;
    the latter is read only where the usual one holds nothing."""
    if "--config" in asked.options:
        return load(asked).settings.paths.get(name, usual)
    if not posix.access(f"{usual}/{holds}", posix.F_OK) and posix.access(arguments.CONFIG, posix.R_OK):
        try:
            return load(asked).settings.paths.get(name, usual)
        except Cannot:
            return usual                  # with a configuration like that no daemon runs
    return usual


def document(path: str) -> Optional[Dict[str, Any]]:
    try:
        return published.read(path)
    except ValueError as reason:
        raise Cannot(UNKNOWN, str(reason)) from None


def load(asked: Asked) -> Loaded:
    from rmcagent import config

    try:
        runs_none = "--from" in asked.options or asked.verb == "rehearse"
        if runs_none and asked.config == arguments.CONFIG and not posix.access(arguments.CONFIG, posix.F_OK):
            return config.parse("{}", "")
        return config.load(asked.config)
    except config.ConfigError as wrong:
        raise Cannot(INVALID, str(wrong)) from None
