"""Who reigned by the log of decisions, where some did not come to their move."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        ([FIRST, SECOND, BACK, HELD], "2", ["1", "2"]),
        ([FIRST, SECOND, BACK, BACK], "1", ["1"]),
        ([FIRST, SECOND, BACK, THIRD], "3", ["1", "2", "3"]),
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
        "a roll-back did not, and the next held back",
        "a roll-back did not, and was asked for again",
        "a roll-back did not, and the next did",
        "a roll-back",
        "set by hand",
        "nothing decided",
    ],
)
def test_a_decision_that_did_not_come_to_its_move_is_passed_over(
    moves: list[Move], present: str, found: list[str]
) -> None:
    assert reigns(moves, present) == found


@given(st.lists(st.tuples(st.sampled_from(["1", "2", "3", None]), st.booleans())))
def test_any_decision_may_be_killed_before_its_move(asked: list[tuple[str | None, bool]]) -> None:
    """Each asks for a champion, or for a roll-back (None), and comes to its move or does not."""
    log, reigned = [Move(PROMOTION, None, "1")], ["1"]
    for wanted, killed in asked:
        if wanted:
            log.append(Move(PROMOTION, reigned[-1], wanted))
            then = reigned if wanted == reigned[-1] else [*reigned, wanted]
        elif len(reigned) > 1:
            log.append(Move(ROLLBACK, reigned[-1], reigned[-2]))
            then = reigned[:-1]
        else:
            continue
        reigned = reigned if killed else then
        assert reigns(log, reigned[-1]) == reigned
