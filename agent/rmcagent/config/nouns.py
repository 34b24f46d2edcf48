"""What a configuration comes to: attributes are named exactly as the keys."""
from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, FrozenSet, Mapping, Optional, Tuple

from rmcagent.config.words import DAYS, spell
from rmcagent.frozen import dataclass, field


@dataclass(frozen=True)
class Cadence:
    pulse: timedelta
    look: timedelta


@dataclass(frozen=True)
class Expect:
    management: str                           # auto | required | none
    hmcs: Tuple[str, ...]
    subsystems: Mapping[str, str]             # NAME: required | on-demand | absent-ok


@dataclass(frozen=True)
class Storm:
    bytes: int
    within: timedelta


@dataclass(frozen=True)
class Log:
    files: Tuple[str, ...]                    # glob patterns; {var_ct} stands for that path
    storm: Storm


@dataclass(frozen=True)
class Network:
    ports: Tuple[int, ...]
    timeout: timedelta


@dataclass(frozen=True)
class Budget:
    """At most `times` within any stretch of `span`."""

    times: int
    span: timedelta

    def __str__(self) -> str:
        return f"{self.times}/{spell(self.span)}"


@dataclass(frozen=True)
class Faults:
    hung: int
    flapping: Budget
    stale_hmc: timedelta
    var_warn: float                           # a share, 0 to 1
    var_full: float
    blind: timedelta


@dataclass(frozen=True)
class Window:
    """A stretch of local time on some days of the week; `start` after `end` crosses midnight into the next day."""

    days: FrozenSet[int]                      # Monday is 0
    start: int                                # minutes of the day
    end: int                                  # the first minute outside; 1440 is midnight

    def open_at(self, local: datetime) -> bool:
        """True while naive `local` lies within: the hour that DST repeats counts twice, the one it skips never comes."""
        minute, day = local.hour * 60 + local.minute, local.weekday()
        if self.start < self.end:
            return day in self.days and self.start <= minute < self.end
        return (day in self.days and minute >= self.start) or ((day - 1) % 7 in self.days and minute < self.end)

    def __str__(self) -> str:
        days = ",".join(name for number, name in enumerate(DAYS) if number in self.days)
        hours = f"{self.start // 60:02}:{self.start % 60:02}-{self.end // 60:02}:{self.end % 60:02}"
        return hours if len(self.days) == 7 else f"{days} {hours}"


@dataclass(frozen=True)
class RemedyPolicy:
    mode: str                                 # act | shadow | off
    grace: timedelta
    settle: timedelta
    cooldown: timedelta
    budget: Tuple[Budget, ...]                # all of them hold
    window: Optional[Window] = None           # None: at any time
    cause_unknown: Optional[timedelta] = None     # start only
    after_stop: Optional[timedelta] = None        # start only; None: never
    in_cluster: str = "refuse"                    # recycle only: refuse | allow
    treats: Tuple[str, ...] = ()                  # recfgct only


@dataclass(frozen=True)
class Guards:
    boot: timedelta
    migration: timedelta
    evidence: timedelta
    hmc_back: timedelta
    splay: timedelta


@dataclass(frozen=True)
class Syslog:
    facility: str
    socket: str                               # auto | path
    format: str                               # rfc3164 | rfc5424


@dataclass(frozen=True)
class Report:
    syslog: Syslog
    journal: str                              # auto | off
    errlog: str                               # auto | off
    metrics: str                              # off | path
    file: str                                 # auto | off | path
    remind: timedelta


@dataclass(frozen=True)
class Settings:
    mode: str                                 # act | shadow | observe
    platform: str                             # auto | aix | vios | linux
    cadence: Cadence
    timeout: timedelta
    timeouts: Mapping[str, timedelta]
    commands: Mapping[str, str]
    paths: Mapping[str, str]
    expect: Expect
    log: Log
    network: Network
    faults: Faults
    remedies: Mapping[str, RemedyPolicy]
    guards: Guards
    report: Report


@dataclass(frozen=True)
class Mistake:
    """Something wrong in a file, or worth a warning; `line` 0 is the file as a whole."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}" if self.line else f"{self.file}: {self.text}"


class ConfigError(Exception):
    """All that is wrong with a configuration."""

    def __init__(self, mistakes: Tuple[Mistake, ...], more: int = 0) -> None:
        super().__init__("\n".join([*map(str, mistakes), *([f"and {more} more"] if more else [])]))
        self.mistakes = mistakes
        self.more = more


@dataclass(frozen=True)
class Loaded:
    settings: Settings
    warnings: Tuple[Mistake, ...]
    files: Tuple[str, ...]
    hash: str                                 # of the effective settings, whichever files they came from
    values: Mapping[str, Any] = field(default_factory=dict)     # table.Got by dotted key: value, file, line
