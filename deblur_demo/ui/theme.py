"""How the page looks: one calm theme, light and dark, and where its style sheets and script lie."""

from __future__ import annotations

import json
from pathlib import Path

import gradio as gr
from gradio.themes.utils import colors, fonts, sizes

from deblur_demo.ui.page_text import WORDS

_HERE = Path(__file__).parent
STYLES = [
    _HERE / name
    for name in (
        "style.css",
        "page.css",
        "viewer/comparer.css",
        "viewer/plot.css",
        "video/player.css",
        "lab/lab.css",
        "models/models.css",
    )
]
SCRIPT = f"() => ({(_HERE / 'page.js').read_text(encoding='utf-8')})({json.dumps(WORDS)})"


def theme() -> gr.themes.Base:
    """Slate and teal; fonts come with the UI library, so that no third party sees a visitor.

    Text keeps a contrast of at least 4.5 to what is behind it (WCAG AA), dark or light, and the edge of a control 3.
    """
    look = gr.themes.Default(
        primary_hue=colors.teal,
        secondary_hue=colors.teal,
        neutral_hue=colors.slate,
        radius_size=sizes.radius_lg,
        font=(fonts.LocalFont("IBM Plex Sans", weights=(400, 700)), "system-ui", "sans-serif"),
        font_mono=(fonts.LocalFont("IBM Plex Mono", weights=(400, 700)), "ui-monospace", "monospace"),
    )
    return look.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="#0b1220",
        body_text_color="*neutral_800",
        body_text_color_dark="*neutral_200",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        background_fill_primary_dark="#111a2b",
        background_fill_secondary_dark="#0e1626",
        block_background_fill="white",
        block_background_fill_dark="#111a2b",
        block_border_color="*neutral_200",
        block_border_color_dark="#22304a",
        border_color_primary="*neutral_200",
        border_color_primary_dark="#22304a",
        block_label_background_fill="white",
        block_label_background_fill_dark="#111a2b",
        block_label_text_color="*neutral_600",
        block_label_text_color_dark="*neutral_300",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_200",
        block_title_text_weight="600",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        block_shadow="0 1px 2px rgb(15 23 42 / 0.05)",
        input_background_fill_dark="#0b1220",
        input_border_color_dark="#2b3b58",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_400",
        button_primary_background_fill_hover_dark="*primary_300",
        button_primary_text_color="white",
        button_primary_text_color_dark="#042f2e",
        button_secondary_background_fill="*neutral_100",
        button_secondary_background_fill_hover="*neutral_200",
        button_secondary_background_fill_dark="#1c2942",
        button_secondary_background_fill_hover_dark="#263757",
        button_secondary_text_color="*neutral_800",
        button_secondary_text_color_dark="*neutral_100",
        slider_color="*primary_700",
        slider_color_dark="*primary_400",
        color_accent="*primary_700",  # in the dark as style.css says
        link_text_color="*primary_700",
        link_text_color_dark="*primary_400",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        checkbox_border_color="*neutral_500",
        checkbox_border_color_dark="*neutral_400",
        checkbox_border_color_hover="*neutral_600",
        checkbox_border_color_hover_dark="*neutral_300",
        checkbox_background_color_selected="*primary_700",
        checkbox_background_color_selected_dark="*primary_600",
    )
