"""Errors that a person can act on: what was found, what is accepted, what to do next."""


class DeblurError(Exception):
    """Base of every error this project raises on purpose.

    ``str(error)`` is one line, fit for a terminal, a toast on the page or an API answer.

    Args:
        found: what was found, as a clause without a full stop.
        accepted: what would have been accepted.
        action: what to do next, as an imperative.
    """

    def __init__(self, found: str, accepted: str, action: str):
        self.found, self.accepted, self.action = found, accepted, action
        super().__init__(" ".join(f"{found}. Accepted: {accepted}. {action}.".split()))

    def __reduce__(self) -> tuple:
        # Worker processes hand errors back pickled, and would rebuild them from the message alone.
        return type(self), (self.found, self.accepted, self.action)


class InputError(DeblurError):
    """A file or folder that cannot be read as what it should be."""


class LimitError(InputError):
    """An input beyond a budget: bytes, megapixels, frames."""


class SettingError(DeblurError):
    """A knob outside its range, or a name that does not exist."""


class CheckpointError(DeblurError):
    """Weights that are absent, damaged or made for another network."""


class DeviceError(DeblurError):
    """A device or precision that this machine does not have, or that ran out of memory."""


class OutputError(DeblurError):
    """A result that cannot be written: no space, no permission, an unknown format."""
