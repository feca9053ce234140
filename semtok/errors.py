"""The exceptions that people are meant to see."""


class SemtokError(Exception):
    """What was wrong, where (file, field, row) and what to do, in one line.

    The command line prints its text alone; `--debug` adds the traceback.
    """


class UnreadableImageError(SemtokError):
    """An image that cannot be decoded, whatever is asked of it again.

    Attributes:
        reason: without the image's name.
    """

    def __init__(self, name: str, reason: str, remedy: str = "replace or remove it") -> None:
        """Name the image, the reason and what to do."""
        super().__init__(f"{name}: {reason}; {remedy}")
        self.reason = reason
