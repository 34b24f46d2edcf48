"""What is told of what was published, without waking the daemon: status, check, why, metrics."""
from __future__ import annotations

import sys

from rmcagent import published
from rmcagent.command import files
from rmcagent.command.arguments import DONE, FAILED, NOT_RUNNING, Cannot, as_json, colour, columns
from rmcagent.show import codes

TYPE_CHECKING = False                     # typing's own would be an import that `status` pays for
if TYPE_CHECKING:
    from rmcagent.command.arguments import Asked

WATCH_SECONDS = 2.0


def status(asked: Asked) -> int:
    path = files.public(asked)
    if "--watch" not in asked.options:
        return _status_once(asked, path)
    import time

    try:
        while True:
            if colour():
                sys.stdout.write("\x1b[H\x1b[2J")
            _status_once(asked, path)
            sys.stdout.flush()
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:             # the only way to end it, and so a good one
        return DONE


def _status_once(asked: Asked, path: str) -> int:
    document = files.document(path)
    alive, age = (published.alive(document), published.age(document)) if document else (None, None)
    code = codes.status_code(document, alive, age)
    if document is None:
        brief = "" if "--brief" in asked.options else "* rmcagent: "
        said = f"{brief}not-running: nothing was published in {path.rpartition('/')[0] or '/'}"
        print(as_json(codes.unseen()) if asked.json else said)
        return code
    now = codes.as_of(document, alive, age)
    if asked.json:
        sys.stdout.write(as_json({**codes.unseen(), **now}) + "\n")
    else:
        from rmcagent.show.status import brief_text, status_text

        tell = brief_text if "--brief" in asked.options else status_text
        sys.stdout.write(tell({**now, "config": asked.config}, columns(), colour()))
    return code


def check(asked: Asked) -> int:
    """A plug-in; what goes wrong here is told by cli, as Nagios wants it."""
    from rmcagent.show.check import check_text

    document = files.document(files.public(asked))
    alive, age = (published.alive(document), published.age(document)) if document else (None, None)
    sys.stdout.write(check_text({**document, "config": asked.config} if document else None, alive, age))
    return codes.check_code(document, alive, age)


def metrics(asked: Asked) -> int:
    document = files.document(files.public(asked))
    if document is None:
        raise Cannot(NOT_RUNNING, "cannot tell metrics: nothing was published, start the agent")
    from rmcagent.show.metrics import text

    sys.stdout.write(text(codes.as_of(document, published.alive(document), published.age(document))))
    return DONE


def why(asked: Asked) -> int:
    document = files.document(files.public(asked))
    if document is None or (document["verdict"] == "not-running" and not document.get("why")):
        raise Cannot(NOT_RUNNING, "cannot tell why: the agent is not running, start it or use rmcagent plan")
    from rmcagent.show.plan import why_entries, why_text

    entries = why_entries(codes.as_of(document, published.alive(document), published.age(document)))
    episode = asked.words[0] if asked.words else None
    chosen = [entry for entry in entries if entry.get("episode") == episode] if episode else entries
    if episode and not chosen:
        known = dict.fromkeys(str(entry["episode"]) for entry in entries if entry.get("episode"))
        raise Cannot(FAILED, f"cannot find episode {episode}: known are {', '.join(known) or 'none'}")
    nothing = "nothing was decided yet: no finding has asked for it\n"
    sys.stdout.write(as_json(chosen) + "\n" if asked.json else why_text(
        [{**entry, "config": asked.config} for entry in chosen], episode, columns()) or nothing)
    return DONE
