"""The page, on a desktop and as a Space: ``python app.py [--host HOST] [--port PORT]``."""

from __future__ import annotations

import argparse
import importlib
import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when the UI library is imported

from deblur_demo import settings
from deblur_demo.ui import text, theme
from deblur_demo.ui.page import build

demo = build()


def serving() -> dict[str, object]:
    """How the page is served, whatever its address: looks, limits, and nothing recorded about visitors."""
    return {
        "theme": theme.theme(),
        "css_paths": theme.STYLES,
        "js": theme.SCRIPT,
        "max_file_size": settings.MAX_UPLOAD_MB.current() * 1024**2,
        "run_history": False,
        "enable_monitoring": False,
        "show_error": False,
        "footer_links": ["api", "settings"],
    }


def main() -> None:
    """Serve the page until interrupted; flags go before ``GRADIO_SERVER_NAME`` and ``GRADIO_SERVER_PORT``."""
    parser = argparse.ArgumentParser(description=text.TAGLINE)
    parser.add_argument("--host", help="address to listen on (default: this machine only; 0.0.0.0: all networks)")
    parser.add_argument("--port", type=int, help="port to listen on (default: the first free one from 7860)")
    flags = parser.parse_args()
    demo.launch(server_name=flags.host, server_port=flags.port, prevent_thread_lock=True, **serving())
    importlib.import_module("deblur_demo.pipeline")  # torch comes in while the first visitor reads the page,
    importlib.import_module("deblur_demo.catalogue").models()  # and every network is measured
    demo.block_thread()


if __name__ == "__main__":
    main()
