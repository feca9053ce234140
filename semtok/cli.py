"""The command `semtok`: argument handling and nothing else."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from semtok import cli_data, cli_inside
from semtok.errors import SemtokError, told
from semtok.events import Event, Message
from semtok.printing import Json, print_json

app = typer.Typer(
    name="semtok",
    help="Which visual tokens make the better image-text model?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(cli_data.app, name="data")
app.add_typer(cli_inside.app)  # at the end of the list of commands

_LIKELIEST = 5  # classes that `predict` prints of an image


@app.callback()
def options(
    context: typer.Context,
    project: Annotated[
        Path, typer.Option(help="Folder with params.yaml.", envvar="SEMTOK_PROJECT")
    ] = Path(),
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Which visual tokens make the better image-text model?"""
    context.obj = project.resolve()


@app.command()
def run(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="STAGE[@PARTITION]", help="e.g. checkpoint@vit")],
    as_json: Json = False,
    publish: Annotated[
        bool,
        typer.Option(
            "--publish", help="By hand, write what DVC keeps; `dvc commit -f` then records it."
        ),
    ] = False,
) -> None:
    """Run one stage. `dvc repro` calls this; by hand it writes to a scratch workspace."""
    from semtok import runner
    from semtok.train import processes

    by_dvc = os.environ.get("DVC_STAGE", "").rpartition(":")[2] == key
    folder = runner.run(key, context.obj, scratch=not (by_dvc or publish))
    if not processes.leads():
        return
    if as_json:
        print_json({"stage": key, "folder": str(folder)})
    elif not by_dvc:
        record = f"; dvc commit -f {key} records it" if publish else ""
        typer.echo(f"{key}: {folder}{record}")


@app.command()
def compare(
    context: typer.Context,
    variants: Annotated[
        list[str] | None,
        typer.Argument(
            help="Variants, models, versions (3, champion, semtok-scenes/3), runs:/ID; "
            "the first is the baseline; default: all variants and models."
        ),
    ] = None,
    as_json: Json = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a page with the cases where they differ."),
    ] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="Store the page in MLflow, with the champion.")
    ] = False,
    parts: Annotated[
        bool,
        typer.Option(
            "--parts", help="Print the parts of tasks, too, as all other forms have them."
        ),
    ] = False,
) -> None:
    """Print variants side by side: points, relative gain, paired intervals, costs."""
    from semtok import commands

    if as_json and as_markdown:
        raise SemtokError("--json and --markdown: choose one of them")
    if publish and not html:
        raise SemtokError("--publish: there is no page; write one with --html FILE")
    compared = commands.compare(context.obj, variants or [], html, publish)
    board = compared.board
    if as_json:
        print_json({**board.as_dict(), "link": compared.link, "published": compared.published})
    elif as_markdown:
        from semtok.report.leaderboard import in_markdown

        typer.echo(in_markdown(board), nl=False)
    elif html:
        typer.echo(html)
        if publish:
            typer.echo(compared.published)
    else:
        from rich.console import Console

        from semtok.report.leaderboard import render

        Console(width=None if sys.stdout.isatty() else 120).print(render(board, parts))
        if compared.link:
            typer.echo(f"\nIn MLflow: {compared.link}")


@app.command()
def study(
    context: typer.Context,
    size: Annotated[str, typer.Argument(help="One of the sizes in study.yaml or study_*.yaml.")],
    source: Annotated[
        str | None, typer.Option(help="The data's root, for a study of photographs.")
    ] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Write docs/study.md from its results instead.")
    ] = False,
) -> None:
    """Write params.yaml with the study's settings. `make study` runs them."""
    from semtok import commands
    from semtok import study as settings
    from semtok.remote import is_address

    if source and not is_address(source):
        source = str(Path(source).absolute())
    if report:
        typer.echo(commands.report(context.obj, size, source))
        return
    found = settings.write(context.obj, size, source, _print_message)
    count, recipe = len(found.variants), found.train
    typer.echo(
        f"params.yaml: study {size}, {count} variants, {count * recipe.trainings} trainings "
        f"({len(recipe.seeds)} seeds and {len(recipe.rates) - 1} more learning rates each)"
    )


@app.command()
def predict(
    context: typer.Context,
    images: Annotated[list[Path], typer.Argument(help="Image files.")],
    variant: Annotated[str, typer.Option(help="A trained variant.")],
    text: Annotated[
        list[str] | None,
        typer.Option(
            "--text", "-t", help="A caption; may be repeated. Classifiers name classes without."
        ),
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(help="JSON: per image its masks and relations (semantic).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Which training of the variant.")] = 0,
    as_json: Json = False,
) -> None:
    """Print how well images and captions fit, or of what class images are."""
    from semtok import commands

    result = commands.predict(context.obj, variant, seed, images, text or [], masks)
    if as_json:
        print_json(result)
    elif text:
        for image, row in zip(images, result["similarities"], strict=True):
            for caption, similarity in zip(text, row, strict=True):
                typer.echo(f"{similarity:+.3f}  {image.name}  {caption}")
    else:
        for image, row in zip(images, result["probabilities"], strict=True):
            likeliest = sorted(zip(row, result["classes"], strict=True), reverse=True)
            for probability, name in likeliest[:_LIKELIEST]:
                typer.echo(f"{100 * probability:5.1f} %  {image.name}  {name}")


@app.command()
def sync(context: typer.Context, as_json: Json = False) -> None:
    """Create the MLflow runs and registered versions that are missing."""
    from semtok import commands

    result = commands.sync(context.obj)
    print_json(result) if as_json else _print_fields(result)


@app.command()
def promote(
    context: typer.Context,
    variant: Annotated[str, typer.Argument(help="The candidate.")],
    as_json: Json = False,
) -> None:
    """Make a variant the champion if every rule lets it through; 3: some rule did not."""
    from semtok import commands

    result = commands.promote(context.obj, variant)
    print_json(result) if as_json else _print_decision(result)
    if result["held_back_by"]:
        raise typer.Exit(commands.HELD_BACK)


@app.command()
def rollback(context: typer.Context, as_json: Json = False) -> None:
    """Make the champion before this one the champion again."""
    from semtok import commands

    result = commands.rollback(context.obj)
    print_json(result) if as_json else _print_decision(result)


@app.command()
def card(
    context: typer.Context,
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="Its number, alias, or semtok-scenes/3.")
    ],
    as_json: Json = False,
) -> None:
    """Write a registered model's card into MLflow, and print it."""
    from semtok import commands

    result = commands.card(context.obj, version)
    print_json(result) if as_json else typer.echo(result["text"], nl=False)


@app.command()
def lineage(
    context: typer.Context,
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="Registered version, or STAGE@PARTITION.")
    ],
    as_json: Json = False,
) -> None:
    """Trace a model or a score back to its source images."""
    from semtok import commands

    result = commands.lineage(context.obj, version)
    if as_json:
        print_json(result)
    else:
        from rich import print as rich_print

        from semtok.tracking.lineage import render

        rich_print(render(result))


def main() -> None:
    """Entry point: a fault that people can mend is one line, not a traceback."""
    try:
        app()
    except Exception as error:
        line = None if "--debug" in sys.argv else told(error)
        if line is None:
            raise
        typer.echo(f"error: {line}", err=True)
        sys.exit(1)


def _print_message(event: Event) -> None:
    if isinstance(event, Message):
        typer.echo(event.text)


def _print_decision(value: dict[str, Any]) -> None:
    typer.echo(value["reason"])
    for rule in value["rules"]:
        typer.echo(
            f"{'passed' if rule['passed'] else 'HELD BACK'}: {rule['name']}: {rule['found']}"
        )
    for name in ("label", "champion", "challenger", "page", "log"):
        if value[name]:
            typer.echo(f"{name}: {value[name]}")


def _print_fields(value: dict[str, Any]) -> None:
    for name, each in value.items():
        typer.echo(f"{name}: {each if isinstance(each, str | int | float) else json.dumps(each)}")
