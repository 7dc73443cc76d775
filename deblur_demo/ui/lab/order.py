"""What the blur lab is asked for, by the page or by a program, checked before anything runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deblur_demo.errors import InputError
from deblur_demo.media.image import Photo, read_image
from deblur_demo.ui.lab import text as lab_text
from deblur_demo.ui.order import uploaded

if TYPE_CHECKING:
    from deblur_demo.lab import Shake


@dataclass(frozen=True)
class ShakeOrder:
    """A photo to shake.

    Attributes:
        photo: the uploaded file.
        shake: how.
    """

    photo: Path
    shake: Shake

    @classmethod
    def of(cls, photo: str | None, path: object, **knobs: object) -> ShakeOrder:
        """Check every value, wherever it came from.

        Args:
            photo: path of an uploaded file.
            path: points of the camera's path; None or empty: by lot.
            knobs: the other fields of ``lab.Shake``; None for the default.

        Raises:
            InputError: no photo, or it is gone.
            SettingError: a knob out of range, or no path.
        """
        from deblur_demo.lab import Shake

        if not photo:
            raise InputError(*lab_text.NO_PHOTO)
        given = {name: value for name, value in knobs.items() if value is not None}
        return cls(uploaded(photo), Shake(path=path or (), **given))

    def read(self) -> Photo:
        """The photo."""
        return read_image(self.photo)
