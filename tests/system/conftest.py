"""Packages of the sources as they are, and of a later version, built once for all tests that ask."""
from __future__ import annotations

from pathlib import Path

import pytest

import aix_root


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return aix_root.snapshot(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="session")
def artefacts(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, the sdist, the zipapp and what AIX is given."""
    names = ("wheel", "sdist", "zipapp", "aix-rpm", "aix-bff", "aix-mkinstallp")
    return aix_root.built(sources, tmp_path_factory.mktemp("dist"), *names)


@pytest.fixture(scope="session")
def later(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AIX's packages of version 9.9.9."""
    sources = aix_root.snapshot(tmp_path_factory.mktemp("later"), "9.9.9")
    return aix_root.built(sources, tmp_path_factory.mktemp("dist"), "aix-rpm", "aix-bff")
