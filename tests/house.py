"""The house rules as functions: a source goes in, complaints come out. test_house.py holds the house to them."""
from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Callable, Iterator, List, Mapping, Tuple

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "agent" / "rmcagent"


@dataclass(frozen=True)
class Source:
    """One Python file: `name` is the module below rmcagent (`reason.decide`), or the path below the root elsewhere."""

    name: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.name)


Rule = Callable[[Source], Iterator[str]]


# ---- layers ------------------------------------------------------------------------------------------------------------

HALL = ("model", "clock", "config")
TURN = (*HALL, "partition", "reason", "ledger", "report")
# What a module, or a room, may import of ours: cli -> daemon -> cycle -> {partition, reason, ledger, report} -> config -> model.
MAY_IMPORT: Mapping[str, Tuple[str, ...]] = {
    "frozen": (),
    "model": (),
    "clock": (),
    "config": ("model", "config"),
    "configured": ("config",),
    "reason": ("model", "config", "reason"),
    "partition": (*HALL, "partition"),
    "records": (),
    "entries": ("model",),
    "ledger": (*HALL, "records", "entries"),
    "folders": (),
    "whole": (),
    "inbox": ("clock",),
    "lock": ("partition",),
    "report": (*HALL, "report"),
    "show": (*HALL, "picture", "show"),             # pure text; what it prints of the rooms' work are the model's nouns
    "episodes": (*HALL, "reason", "ledger", "report"),
    "memory": (*HALL, "reason", "ledger"),
    "picture": ("picture",),             # pure text, for history and rehearsals
    "classify": (*HALL, "partition", "show", "classify"),
    "collect": (*HALL, "partition", "show", "whole"),
    "doctor": (*HALL, "partition", "show", "folders", "doctor"),
    "register": (*HALL, "partition"),
    "deeds": TURN,
    "cycle": (*TURN, "memory", "episodes", "deeds"),
    "lives": ("ledger",),
    "life": (*TURN, "cycle", "lives"),
    "heal": (*TURN, "cycle", "deeds", "show"),
    "recalled": (*HALL, "reason", "cycle"),
    "daemon": (*TURN, "episodes", "deeds", "cycle", "show", "folders", "inbox", "lock", "exposed", "heal", "life", "lives",
               "recalled", "configured"),
    "exposed": (*HALL, "report", "show"),
    "published": (),
    "command": (*TURN, "cycle", "show", "published", "daemon", "classify", "collect", "doctor", "sim", "whole",
                "register", "configured", "command"),
    "cli": ("command.arguments", "command.table", "show.check"),
    "__main__": ("cli",),
    "sim": (*TURN, "episodes", "deeds", "cycle", "life", "lives", "show", "daemon", "picture", "records", "whole", "sim"),
}


def layers(source: Source) -> Iterator[str]:
    room = source.name.split(".")[0]
    for line, wanted in our_imports(source):
        if wanted == "" or within(wanted, "frozen") or (room == "__init__"):
            continue                     # rmcagent itself: its version; what everybody's nouns are made with
        if not any(within(wanted, allowed) for allowed in MAY_IMPORT.get(room, ())):
            yield f"{source.name}:{line} imports {wanted}"


def simulation_is_reached_late(source: Source) -> Iterator[str]:
    """Only functions of a command import sim, so that nothing a daemon loads can drag the simulation in."""
    if source.name.startswith("sim"):
        return
    at_the_top = {id(node) for node in outside_functions(source.tree)}
    for node, wanted in imports(source.tree):
        if within(wanted, "rmcagent.sim") and (source.name != "command.here" or id(node) in at_the_top):
            yield f"{source.name}:{node.lineno} imports {wanted} outside a function of a command"


# ---- the machine -------------------------------------------------------------------------------------------------------

MACHINE = ("os", "posix", "subprocess", "psutil", "socket", "time", "signal", "fcntl", "shutil", "tempfile", "glob", "select",
           "selectors", "resource", "pty", "pwd", "grp", "pathlib", "syslog", "mmap", "ctypes")
TOUCHES_THE_MACHINE: Mapping[str, str] = {
    "partition.host": "the seam itself: commands, files, processes",
    "partition.system.run": "host's one gate for commands",
    "partition.system.reach": "host's sockets",
    "partition.system.perform": "the helper that outlives the daemon",
    "partition.system.unwritten": "the same without files",
    "partition.system.started": "whether a process is the one that was started",
    "partition.system.archive": "what the helper saves before recfgct",
    "partition.system.restart": "what the helper ends, starts and waits for where SRC does not",
    "partition.logs.watch": "names of files",
    "partition.bundle.read": "a folder or an archive of captured answers",
    "collect": "the bundle it writes",
    "whole": "files that were asked for by name",
    "frozen": "not at all: it compiles an __init__ for each class, as the standard library does",
    "clock": "the time",
    "configured": "the child that reads the configuration",
    "config.files": "who owns the configuration, and who may write it",
    "ledger": "its folder",
    "records": "fsync and rename",
    "folders": "who owns the folders we rely on, and who may write them",
    "inbox": "a request and its answer are files",
    "report.reporter": "its pid, the host's name",
    "report.syslog": "the socket",
    "report.journal": "whether the journal's socket is there, and takes anything now",
    "report.files": "the log file, what is published",
    "report.kept": "the events it keeps",
    "lock": "the lock's file",
    "daemon": "signals, readiness",
    "cli": "stdout that takes no more",
    "command.arguments": "the terminal: how wide, whether coloured",
    "command.files": "where the configuration and status.json are",
    "command.told": "the time between two looks at what was published",
    "command.asked": "who asks",
    "command.past": "whether anybody still reads",
    "command.here": "the file that is classified",
    "register": "whether we are root",
    "published": "the document, its daemon's pid, the time",
    "sim.live.shims": "real executables for the real daemon",
    "sim.live.world": "the process behind those executables",
    "sim.live.stage": "starts the real daemon, reads what it tells",
    "sim.demo": "the terminal",
    "sim.rehearsal.run": "the folder of a rehearsed agent's state",
    "sim.rehearsal.audit.words": "how large that folder is",
    "sim.rehearsal.rehearse": "those folders, a script",
}
# "One thread"; and sqlite3 may be missing from AIX's own Python.
NOBODY = ("threading", "multiprocessing", "asyncio", "concurrent", "sqlite3", "pickle")
ONE_MODULE_EACH = {"yaml": "config.reading", "psutil": "partition.host", "systemd": "report.journal",
                   "importlib": "partition.system.perform"}


def the_machine_is_met_in_few_places(source: Source) -> Iterator[str]:
    for node, wanted in imports(source.tree):
        root = wanted.split(".")[0]
        if root in MACHINE and source.name not in TOUCHES_THE_MACHINE:
            yield f"{source.name}:{node.lineno} imports {root}"
        if root in NOBODY:
            yield f"{source.name}:{node.lineno} imports {root}, which nobody may"
        if source.name != ONE_MODULE_EACH.get(root, source.name):
            yield f"{source.name}:{node.lineno} imports {root}, which {ONE_MODULE_EACH[root]} does"
    for call, called in calls(source.tree):
        if called in ("open", "input", "__import__", "eval", "exec") and source.name not in TOUCHES_THE_MACHINE:
            yield f"{source.name}:{call.lineno} calls {called}"


def no_shell(source: Source) -> Iterator[str]:
    for call, called in calls(source.tree):
        if called in ("os.system", "posix.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "pty.spawn"):
            yield f"{source.name}:{call.lineno} calls {called}"
        for keyword in call.keywords:
            if keyword.arg == "shell" and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False):
                yield f"{source.name}:{call.lineno} passes shell="


def nothing_listens(source: Source) -> Iterator[str]:
    """The simulation may: its HMC answers on a port of the loopback."""
    if source.name.startswith("sim") or not any(within(wanted, "socket") for _, wanted in imports(source.tree)):
        return
    for call, called in calls(source.tree):
        if called.endswith((".listen", ".create_server")):
            yield f"{source.name}:{call.lineno} listens"


# ---- how a file reads --------------------------------------------------------------------------------------------------

MAY_PRINT = ("cli", "command.told", "command.here", "sim.demo", "sim.live.shims", "sim.live.world")
BROAD_EXCEPTS: Mapping[str, int] = {"life": 1, "cli": 1}       # a turn, a request, publishing; a command
LONGEST_MODULE = 400
LONGER: Mapping[str, int] = {"model": 560}                       # every noun in one place is worth the length


def only_the_command_prints(source: Source) -> Iterator[str]:
    for call, called in calls(source.tree):
        if called == "print" and source.name not in MAY_PRINT:
            yield f"{source.name}:{call.lineno} prints"


def nobody_catches_everything(source: Source) -> Iterator[str]:
    broad = [node for node in ast.walk(source.tree) if isinstance(node, ast.ExceptHandler) and catches_everything(node)]
    for handler in broad[BROAD_EXCEPTS.get(source.name, 0):]:
        yield f"{source.name}:{handler.lineno} catches everything"


def modules_introduce_themselves(source: Source) -> Iterator[str]:
    tree = source.tree
    if tree.body and not ast.get_docstring(tree):
        yield f"{source.name} has no docstring"
    deferred = any(isinstance(node, ast.ImportFrom) and node.module == "__future__" and node.names[0].name == "annotations"
                   for node in tree.body)
    if not deferred and any(is_annotated(node) for node in ast.walk(tree)):
        yield f"{source.name} has annotations, but no `from __future__ import annotations`"


def modules_are_short(source: Source) -> Iterator[str]:
    lines = source.text.count("\n")
    if lines > LONGER.get(source.name, LONGEST_MODULE):
        yield f"{source.name} has {lines} lines"


def it_is_python_3_9(source: Source) -> Iterator[str]:
    try:
        ast.parse(source.text, source.name, feature_version=(3, 9))
    except SyntaxError as mistake:
        yield f"{source.name}:{mistake.lineno} {mistake.msg}"


def the_contract_is_explained(source: Source) -> Iterator[str]:
    """What others build upon says what it promises, once: not again where it is kept, nor where fields or one line tell it."""
    if not any(within(source.name, owner) for owner in ("model", "config", "partition.host")):
        return
    classes = [node for node in source.tree.body if isinstance(node, ast.ClassDef)]
    named = [node for node in [*source.tree.body, *(inner for owner in classes for inner in owner.body)]
             if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    told = {node.name for node in named if ast.get_docstring(node)}
    for node in named:
        if node.name not in told and needs_telling(node):
            yield f"{source.name}:{node.lineno} {node.name} has no docstring"


def fast_tests_do_not_sleep(source: Source) -> Iterator[str]:
    """A pause of at most 50 ms in a loop waits for a condition, and is no sleep. What only a bench runs may take its time."""
    if not source.name.startswith("tests") or source.name.startswith("tests/bench/") or is_marked_slow(source.tree.body):
        return
    for function in (node for node in source.tree.body if isinstance(node, ast.FunctionDef)):
        polls = {id(inner) for loop in ast.walk(function) if isinstance(loop, (ast.While, ast.For)) for inner in ast.walk(loop)}
        for call, called in calls(function):
            if called not in ("time.sleep", "sleep") or any("mark.slow" in ast.unparse(mark) for mark in function.decorator_list):
                continue
            if not (id(call) in polls and re.fullmatch(r"0\.0[1-5]\d*", ast.unparse(call.args[0]))):
                yield f"{source.name}:{call.lineno} sleeps"


# ---- reading sources ---------------------------------------------------------------------------------------------------

def breaches(rule: Rule, sources: Tuple[Source, ...] = ()) -> List[str]:
    return [complaint for source in sources or the_package() for complaint in rule(source)]


def the_package() -> Tuple[Source, ...]:
    found = tuple(Source(".".join(path.relative_to(PACKAGE).with_suffix("").parts), path.read_text("utf-8"))
                  for path in sorted(PACKAGE.rglob("*.py")))
    assert len(found) > 5, f"cannot judge the house: no sources under {PACKAGE}"
    return found


def the_tests() -> Tuple[Source, ...]:
    return tuple(Source(str(path.relative_to(ROOT)), path.read_text("utf-8")) for path in sorted((ROOT / "tests").rglob("*.py")))


def our_files() -> Iterator[Path]:
    """What a clone holds, without asking git: neither caches nor what a build leaves, nor what others wrote."""
    left_out = {".git", ".venv", "build", "dist", "vendor", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache",
                ".hypothesis"}
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and not left_out & set(parts) and not any(part.endswith(".egg-info") for part in parts):
            yield path


def imports(tree: ast.AST) -> Iterator[Tuple[ast.stmt, str]]:
    """Every imported name in full, at whatever depth; a relative import begins with a dot, which no rule allows."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            yield from ((node, f"{origin}.{alias.name}") for alias in node.names)


def our_imports(source: Source) -> Iterator[Tuple[int, str]]:
    """Names below rmcagent; "" is rmcagent itself."""
    for node, wanted in imports(source.tree):
        if wanted.startswith("."):
            yield node.lineno, wanted
        elif within(wanted, "rmcagent"):
            below = wanted[len("rmcagent."):]
            yield node.lineno, "" if below.startswith("__") else below


def within(name: str, owner: str) -> bool:
    return name == owner or name.startswith(owner + ".")


def outside_functions(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield node
            yield from outside_functions(node)


def calls(tree: ast.AST) -> Iterator[Tuple[ast.Call, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
            yield node, ast.unparse(node.func)


def catches_everything(handler: ast.ExceptHandler) -> bool:
    """A handler that cleans up and raises again catches nothing."""
    last = handler.body[-1]
    if isinstance(last, ast.Raise) and last.exc is None:
        return False
    names = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(name is None or ast.unparse(name) in ("Exception", "BaseException") for name in names)


def is_annotated(node: ast.AST) -> bool:
    return isinstance(node, ast.AnnAssign) or (isinstance(node, ast.arg) and node.annotation is not None) or (
        isinstance(node, ast.FunctionDef) and node.returns is not None)


def needs_telling(node: ast.stmt) -> bool:
    if isinstance(node, ast.ClassDef):
        return not node.name.startswith("_") and any(needs_telling(inner) for inner in node.body)
    return isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and len(node.body) > 1


def is_marked_slow(body: List[ast.stmt]) -> bool:
    return any(isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark" and "slow" in ast.unparse(node.value)
               for node in body)
