"""What is done here and now by the command itself: run, plan, classify, collect, doctor, config, rehearse, demo."""
from __future__ import annotations

import sys
from typing import Any, Dict, Optional

from rmcagent import published
from rmcagent.command.arguments import DONE, FAILED, INVALID, USAGE, Asked, Cannot, as_json, colour, columns, complain
from rmcagent.command.files import document, load, public
from rmcagent.show.codes import as_of, plan_code
from rmcagent.show.screen import ascii_of, clean


def start(asked: Asked) -> int:
    from rmcagent import configured, daemon

    try:
        return daemon.run(configured.load_aside(asked.config), asked.config)
    except configured.ConfigError as wrong:
        raise Cannot(INVALID, str(wrong)) from None
    except daemon.Locked as reason:
        raise Cannot(FAILED, str(reason)) from None


def plan(asked: Asked) -> int:
    from rmcagent import daemon

    captured = asked.options.get("--from")
    if captured:
        found = daemon.plan_from(load(asked), captured)
    else:
        now = _as_told(asked)
        fresh = now is not None and "advice" not in now
        found = daemon.plan(load(asked), asked.config, now if fresh else None)
        verdict, because = (now["verdict"], now.get("because", "")) if now else ("not-running", "no daemon has run here")
        found["daemon"] = {"fresh": fresh, "verdict": verdict, "because": because}
    from rmcagent.show.plan import plan_text

    told = plan_text({**found, "config": asked.config}, columns(), colour())
    text = (daemon.preface(found, columns()) if captured else "") + told
    sys.stdout.write(as_json(found) + "\n" if asked.json else text)
    return plan_code(found)


def _as_told(asked: Asked) -> Optional[Dict[str, Any]]:
    """What the daemon published, as it must be read now; None: nothing that can be read."""
    try:
        told = document(public(asked))
    except Cannot:
        return None
    return None if told is None else as_of(told, published.alive(told), published.age(told))


def config_check(asked: Asked) -> int:
    loaded = load(asked)
    for warning in loaded.warnings:
        complain(f"warning: {warning}")
    files = f"{len(loaded.files)} file" + ("" if len(loaded.files) == 1 else "s")
    print(f"OK: {ascii_of(clean(asked.config))} ({files}), policy {loaded.hash}")
    return DONE


def config_show(asked: Asked) -> int:
    from rmcagent.config.shown import document, text

    loaded = load(asked)
    sys.stdout.write(as_json(document(loaded)) + "\n" if asked.json else text(loaded))
    return DONE


def collect(asked: Asked) -> int:
    from rmcagent import collect

    said = collect.collect(asked.config, asked.options.get("--out", ""))
    (sys.stderr if asked.options.get("--out") == "-" else sys.stdout).write(said)
    return DONE


def classify(asked: Asked) -> int:
    from rmcagent import classify

    path = asked.words[0] if asked.words else "-"
    with open(0 if path == "-" else path, "rb", closefd=path != "-") as file:
        told = classify.tell(file.read, path)
    if not told.understood and not asked.json:
        raise Cannot(FAILED, classify.complaint(told))
    sys.stdout.write(as_json(classify.document(told)) + "\n" if asked.json else classify.text(told, columns(), colour()))
    return DONE if told.understood else FAILED


def doctor(asked: Asked) -> int:
    from rmcagent import doctor

    return doctor.main(asked.config, asked.json, columns(), sys.stdout.write)


def register(asked: Asked) -> int:
    wanted = [option for option in ("--check", "--apply", "--remove") if option in asked.options]
    if len(wanted) != 1:
        raise Cannot(USAGE, f"cannot register: say one of --check, --apply and --remove, as in {asked.example}")
    from rmcagent import register

    return register.main(wanted[0][2:], asked.config, asked.json, sys.stdout.write)


def rehearse(asked: Asked) -> int:
    loaded = load(asked)
    from rmcagent.sim.rehearsal import rehearse

    for warning in loaded.warnings:
        complain(f"warning: {warning}")
    try:
        return rehearse.main(asked.options, loaded, asked.config, columns(), sys.stdout.write, sys.stderr)
    except rehearse.Mistaken as wrong:
        raise Cannot(INVALID if wrong.in_script else USAGE, str(wrong)) from None


def demo(asked: Asked) -> int:
    from rmcagent.sim import demo

    return demo.main()
