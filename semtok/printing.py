"""What all commands print for programs."""

import json
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def print_json(value: Any) -> None:
    """Print a plain value as JSON, keys sorted."""
    typer.echo(json.dumps(value, indent=2, sort_keys=True))
