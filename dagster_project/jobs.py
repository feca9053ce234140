"""Jobs that let DVC decide what runs: the whole line, one new variant, the nightly rescoring."""

from collections.abc import Iterator, Sequence
from contextlib import suppress

from dagster import (
    Config,
    Failure,
    JobDefinition,
    OpExecutionContext,
    ScheduleDefinition,
    job,
    op,
)
from pydantic import Field

from dagster_project import dvc
from dagster_project.line import BeingWrittenError, Line
from dagster_project.outside import Event, report
from semtok import pipeline
from semtok.workspace import stage_key


class Variant(Config):
    """Which model to make."""

    variant: str = Field(description="A name under `variants` in params.yaml.")


def line_jobs(line: Line) -> list[JobDefinition]:
    """The jobs; each is one run of `dvc repro` whose results show as materializations."""

    @op(out={}, pool=dvc.POOL, description="`dvc repro`: all that is out of date, in order.")
    def bring_up_to_date(context: OpExecutionContext):  # type: ignore[no-untyped-def]
        yield from _repro(context, line, [])

    @op(
        out={},
        pool=dvc.POOL,
        description="`dvc repro` of one variant's scores, and of the leaderboard alone.",
    )
    def train_and_rank(context: OpExecutionContext, config: Variant):  # type: ignore[no-untyped-def]
        if config.variant not in line.params.variants:
            known = ", ".join(line.params.variants)
            raise Failure(
                f"params.yaml: variants: there is no {config.variant!r}; there are {known}. "
                "A variant that was just added shows after a reload of the code location",
                allow_retries=False,
            )
        yield from _repro(context, line, [f"scores@{config.variant}"])
        yield from _rank(context, line)

    @op(
        out={}, pool=dvc.POOL, description="`dvc repro` of the scores alone and of the leaderboard."
    )
    def score_and_rank(context: OpExecutionContext):  # type: ignore[no-untyped-def]
        trained = [partition for stage, partition in line.versions() if stage == "checkpoint"]
        scores = [f"scores@{variant}" for variant in trained]
        scores += [
            stage_key(*pipeline.scores_of(line.params, model))
            for model in line.params.outside_models
        ]
        if scores:  # without a target DVC would run all there is
            yield from _repro(context, line, ["--single-item", *scores])
        yield from _rank(context, line)

    @job(name="line", description="Brings the whole line up to date.")
    def whole_line() -> None:
        bring_up_to_date()

    @job(description="Trains and scores one variant; ranks where every one has scores.")
    def new_variant() -> None:
        train_and_rank()

    @job(
        description="Scores all that is trained, and ranks where every variant has scores; trains "
        "nothing."
    )
    def rescore() -> None:
        score_and_rank()

    return [whole_line, new_variant, rescore]


def nightly(rescore: JobDefinition) -> ScheduleDefinition:
    """Rescoring at night; off until someone turns it on."""
    return ScheduleDefinition(
        name="nightly_rescoring",
        job=rescore,
        cron_schedule="0 3 * * *",
        description="Keeps the leaderboard current where benchmarks or models change by day.",
    )


def _rank(context: OpExecutionContext, line: Line) -> Iterator[Event]:
    """Draw the leaderboard from the scores that there are; none where some are missing."""
    now = Line.load(line.root)  # the stage reads what stands there now
    known = now.versions()
    every = pipeline.stages()["leaderboard"].inputs(now.params, None)
    if missing := [name for stage, name in every if (stage, name) not in known]:
        context.log.warning(
            f"no leaderboard: there are no scores of {', '.join(map(str, missing))} yet; the job "
            "line makes them"
        )
        return
    yield from _repro(context, line, ["--single-item", "leaderboard"])


def _repro(context: OpExecutionContext, line: Line, arguments: Sequence[str]) -> Iterator[Event]:
    """Run DVC and show each stage's result as soon as the next stage starts."""
    run = dvc.Repro(context, line.root, arguments)
    with dvc.waiting(context):
        for _ in run.stages():
            with suppress(BeingWrittenError):  # the next stage's start, or the end, comes soon
                yield from report(context.instance, line, context.run_id, wait=False)
    yield from report(context.instance, line, context.run_id)
    if run.failure:
        raise Failure(run.failure, allow_retries=False)
