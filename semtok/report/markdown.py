"""Tables in Markdown."""

from collections.abc import Collection, Sequence


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], left: Collection[str] | None = None
) -> str:
    """A table.

    Args:
        columns: their heads.
        rows: their cells.
        left: heads of the columns to the left; all others go to the right. Default: the first.
    """
    left = columns[:1] if left is None else left
    rules = [":--" if column in left else "--:" for column in columns]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, rules, *rows))
