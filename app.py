"""The page, on a desktop and as a Space: ``python app.py [--host HOST] [--port PORT] [--mcp]``."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
import threading
from importlib import metadata
from pathlib import Path

from deblur_demo.media.paths import private_folder

# Read when the UI library is imported. No other app and no other user shares the folder of uploads.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_TEMP_DIR"] = os.environ.get("GRADIO_TEMP_DIR") or str(private_folder("deblur-demo"))

from fastapi.middleware import Middleware
from gradio.utils import get_upload_folder

from deblur_demo import settings
from deblur_demo.errors import DeblurError, SettingError
from deblur_demo.ui import server_text, text, theme
from deblur_demo.ui.door import Door
from deblur_demo.ui.page import build
from deblur_demo.ui.runs import sweep_forever

# Pages whose state is kept, about 0.6 MB each; the library never forgets one that was closed before there are more.
MOST_SESSIONS = 500

try:
    settings.check_environment()
    demo = build()
except DeblurError as error:
    sys.exit(f"error: {error}")


def serving() -> dict[str, object]:
    """How the page is served, whatever its address: looks, limits, and nothing recorded about visitors."""
    return {
        "theme": theme.theme(),
        "css_paths": theme.STYLES,
        "js": theme.SCRIPT,
        "max_file_size": settings.MAX_UPLOAD_MB.current() * 1024**2,
        "state_session_capacity": MOST_SESSIONS,
        "run_history": False,
        "enable_monitoring": False,
        "show_error": False,
        "footer_links": ["api", "settings"],
        "app_kwargs": {"middleware": [Middleware(Door)]},
    }


def main() -> int:
    """Serve the page until interrupted; flags go before ``GRADIO_SERVER_NAME`` and ``GRADIO_SERVER_PORT``.

    Returns:
        Exit code: 1 if the MCP server was asked for and its package is not there.
    """
    parser = argparse.ArgumentParser(description=text.TAGLINE)
    parser.add_argument("--host", help="address to listen on (default: this machine only; 0.0.0.0: all networks)")
    parser.add_argument("--port", type=int, help="port to listen on (default: the first free one from 7860)")
    parser.add_argument("--mcp", action="store_true", help="also be an MCP server, at /gradio_api/mcp/")
    flags = parser.parse_args()
    try:
        if flags.mcp:
            require_mcp()
    except DeblurError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    demo.launch(
        server_name=flags.host,
        server_port=flags.port,
        mcp_server=flags.mcp or None,  # None: as GRADIO_MCP_SERVER says
        prevent_thread_lock=True,
        **serving(),
    )
    threading.Thread(target=sweep_forever, args=(Path(get_upload_folder()),), daemon=True).start()
    threading.Thread(target=warm_up, daemon=True).start()
    demo.block_thread()
    return 0


def require_mcp() -> None:
    """See that an MCP server can be started.

    Raises:
        SettingError: its package is not installed.
    """
    if importlib.util.find_spec("mcp") is None:
        version = ".".join(metadata.version("gradio").split(".")[:2])
        raise SettingError(*text.fill(server_text.NO_MCP, module="mcp", version=version))


def warm_up() -> None:
    """Import torch and measure every network while the first visitor reads the page."""
    importlib.import_module("deblur_demo.pipeline")
    importlib.import_module("deblur_demo.catalogue").models()


if __name__ == "__main__":
    sys.exit(main())
