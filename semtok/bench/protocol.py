"""The protocol of the comparison (docs/protocol.md), as far as code has to know it."""

#: Named on every leaderboard; raised with every change of what a number means.
VERSION = "0.6"

#: Trainings per variant below which nothing is claimed.
SEEDS_FOR_A_CLAIM = 5


def label(seeds: int) -> str:
    """What a comparison has to be called: empty where a claim may rest on it.

    Args:
        seeds: trainings of the variant that has the fewest.
    """
    if seeds >= SEEDS_FOR_A_CLAIM:
        return ""
    counted = "1 seed" if seeds == 1 else f"{seeds} seeds"
    return f"smoke run ({counted}; a claim needs {SEEDS_FOR_A_CLAIM})"
