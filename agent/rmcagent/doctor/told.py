"""An examination as text and as JSON; pure. What comes from outside is cleaned here, once."""
from __future__ import annotations

from textwrap import wrap
from typing import Any, Dict, List

from rmcagent import show
from rmcagent.doctor.nouns import Complaint, Examination, Severity

NARROWEST = 40


def document(examination: Examination) -> Dict[str, Any]:
    """What `doctor --json` says; keys may be added, none is renamed."""
    return {
        "schema": 1,
        "verdict": examination.verdict,
        "platform": examination.platform.value,
        "can_observe": _free_of(examination, Severity.CANNOT_SEE),
        "can_act": _free_of(examination, Severity.CANNOT_ACT),
        "can_report": _free_of(examination, Severity.CANNOT_REPORT),
        "complaints": [
            {"area": complaint.area, "severity": complaint.severity.value, "what": show.clean(complaint.what),
             "mend": "\n".join(show.clean(line) for line in complaint.mend.splitlines())}
            for complaint in examination.complaints
        ],
    }


def text(examination: Examination, columns: int = 80) -> str:
    """Worst first, what is wrong and below it what mends it; the verdict is the last line."""
    width = max(columns, NARROWEST)
    lines = [line for complaint in examination.complaints for line in _lines(complaint, width)]
    return "\n".join([*lines, *_wrapped(f"doctor: {_verdict(examination)}", width, "")]) + "\n"


def _lines(complaint: Complaint, width: int) -> List[str]:
    what = f"{complaint.severity.value.replace('-', ' ')}: {complaint.what}"
    lines = _wrapped(what, width, "  ")
    for command in complaint.mend.splitlines():
        lines += _wrapped(command, width, "      ", "    ")
    return lines


def _verdict(examination: Examination) -> str:
    if examination.verdict == "not-installed":
        return "RSCT is not installed: nothing can be observed or done here"
    able = {severity: _free_of(examination, severity) for severity in Severity}
    see, do = (f"{'can' if able[severity] else 'cannot'} {verb}"
               for severity, verb in ((Severity.CANNOT_SEE, "observe"), (Severity.CANNOT_ACT, "act")))
    said = "can observe and act" if see == "can observe" and do == "can act" else f"{see}, {do}"
    said += "" if able[Severity.CANNOT_REPORT] else ", cannot report"
    grave = sum(complaint.severity is not Severity.ADVICE for complaint in examination.complaints)
    counts = [f"{grave} thing{'' if grave == 1 else 's'} to mend"] if grave else []
    advice = len(examination.complaints) - grave
    counts += [f"{advice} advice"] if advice else []
    return f"{said}: {', '.join(counts)}" if counts else said


def _free_of(examination: Examination, severity: Severity) -> bool:
    if examination.verdict == "not-installed" and severity is not Severity.CANNOT_REPORT:
        return False
    return all(complaint.severity is not severity for complaint in examination.complaints)


def _wrapped(text: str, width: int, following: str, first: str = "") -> List[str]:
    """Plain ASCII in at most `width` columns; a path too long for a line is broken."""
    plain = show.clean(text).encode("ascii", "backslashreplace").decode("ascii")
    return wrap(plain, width, initial_indent=first, subsequent_indent=following, break_on_hyphens=False) or [first]
