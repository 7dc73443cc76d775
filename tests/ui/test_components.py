"""Inputs of the page: what a visitor sends comes to the handlers as it is, who can say what is wrong with it."""

from __future__ import annotations

import gradio as gr
import pytest

from deblur_demo.ui import page
from deblur_demo.ui.components import Choice, Choices, Knob

CHECKED_BY_THE_LIBRARY = gr.Dropdown, gr.CheckboxGroup, gr.Slider


@pytest.fixture(scope="module")
def blocks(tmp_path_factory) -> list[gr.blocks.Block]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        return list(page.build().blocks.values())


def test_no_input_of_the_page_refuses_a_value_before_its_handler_sees_it(blocks):
    inputs = [block for block in blocks if isinstance(block, CHECKED_BY_THE_LIBRARY)]
    assert len(inputs) > 20 and all(isinstance(block, Choice | Choices | Knob) for block in inputs)
    assert {block.get_block_name() for block in inputs} == {"dropdown", "checkboxgroup", "slider"}
    for block in inputs:
        for sent in (None, 250, "own:gone"):  # an emptied field, one being typed in, weights that went meanwhile
            if isinstance(block, Choices):
                assert block.preprocess(sent and [sent]) == ([sent] if sent else [])
            else:
                assert block.preprocess(sent) == sent
