"""Who reigned by the log of decisions, where some did not come to their move."""

import pytest

from semtok.tracking.decisions import PROMOTION, ROLLBACK, Move, reigns

FIRST, SECOND = Move(PROMOTION, None, "1"), Move(PROMOTION, "1", "2")
HELD, THIRD, BACK = (
    Move(PROMOTION, "2", "2"),
    Move(PROMOTION, "2", "3"),
    Move(ROLLBACK, "2", "1"),
)


@pytest.mark.parametrize(
    ("moves", "present", "found"),
    [
        ([FIRST, SECOND], "2", ["1", "2"]),
        ([FIRST, SECOND, THIRD], "2", ["1", "2"]),
        ([FIRST, SECOND, THIRD, THIRD], "2", ["1", "2"]),
        ([FIRST, SECOND, THIRD, HELD], "2", ["1", "2"]),
        ([FIRST, SECOND, BACK], "2", ["1", "2"]),
        ([FIRST, SECOND, BACK], "1", ["1"]),
        ([FIRST, SECOND], "7", ["1", "2"]),
        ([], "7", []),
    ],
    ids=[
        "all came to their move",
        "the last did not",
        "the last two did not",
        "one did not, and the next held back",
        "a roll-back did not",
        "a roll-back",
        "set by hand",
        "nothing decided",
    ],
)
def test_a_decision_that_did_not_come_to_its_move_is_passed_over(
    moves: list[Move], present: str, found: list[str]
) -> None:
    assert reigns(moves, present) == found
