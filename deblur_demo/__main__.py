"""``python -m deblur_demo``."""

import signal
import sys
from types import FrameType

from deblur_demo.cli import main


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # A file name may hold bytes that are no text; printing it must not fail.
    sys.stdout.reconfigure(errors="backslashreplace")
    # Whoever stops a service or closes a terminal keeps what is done, as with Ctrl-C.
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup has it ignored
            signal.signal(number, _interrupt)
    sys.exit(main())
