"""The leaderboard as text."""

import io
from dataclasses import replace

import pyarrow as pa
import pytest
from rich.console import Console

from semtok.bench import costs
from semtok.bench.cases import CASES
from semtok.bench.comparison import compare
from semtok.bench.leaderboard import Leaderboard
from semtok.report.leaderboard import render, write
from tests.bench.conftest import valued_cases
from tests.report.boards import outside_board


def shown(board, parts=False):
    console = Console(width=100, file=io.StringIO())
    console.print(render(board, parts))
    return console.file.getvalue()


def test_it_fits_into_100_columns(board):
    lines = shown(board).splitlines()
    assert max(map(len, lines)) <= 100
    # A row that does not fit would be broken: each variant stands once a metric, note, cost, speed.
    assert "…" not in shown(board)
    assert sum("semantic_permuted" in line for line in lines) == 2 * 4 + 3


def test_it_has_no_word_of_parts_where_there_are_none(board):
    assert "part" not in shown(board)
    assert shown(board, parts=True) == shown(board)


def test_it_starts_with_what_it_is(board):
    lines = shown(board).splitlines()
    assert lines[0] == "Smoke run (1 seed; a claim needs 5)."
    assert lines[1].startswith("Protocol 0.6.")


def test_it_says_what_verdicts_rest_on(board):
    note = " ".join(" ".join(shown(board).splitlines()[4:7]).split())
    assert "by Holm's correction for the 2 variants of each metric." in note
    few = replace(board, comparison=replace(board.comparison, resamples=78))
    assert "78 resamples are too few for any: raise bench.bootstrap" in shown(few)
    enough = replace(board, comparison=replace(board.comparison, resamples=79))
    assert "too few" not in shown(enough)


def test_it_shows_points_gains_intervals_and_costs(board):
    text = shown(board)
    row = next(r for r in board.comparison.rows if (r.of.split, r.variant) == ("test", "semantic"))
    ends = f"{row.points.estimate:+.1f} [{row.points.low:+.1f}, {row.points.high:+.1f}]"
    assert f"{row.value.estimate:.1f} [{row.value.low:.1f}, {row.value.high:.1f}]" in text
    assert ends in text
    assert "better" in text and "worse" in text
    assert all(number in text for number in ("810,000", "100,000", "64.0", "55", "81 s", "0.001"))
    speeds = "vit 1,234, semantic 1,234, semantic_permuted 1,234."
    assert f"Images/s: in training, by the clock: {speeds}" in " ".join(text.split())


def test_it_shows_between_what_a_value_can_lie(board):
    lines = [" ".join(line.split()) for line in shown(board).splitlines()]
    assert lines.count("chance 0.1") == 2  # R@1 of both tasks: one answer among 1000 candidates
    assert lines.count("perfect observer 50.0") == 2  # one answer among two that are true


def test_the_terminal_shows_the_final_split_and_markdown_all(board, tmp_path):
    write(board, tmp_path / "leaderboard.md")
    markdown = (tmp_path / "leaderboard.md").read_text(encoding="utf-8")
    assert "retrieval, val" not in shown(board)
    assert "## retrieval, val: image to text, 20 cases" in markdown
    assert "## retrieval, test: image to text, 20 cases" in markdown
    rows = [line for line in markdown.splitlines() if line.startswith("| R@1 |")]
    assert len(rows) == 2 * 2 * 5
    assert {line.count("|") for line in rows} == {8}
    assert "p (Holm)" in markdown and "p (Holm)" not in shown(board)


def test_markdown_lists_the_parts_below_their_whole_and_the_terminal_if_asked(tmp_path):
    rows = [
        {
            "benchmark": "siblings",
            "split": "test",
            "task": task,
            "seed": 0,
            "case_id": number,
            "cluster_id": number,
            "rank": 1,
            "candidates": 4,
            "answers": 1,
            "truths": 1,
        }
        for task, count in (("text", 5), ("text/roles", 2), ("text/size", 3))
        for number in range(count)
    ]
    cases = pa.Table.from_pylist(rows, schema=CASES.columns)
    cost = costs.Costs(costs.Parameters(1, 1, 1, 1, 1), 1.0, 1.0, 1.0, 1.0)
    small = Leaderboard(compare({"vit": cases}, "vit", 10, 0.95), {"vit": cost})
    write(small, tmp_path / "leaderboard.md")
    lines = (tmp_path / "leaderboard.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("## ")] == [
        "## siblings, test: text, 5 cases",
        "## Costs",
    ]
    whole, part = lines.index("## siblings, test: text, 5 cases"), lines.index("By part:")
    named = [line.split("|")[1].strip() for line in lines if "| vit | 100.0" in line]
    assert named == ["R@1", "roles (2) R@1", "size (3) R@1"]
    assert whole < part < next(n for n, line in enumerate(lines) if "roles (2)" in line)
    assert "roles" not in shown(small)
    assert "These tasks have parts: --parts prints them, too." in shown(small)
    lines = [" ".join(line.split()) for line in shown(small, parts=True).splitlines()]
    assert not any("--parts" in line for line in lines)
    whole, part = lines.index("siblings, test: text, 5 cases"), lines.index("By part")
    assert whole < part < lines.index("roles (2) R@1 vit 100.0 [100.0, 100.0] baseline")
    assert lines.index("size (3) R@1 vit 100.0 [100.0, 100.0] baseline") < lines.index("Costs")
    assert "R@5" not in "".join(shown(small).splitlines()[3:])  # four candidates: R@1 alone tells


@pytest.fixture
def with_outside(board):
    """The board, on which one of the three was trained elsewhere."""
    return outside_board(board, "semantic_permuted")


def test_models_trained_elsewhere_are_told_apart(with_outside, tmp_path):
    text = " ".join(shown(with_outside).split())
    assert "Trainings (seeds): vit 1, semantic 1." in text
    assert "elsewhere and not under the protocol: semantic_permuted. Their points are no" in text
    write(with_outside, tmp_path / "leaderboard.md")
    lines = (tmp_path / "leaderboard.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if "| semantic_permuted |" in line]
    assert all(line.endswith("|  | outside |") for line in rows[:-1])
    assert rows[-1] == "| semantic_permuted | 49.0 | 800 | 90 | 0 | 4,000 |  |  |  |  |"
    assert max(map(len, shown(with_outside).splitlines())) <= 100
    assert "semantic_permuted is CLIPModel, openai/clip at commit 32bd64." in text
    assert any("openai/clip at commit 32bd64." in line for line in lines)


def test_means_of_values_are_explained_and_have_no_chance_nor_below_zero_a_gain(board, tmp_path):
    tables = {
        name: valued_cases({0: [level, level + 2.0]}, loss=True, task="sufficiency")
        for name, level in (("vit", -3.0), ("semantic", 4.0))
    }
    small = Leaderboard(compare(tables, "vit", 10, 0.95), board.costs)
    text = " ".join(shown(small).split())
    assert "mean loss: of the cases' values, in % (lower is better)" in text
    assert "mean:" not in text and "chance" not in text
    write(small, tmp_path / "leaderboard.md")
    lines = (tmp_path / "leaderboard.md").read_text(encoding="utf-8").splitlines()
    (row,) = (line for line in lines if line.startswith("| mean loss | semantic |"))
    assert [each.strip() for each in row.split("|")][3:6] == [
        "5.0 [4.0, 6.0]",
        "+7.0 [+7.0, +7.0]",
        "",
    ]


def test_nothing_is_below_zero_that_rounds_to_it(board):
    tables = {
        name: valued_cases({0: [-0.04, level]}, task="comprehensiveness")
        for name, level in (("vit", 0.0), ("semantic", -0.01))
    }
    text = shown(Leaderboard(compare(tables, "vit", 10, 0.95), board.costs))
    assert "0.0 [0.0, 0.0]" in text and "+0.0 [+0.0, +0.0]" in text
    assert "-0.0" not in text
