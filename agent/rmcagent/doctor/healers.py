"""Who else recycles RMC here: two healers undo each other's work, and neither sees why."""
from __future__ import annotations

import re
from typing import Iterator, List, Tuple

from rmcagent.doctor.machine import owner_and_mode
from rmcagent.doctor.nouns import SMALL_FILE, Complaint, Scene, advice

MOST_FILES, MOST_SCRIPTS = 64, 32
LONGEST_LINE, LONGEST_NAME = 1 << 10, 256
AIX_CRONTABS = ("/var/spool/cron/crontabs/*",)
LINUX_CRONTABS = ("/var/spool/cron/*", "/var/spool/cron/crontabs/*", "/var/spool/cron/tabs/*", "/etc/crontab", "/etc/cron.d/*",
                  "/etc/cron.hourly/*", "/etc/cron.daily/*", "/etc/cron.weekly/*")
# What anybody may write names no path that root opens: only scripts of root's own crontabs are read.
ROOTS_OWN = ("/var/spool/cron/root", "/var/spool/cron/crontabs/root", "/var/spool/cron/tabs/root")
ROOTS_IF_OWNED = re.compile(r"/etc/crontab|/etc/cron\.d/[^/]+")
NO_SCRIPTS = ("dev", "proc", "sys")
# What stops RMC or gives the node a new identity: a command, words behind it. A start alone hurts nobody.
WORD = re.compile(r"[\w./@+-]+")
OF_RMC = ("ctrmc", "rsct", "rsct_rm")
PATH = re.compile(r"(?<![\w./=-])/[\w./+-]+")
CARE = "(?:heal|watch|fix|recycl|restart|recover|repair)"
WATCHES = re.compile(rf"rmc\w*[-_.]?{CARE}|{CARE}\w*[-_.]?rmc", re.IGNORECASE)


def competing(scene: Scene) -> Iterator[Complaint]:
    """From cron, and the scripts that cron starts; and by their names, what runs now."""
    only_one = "it and the agent would undo each other's work"
    scripts: List[str] = []
    for path in _crontabs(scene):
        lines = _code(scene.text(path) or "")
        named = [name for line in lines for name in PATH.findall(line[:LONGEST_LINE]) if _may_be_script(name)]
        if named and _is_roots(scene, path):
            scripts += named
        told = recycling("\n".join(lines))
        if told:
            edit = f"crontab -e {path.rpartition('/')[2]}" if "/spool/" in path else f"vi {path}"
            yield advice("healers", f"{path} recycles RMC ({told}): {only_one}", edit)
    for path in tuple(dict.fromkeys(scripts))[:MOST_SCRIPTS]:
        told = recycling(_script(scene, path))
        if told:
            yield advice("healers", f"{path}, which cron starts, recycles RMC ({told}): {only_one}", f"vi {path}")
    for name in scene.processes:
        if watching(name):
            yield advice("healers", f"{name} runs here and by its name looks after RMC, too: {only_one}",
                         f"ps -ef | grep {re.sub(r'[^A-Za-z0-9_.-]', '.', name)}")


def recycling(text: str) -> str:
    """The first line of a crontab or script that stops RMC or reconfigures it, shortened; "" where none does."""
    return next((line[:80] for line in _code(text) if any(map(_stops, re.split("[;|&]", line[:LONGEST_LINE])))), "")


def _stops(command: str) -> bool:
    names = [word.rpartition("/")[2] for word in WORD.findall(command)]
    behind = {name: set(names[names.index(name) + 1:]) for name in ("rmcctrl", "stopsrc", "systemctl") if name in names}
    units = {name.partition(".")[0] for name in behind.get("systemctl", ())}
    return ("recfgct" in names or bool(behind.get("rmcctrl", set()) & {"-z", "-k", "-K", "-d"})
            or bool(behind.get("stopsrc", set()) & set(OF_RMC)) or ("ctrmc" in units and bool(units & {"stop", "restart"})))


def watching(name: str) -> bool:
    """A process that by its name looks after RMC, and is neither we nor RSCT's own."""
    return not name.startswith(("rmcagent", "IBM.")) and WATCHES.search(name[:LONGEST_NAME]) is not None


def _code(text: str) -> List[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


def _crontabs(scene: Scene) -> Tuple[str, ...]:
    patterns = LINUX_CRONTABS if scene.on_linux else AIX_CRONTABS
    return tuple(file.path for pattern in patterns for file in scene.host.files(pattern))[:MOST_FILES]


def _is_roots(scene: Scene, crontab: str) -> bool:
    """Whether only root can have written it; where ls cannot tell, not."""
    if crontab in ROOTS_OWN or not ROOTS_IF_OWNED.fullmatch(crontab):
        return crontab in ROOTS_OWN
    uid, mode = owner_and_mode(scene.ask("/bin/ls", "-ldnL", crontab)) or (-1, "")
    return uid == 0 and mode[5] != "w" and mode[8] != "w"


def _may_be_script(path: str) -> bool:
    """To open a device, a pipe of the kernel's or a control file can do harm by itself."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return bool(parts) and ".." not in parts and parts[0] not in NO_SCRIPTS


def _script(scene: Scene, path: str) -> str:
    """"" for a program: what its bytes spell by chance is no command."""
    data = scene.host.read_from(path, 0, SMALL_FILE) or b""
    return "" if b"\0" in data[:512] else data.decode("utf-8", "replace")
