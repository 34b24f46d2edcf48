"""Who else recycles RMC here: two healers undo each other's work, and neither sees why."""
from __future__ import annotations

import re
from typing import Iterator, List, Tuple

from rmcagent.doctor.nouns import SMALL_FILE, Complaint, Scene, advice

MOST_FILES, MOST_SCRIPTS = 64, 32
AIX_CRONTABS = ("/var/spool/cron/crontabs/*",)
LINUX_CRONTABS = ("/var/spool/cron/*", "/var/spool/cron/crontabs/*", "/var/spool/cron/tabs/*", "/etc/crontab", "/etc/cron.d/*",
                  "/etc/cron.hourly/*", "/etc/cron.daily/*", "/etc/cron.weekly/*")
# What stops RMC or gives the node a new identity. A start alone hurts nobody.
RECYCLES = re.compile(r"\brecfgct\b|\brmcctrl\s+-[zkKd]\b|\bstopsrc\b.*\b(ctrmc|rsct|rsct_rm)\b"
                      r"|\bsystemctl\s+(?:\S+\s+)*?(?:stop|restart)\s+(?:\S+\s+)*?ctrmc\b")
PATH = re.compile(r"(?<![\w./=-])/[\w./+-]+")
CARE = "(?:heal|watch|fix|recycl|restart|recover|repair)"
WATCHES = re.compile(rf"rmc\w*[-_.]?{CARE}|{CARE}\w*[-_.]?rmc", re.IGNORECASE)


def competing(scene: Scene) -> Iterator[Complaint]:
    """From cron, and the scripts that cron starts; and by their names, what runs now."""
    only_one = "it and the agent would undo each other's work"
    scripts: List[str] = []
    for path in _crontabs(scene):
        lines = _code(scene.text(path) or "")
        for line in lines:
            scripts += PATH.findall(line)
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
    return next((line[:80] for line in _code(text) if RECYCLES.search(line)), "")


def watching(name: str) -> bool:
    """A process that by its name looks after RMC, and is neither we nor RSCT's own."""
    return not name.startswith(("rmcagent", "IBM.")) and WATCHES.search(name) is not None


def _code(text: str) -> List[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


def _crontabs(scene: Scene) -> Tuple[str, ...]:
    patterns = LINUX_CRONTABS if scene.on_linux else AIX_CRONTABS
    return tuple(file.path for pattern in patterns for file in scene.host.files(pattern))[:MOST_FILES]


def _script(scene: Scene, path: str) -> str:
    """"" for a program: what its bytes spell by chance is no command."""
    data = scene.host.read_from(path, 0, SMALL_FILE) or b""
    return "" if b"\0" in data[:512] else data.decode("utf-8", "replace")
