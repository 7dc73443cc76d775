"""The folder of temporary files is this user's alone."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from deblur_demo.media.paths import private_folder


@pytest.fixture
def shared(tmp_path, monkeypatch) -> Path:
    """Where everybody's temporary files are."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def mode(folder: Path) -> int:
    return stat.S_IMODE(folder.stat().st_mode)


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a temporary folder for each user")
def test_nobody_else_may_look_into_it(shared):
    folder = private_folder("app")
    assert folder.parent == shared and mode(folder) == 0o700
    folder.chmod(0o755)  # as it was made by an earlier version
    assert private_folder("app") == folder and mode(folder) == 0o700


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a temporary folder for each user")
@pytest.mark.parametrize("taken", ["link", "file", "another's"])
def test_one_that_somebody_else_made_is_not_used(shared, monkeypatch, taken):
    place, elsewhere = shared / f"app-{os.getuid()}", shared / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    if taken == "link":
        place.symlink_to(elsewhere)
    elif taken == "file":
        place.touch()
    else:
        place.mkdir()
        user = os.getuid()
        monkeypatch.setattr(os, "getuid", lambda: user + 1)
        (shared / f"app-{user + 1}").mkdir()  # of ``user``
    folder = private_folder("app")
    assert folder.name.startswith("app-") and folder != place and mode(folder) == 0o700
    assert not any(elsewhere.iterdir()) and folder.owner()
