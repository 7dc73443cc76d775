"""How the API answers when something is wrong."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

from deblur_demo.errors import DeblurError
from deblur_demo.ui import text
from deblur_demo.ui.runs import Cancelled

_log = logging.getLogger(__name__)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Answer whatever is wrong in one line.

    Raises:
        gr.Error: in place of any other error.
    """
    try:
        yield
    except (DeblurError, Cancelled) as error:
        raise gr.Error(str(error), print_exception=False) from error
    except Exception as error:
        _log.exception("an API call failed")
        raise gr.Error(text.UNEXPECTED, print_exception=False) from error
