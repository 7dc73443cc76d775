"""How the screens listen to what happens on them, and what a listener answers."""

from __future__ import annotations

import gradio as gr

# What becomes of the components that change: new values, or ``gr.update``.
Updates = dict[gr.components.Component, object]

PRIVATE = {"api_visibility": "private"}
# A listener that is done before anyone would look for progress, and waits for no job.
AT_ONCE = dict(PRIVATE, show_progress="hidden", queue=False)
# What an event itself carries is lost when the library skips it, or reads the inputs anew for one that came before.
EACH = dict(AT_ONCE, trigger_mode="multiple")
# Of events in quick succession the last one counts, whose inputs are read anew.
LATEST = dict(AT_ONCE, trigger_mode="always_last")
