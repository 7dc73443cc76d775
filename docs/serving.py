"""The app as a process of its own, for those who use it from outside: the page's pictures, and tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_PATIENCE = 180  # seconds, until it answers on a busy machine


def chromium() -> str | None:
    """Path of the system's browser; None where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def app(environment: Mapping[str, str]) -> Iterator[str]:
    """Start ``app.py`` on a free port, and end it.

    Args:
        environment: variables to add to this process' own.

    Returns:
        Its address.

    Raises:
        RuntimeError: it ended, or did not answer in time; with what it had printed.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(
            [sys.executable, ROOT / "app.py", "--host", "127.0.0.1", "--port", str(port)],
            env={**os.environ, **environment}, stdout=printed, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            latest = time.monotonic() + _PATIENCE
            while not _answers(port):
                if process.poll() is not None or time.monotonic() > latest:
                    printed.seek(0)
                    raise RuntimeError(f"app.py does not answer:\n{printed.read()}")
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
