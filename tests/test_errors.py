"""Errors say on one line what was found, what is accepted and what to do."""

from __future__ import annotations

import pickle

import pytest

from deblur_demo import errors
from deblur_demo.errors import CheckpointError, DeblurError, InputError, LimitError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, DeblurError)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_message_has_three_parts_on_one_line(kind):
    error = kind("a.png is\n  torn", "JPEG or PNG", "Save it again")
    assert str(error) == "a.png is torn. Accepted: JPEG or PNG. Save it again."
    assert (error.found, error.accepted, error.action) == ("a.png is\n  torn", "JPEG or PNG", "Save it again")
    assert isinstance(error, DeblurError)


def test_there_is_a_kind_for_each_thing_a_person_can_act_on():
    assert {kind.__name__ for kind in KINDS} == {
        "DeblurError",
        "InputError",
        "LimitError",
        "SettingError",
        "CheckpointError",
        "DeviceError",
        "OutputError",
    }


def test_a_limit_is_a_fault_of_the_input_and_weights_are_not():
    assert issubclass(LimitError, InputError)
    assert not issubclass(CheckpointError, InputError)


def test_an_error_crosses_a_process_boundary():
    """Workers of a data loader and of a GPU queue hand errors back pickled."""
    error = LimitError("90 megapixels", "up to 60", "Scale it down")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is LimitError and str(again) == str(error) and again.accepted == "up to 60"
