"""How soon the page answers: from ``python app.py`` to the first page in full, against an empty page of the UI library.

    python benchmarks/start.py
    python benchmarks/start.py --times 9

The baseline is a page with nothing on it, served in the same way: what the UI library itself takes.
Starts of both alternate, so that a busy machine is busy for both, and medians are printed: seconds on
the clock, and seconds of processor time of the process until then, which say more on a busy machine.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
EMPTY = """
import gradio as gr
with gr.Blocks(analytics_enabled=False) as page:
    pass
page.launch(quiet=True)
"""
PROGRAMS = {"empty page": ["-c", EMPTY], "app.py": ["app.py"]}


def start(arguments: list[str]) -> tuple[float, float]:
    """Seconds on the clock and of processor time until a program has answered."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False"}
    began = time.perf_counter()
    program = subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while program.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as page:
                    page.read()
                times = psutil.Process(program.pid).cpu_times()
                return time.perf_counter() - began, times.user + times.system
            except urllib.error.URLError:
                time.sleep(0.02)
        raise SystemExit(f"{arguments[0]} ended with exit code {program.returncode}")
    finally:
        program.terminate()
        program.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=5, help="starts of each (default: 5)")
    flags = parser.parse_args()
    starts = {name: [] for name in PROGRAMS}
    for _ in range(flags.times):
        for name, arguments in PROGRAMS.items():
            starts[name].append(start(arguments))
    base = None
    print(f"{'':12}{'seconds':>10}{'processor':>12}{'ratio':>8}")
    for name, taken in starts.items():
        clock, processor = (statistics.median(column) for column in zip(*taken, strict=True))
        base = base or processor
        print(f"{name:12}{clock:10.2f}{processor:12.2f}{processor / base:8.2f}")


if __name__ == "__main__":
    main()
