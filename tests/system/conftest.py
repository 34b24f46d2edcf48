"""Packages of the sources as they are, and of a later version."""
from __future__ import annotations

import os
from pathlib import Path

import pytest
from builds import FOR_ANYWHERE, LATER, Builds


@pytest.fixture(scope="session")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Builds:
    """Of xdist's processes each has a folder of its own, all in one that is the run's."""
    base = tmp_path_factory.getbasetemp()
    shelf = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "builds"
    shelf.mkdir(exist_ok=True)
    return Builds(shelf)


@pytest.fixture(scope="session")
def artefacts(builds: Builds) -> Path:
    """The wheel, the sdist, the zipapp and what AIX is given."""
    return builds.of(*FOR_ANYWHERE)


@pytest.fixture(scope="session")
def later(builds: Builds) -> Path:
    """AIX's packages of a later version."""
    return builds.of("aix-rpm", "aix-bff", version=LATER)
