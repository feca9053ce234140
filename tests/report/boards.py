"""Leaderboards made from others."""

from dataclasses import replace

from semtok.bench import costs
from semtok.bench.leaderboard import Leaderboard
from semtok.bench.weights import Weights


def outside_board(board: Leaderboard, name: str) -> Leaderboard:
    """The same, but that one of its variants was trained elsewhere."""
    found = board.comparison
    rows = [
        replace(row, p=None, p_adjusted=None, verdict="outside") if row.variant == name else row
        for row in found.rows
    ]
    seeds = {each: count for each, count in found.seeds.items() if each != name}
    return replace(
        board,
        comparison=replace(found, rows=tuple(rows), seeds=seeds, outside=(name,)),
        costs={each: cost for each, cost in board.costs.items() if each != name},
        outside={name: costs.Encoding(costs.Parameters(800, 90, 0, 70, 1), 49.0, 4e9)},
        weights={name: Weights("CLIPModel", hub="openai/clip", revision="32bd64")},
    )
