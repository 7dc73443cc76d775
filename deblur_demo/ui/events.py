"""How the screens listen to what happens on them, and what a listener answers."""

from __future__ import annotations

import gradio as gr

# What becomes of the components that change: new values, or ``gr.update``.
Updates = dict[gr.components.Component, object]

PRIVATE = {"api_visibility": "private"}
# A listener that is done before anyone would look for progress, and waits for no job.
AT_ONCE = dict(PRIVATE, show_progress="hidden", queue=False)
# Of events that carry what is meant each one counts; what an event carries is not read anew.
EACH = dict(AT_ONCE, trigger_mode="multiple")
# Of events in quick succession the last one counts: inputs are read anew for it.
LATEST = dict(AT_ONCE, trigger_mode="always_last")
