#!/usr/bin/env python3
"""Write all that is made of the program's own tables: python3 packaging/man/make.py

The manual, the completion, the journal's catalogue, and the README's events and exit codes.
"""
from __future__ import annotations

import sys
from pathlib import Path
from typing import Dict

HERE = Path(__file__).resolve().parent
README = HERE.parents[1] / "README.md"
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "agent")]


def made() -> Dict[Path, str]:
    """Every generated file, and what it should hold now."""
    import catalog
    import command_page
    import completion
    import policy_page
    import readme

    return {README: readme.text(README.read_text("utf-8")),
            HERE / "rmcagent.8": command_page.text(),
            HERE / "rmcagent.yaml.5": policy_page.text(),
            HERE.parent / "linux" / "rmcagent.catalog": catalog.text(),
            HERE.parent / "completion" / "rmcagent.bash": completion.text()}


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text, "utf-8")
