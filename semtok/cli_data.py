"""The commands about data from elsewhere: argument handling, as in `cli.py`."""

from pathlib import Path
from typing import Annotated

import typer

from semtok.printing import Json, print_json

app = typer.Typer(help="Fetch data from elsewhere, and say what of it is there.")

Sources = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SOURCE[/PART]]...", help="Default: data.fetch of params.yaml."),
]
Root = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="The data root; default: that of params.yaml."),
]

#: Exit status of `semtok data check` where something is missing or damaged.
INCOMPLETE = 3


@app.command()
def fetch(context: typer.Context, sources: Sources = None, root: Root = None) -> None:
    """Fetch what is not there yet, and go on where the last time broke off."""
    from semtok import fetching

    typer.echo(fetching.fetch(context.obj, sources or [], root and root.absolute()))


@app.command()
def check(
    context: typer.Context, sources: Sources = None, root: Root = None, as_json: Json = False
) -> None:
    """Say what is there, missing or damaged (exit status 3), and how data sets overlap."""
    from semtok import fetching

    result = fetching.check(context.obj, sources or [], root and root.absolute())
    if as_json:
        print_json(result)
    else:
        typer.echo(result["root"])
        for each in result["files"]:
            line = f"{each['state']:8} {each['source']}: {each['file']}: {each['what']}"
            typer.echo(f"{line}; {each['remedy']}" if each["remedy"] else line)
        if result["passed_over"]:
            folders = ", ".join(result["passed_over"])
            typer.echo(f"not read: {folders}; the other edition has the same images, and is there")
        if result["overlaps"]:
            typer.echo("\nImages of COCO, by Karpathy's split")
            typer.echo(f"{'':16}{'images':>8}{'train':>8}{'val':>8}{'test':>8}")
        for each in result["overlaps"]:
            counts = (f"{each[name]:8,}" for name in ("images", "train", "val", "test"))
            typer.echo(f"{each['source']:16}{''.join(counts)}")
    if any(each["state"] != "there" for each in result["files"]):
        raise typer.Exit(INCOMPLETE)


@app.command()
def sources(
    root: Annotated[Path, typer.Option(metavar="DIR", help="The data root.")] = Path("ROOT"),
    as_json: Json = False,
) -> None:
    """List all sources: files, sizes, licences, and what to get by hand and put where."""
    from rich.filesize import decimal

    from semtok import fetching

    found = fetching.sources(root)
    if as_json:
        print_json(found)
        return
    for number, each in enumerate(found):
        if number == 0 or each["source"] != found[number - 1]["source"]:
            typer.echo(f"{each['source']} ({each['licence']})")
        size = "" if each["bytes"] is None else f", {decimal(each['bytes'])}"
        typer.echo(f"  {each['file']}{size}")
        if each["by_hand"]:
            typer.echo(f"    {each['by_hand']}")
