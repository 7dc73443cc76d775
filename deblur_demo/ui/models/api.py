"""``/models``: what networks there are."""

from __future__ import annotations

from pathlib import Path

import gradio as gr


def add() -> None:
    """Add the endpoint to the page that is being built."""
    gr.api(models, api_name="models", queue=False)


def models() -> list[dict]:
    """List the networks.

    Returns:
        for each: id, parameters, gmacs, frames, steps, max_steps, trained_for, paper, whether it is ready to use,
        and of its weights: file, figures (PSNR and SSIM after every iteration) and licence
    """
    from deblur_demo import catalogue

    # Where the weights lie on the server is nobody's business.
    return [{**row, "checkpoint": row["checkpoint"] and Path(row["checkpoint"]).name} for row in catalogue.models()]
