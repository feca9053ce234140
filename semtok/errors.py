"""The exceptions that people are meant to see, and what they are told of others."""

import sys


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


def told(error: Exception) -> str | None:
    """What people are told, in one line, of a fault that they can mend; None of any other.

    The others are bugs, of which a traceback says more: a module of semtok's own that is not there
    is one, a package that was not installed is none.
    """
    if isinstance(error, SemtokError):
        return str(error)
    if isinstance(error, OSError):  # those of one argument, and of requests, have a text alone
        reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
        return f"{error.filename or 'input or output'}: {reason}"
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        if package in ("", "semtok", "dagster_project", *sys.stdlib_module_names):
            return None
        return f"{package}: not installed, or in another version; {installing('line')}"
    kind = type(error)
    # By name, as torch takes longer to import than most commands work.
    if (kind.__module__, kind.__name__) == ("torch", "OutOfMemoryError"):
        asked = ". ".join(
            str(error).split(". ")[:2]
        )  # what follows is on settings of the allocator
        return (
            f"{asked}; lower train.batch_size where a variant is trained, elsewhere batch_size of "
            "what runs on the GPU (detector, relation model, backend), or end other programs there"
        )
    return None


def installing(extras: str) -> str:
    """What to type for what is not installed.

    Args:
        extras: of pyproject.toml, with commas between them.
    """
    # From the project's folder: nothing of this name is published.
    return f"pip install -c constraints.txt -e '.[{extras}]'"
