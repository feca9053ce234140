"""Which of the processes that torchrun started this one is; alone where it started none."""

import os


def rank() -> int:
    """This process's number, 0 where it is alone."""
    return int(os.environ["RANK"]) if _launched() else 0


def count() -> int:
    """How many processes train together."""
    return int(os.environ["WORLD_SIZE"]) if _launched() else 1


def leads() -> bool:
    """Whether it is this process that writes, reports and talks to trackers."""
    return rank() == 0


def _launched() -> bool:
    # Other launchers set ranks as well, for programs that are no concern of ours.
    return "TORCHELASTIC_RUN_ID" in os.environ
