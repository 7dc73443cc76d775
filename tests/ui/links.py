"""Pages that were opened by a link."""

from __future__ import annotations

import gradio as gr
from fastapi import Request


def request(query: str) -> gr.Request:
    """A page that was opened with this query."""
    scope = {"type": "http", "query_string": query.encode(), "headers": [], "method": "GET", "path": "/"}
    return gr.Request(Request(scope))
