"""The seam between the agent and the machine: the Host protocol and SystemHost, which is the machine itself."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Optional, Protocol, Sequence, Tuple

from rmcagent.model import Answer, Deed, Progress, Space, Vitals


@dataclass(frozen=True)
class FileStat:
    """A log file as listed; `device` and `inode` tell a replaced file from a grown one."""

    path: str
    size: int
    device: int
    inode: int


class Host(Protocol):
    """Everything the agent can ask of a partition or do to it. Nothing here raises for what it cannot see."""

    def run(self, argv: Sequence[str], timeout: float, keep: int = 1 << 20) -> Answer:
        """Run a reading command: own process group, clean environment, killed whole after `timeout` seconds,
        at most `keep` bytes kept of each stream."""

    def exists(self, path: str) -> bool:
        """True when there is something at `path`, whatever it is."""

    def read_from(self, path: str, offset: int, limit: int) -> Optional[bytes]:
        """At most `limit` bytes of a regular file from `offset`; None when it cannot be read."""

    def files(self, pattern: str) -> Tuple[FileStat, ...]:
        """The regular files a glob pattern names, sorted by path, at most 256."""

    def space(self, path: str) -> Optional[Space]:
        """Size and free bytes of the file system that holds `path`."""

    def alive(self, pid: int) -> Optional[bool]:
        """True when a process of that id exists (a zombie does not count); None when it cannot be told."""

    def reach(self, addresses: Sequence[str], ports: Sequence[int], timeout: float) -> Mapping[str, Optional[bool]]:
        """For each address whether any of the ports accepts a connection within `timeout` seconds, all at once.
        A refusal by the peer's own TCP is False like silence; None when it could not be asked (bad address, no socket)."""

    def vitals(self, rmcctrl: str) -> Vitals:
        """`rmcctrl` is the path whose owner, besides root, may act."""

    def processes(self) -> Optional[Tuple[str, ...]]:
        """Base names of all running commands (and of a shell's or an interpreter's script); None: could not tell."""

    def begin(self, deed: Deed, folder: str) -> None:
        """Start a helper of its own session that performs `deed` and writes its progress into `folder`. Raises OSError."""

    def progress(self, attempt: int, folder: str) -> Optional[Progress]:
        """How far the helper of `attempt` has come; None when it left no trace."""
