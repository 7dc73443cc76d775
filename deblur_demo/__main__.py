"""``python -m deblur_demo``."""

import sys

from deblur_demo.cli import main

if __name__ == "__main__":
    # A file name may hold bytes that are no text; printing it must not fail.
    sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(main())
