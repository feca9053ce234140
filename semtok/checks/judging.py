"""Great Expectations at work: frames and expectations in, check results out."""

import math
from collections.abc import Mapping
from typing import Any

import great_expectations as gx
import polars as pl
from great_expectations.data_context.types.base import ProgressBarsConfig

from semtok.checks.rules import EXAMPLE, Suite, describe
from semtok.checks.verdict import CheckResult


class Judge:
    """Judges the summaries of one artifact after another."""

    def __init__(self) -> None:
        """Set Great Expectations up: in memory, without progress bars."""
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        asset = context.data_sources.add_pandas("semtok").add_dataframe_asset("summary")
        self._definition = asset.add_batch_definition_whole_dataframe("summary")

    def judge(self, frames: Mapping[str, pl.DataFrame], suite: Suite) -> list[CheckResult]:
        """Judge small frames, each by the expectations of the same name.

        Args:
            frames: the summaries of one artifact; a suite may know more kinds than it has.
            suite: expectations about columns; each bears the name of its column.

        Returns:
            One result an expectation, in the order of the suite.
        """
        results = []
        for name, frame in frames.items():
            expectations: list[Any] = list(suite[name])
            batch = self._definition.get_batch(batch_parameters={"dataframe": frame.to_pandas()})
            outcome = batch.validate(gx.ExpectationSuite(name=name, expectations=expectations))
            found = {_column(each): each for each in outcome.results}
            results += [_result(each, found[each.column], frame) for each in expectations]
        return results


def _column(outcome: Any) -> str:
    return str(outcome.expectation_config.kwargs["column"])


def _result(expectation: Any, outcome: Any, frame: pl.DataFrame) -> CheckResult:
    if "observed_value" not in outcome.result:
        # A mistake in a suite, such as a column that its summary lacks: no verdict on the data.
        raise RuntimeError(f"{expectation.column}: {outcome.exception_info}")
    value = outcome.result["observed_value"]
    observed = None if value is None or not math.isfinite(value) else value.item()
    return CheckResult(
        name=expectation.column,
        passed=bool(outcome.success),
        description=expectation.description,
        observed=observed,
        expected=_expected(expectation),
        example=None if outcome.success else _example(expectation.column, value, frame),
    )


def _expected(expectation: Any) -> str:
    if expectation.max_value is not None:
        return f"at most {expectation.max_value:g}"
    return f"at least {expectation.min_value:g}"


def _example(column: str, value: Any, frame: pl.DataFrame) -> str | None:
    """The summary's own example, or the row of the summary that holds the worst value."""
    if column + EXAMPLE in frame.columns:
        return frame[column + EXAMPLE].item()  # type: ignore[no-any-return]
    worst = frame.filter(pl.col(column) == value) if value is not None else frame
    return describe(worst.row(0, named=True)) if len(worst) else None
