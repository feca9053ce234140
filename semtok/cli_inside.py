"""The commands that look inside trained models: argument handling, as in `cli.py`."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from semtok.printing import Json, print_json

app = typer.Typer()


@app.command()
def artifacts(
    context: typer.Context,
    model: Annotated[
        str, typer.Argument(help="A trained variant, or a model of transformers: folder or hub id.")
    ],
    split: Annotated[str, typer.Option(help="Whose images it is shown.")] = "val",
    seed: Annotated[int, typer.Option(help="Which training of the variant.")] = 0,
    png: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the norms and the map of outliers.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Find tokens of outlying norm, where they are, and what they tell."""
    from semtok import inside
    from semtok.report.artifacts import lines

    found = inside.artifacts(context.obj, model, split, seed, png)
    if as_json:
        print_json(found.as_dict())
    else:
        typer.echo("\n".join(lines(found)))


class Part(StrEnum):
    """Of the last block's attention."""

    KEYS = "keys"
    QUERIES = "queries"
    VALUES = "values"


@app.command()
def lost(
    context: typer.Context,
    model: Annotated[
        str, typer.Argument(help="A trained variant, or a model of transformers: folder or hub id.")
    ],
    folder: Annotated[
        Path, typer.Argument(help="With VOC's Annotations and JPEGImages, or of images.")
    ],
    instances: Annotated[
        Path | None, typer.Option(metavar="FILE", help="COCO's boxes of the images in FOLDER.")
    ] = None,
    listed: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Names of those that are asked: COCO20k.")
    ] = None,
    features: Annotated[Part, typer.Option(help="What patches are compared by.")] = Part.KEYS,
    bias: Annotated[
        str, typer.Option(help="Of their products: none, centre, or a percentile.")
    ] = "centre",
    seed: Annotated[int, typer.Option(help="Which training of the variant.")] = 0,
    as_json: Json = False,
) -> None:
    """Find one object in each image by LOST, and say how many boxes are right (CorLoc)."""
    from semtok import inside

    asked = folder, instances, listed
    found = inside.discover(context.obj, model, *asked, features.value, bias, seed)
    if as_json:
        print_json(asdict(found))
    else:
        typer.echo(f"CorLoc {100 * found.corloc:.1f} %, {found.images} images, bias {found.bias:g}")
        typer.echo(f"whole images: {100 * found.floor:.1f} %")


@app.command()
def saliency(
    context: typer.Context,
    model: Annotated[
        str, typer.Argument(help="A trained variant, or a model of transformers: folder or hub id.")
    ],
    images: Annotated[
        Path, typer.Argument(help="Folder laid out as ECSSD, DUTS-TE or DUT-OMRON, or of images.")
    ],
    masks: Annotated[
        Path | None, typer.Option(help="Folder of the masks, where IMAGES has images alone.")
    ] = None,
    features: Annotated[Part, typer.Option(help="What tokens are compared by.")] = Part.KEYS,
    tau: Annotated[
        float, typer.Option(min=-1, max=1, help="The cosine above which two are alike.")
    ] = 0.2,
    seed: Annotated[int, typer.Option(help="Which training of the variant.")] = 0,
    png: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw six images and their masks.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Segment what is salient in each image by TokenCut, and say how well the masks fit."""
    from semtok import inside

    found = inside.saliency(context.obj, model, images, masks, features.value, tau, seed, png)
    if as_json:
        of_image = {name: each._asdict() for name, each in found.of_image.items()}
        print_json({**asdict(found), "floor": found.floor._asdict(), "of_image": of_image})
        return
    for what, each, more in (
        ("masks", found, f", max F {100 * found.max_f:.1f} %; {found.images} images, tau {tau:g}"),
        ("whole images", found.floor, ""),
    ):
        scores = {"F": each.f, "IoU": each.iou, "accuracy": each.accuracy}
        told = ", ".join(f"{name} {100 * score:.1f} %" for name, score in scores.items())
        typer.echo(f"{what}: {told}{more}")


@app.command()
def attention(
    context: typer.Context,
    variants: Annotated[list[str], typer.Argument(help="Trained ones, whose patches tell masks.")],
    split: Annotated[str, typer.Option(help="Whose images they are shown.")] = "val",
    seed: Annotated[int, typer.Option(help="Which training of each.")] = 0,
    png: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw heat maps side by side.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say how much attention falls on patches that no mask covers, and draw heat maps."""
    from semtok import inside

    found = inside.attention(context.obj, variants, split, seed, png)
    if as_json:
        print_json(found)
        return
    for name, shares in found.items():
        told = ", ".join(f"{each.replace('_', ' ')} {share:.4f}" for each, share in shares.items())
        typer.echo(f"{name}: {told or 'no image has any background'}")


@app.command()
def budget(
    context: typer.Context,
    variant: Annotated[str, typer.Argument(help="A trained one with gates.")],
    split: Annotated[str, typer.Option(help="Whose images it is shown.")] = "val",
    seed: Annotated[int, typer.Option(help="Which training.")] = 0,
    png: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw which tokens of four images are left.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a variant with gates keeps within each budget, and how long that takes."""
    from semtok import inside

    found = inside.budget(context.obj, variant, split, seed, png)
    if as_json:
        print_json([asdict(each) for each in found])
        return
    typer.echo("budget   tokens left   MFLOPs   ms an image")
    for each in found:
        share = f"{100 * each.budget:5.0f} %   {100 * each.share:9.1f} %"
        typer.echo(f"{share}   {each.flops / 1e6:6.1f}   {each.milliseconds:11.3f}")


@app.command()
def clusters(
    context: typer.Context,
    variant: Annotated[str, typer.Argument(help="A trained one with clusters, or a SECViT.")],
    png: Annotated[Path, typer.Argument(metavar="FILE", help="The picture.")],
    split: Annotated[str, typer.Option(help="Whose images they are.")] = "val",
    seed: Annotated[int, typer.Option(help="Which training.")] = 0,
) -> None:
    """Draw the clusters that attention stays within, by block or stage, over four images."""
    from semtok import inside

    inside.clusters(context.obj, variant, split, seed, png)
    typer.echo(f"written to {png}")


@app.command()
def explore(
    context: typer.Context,
    named: Annotated[
        str, typer.Argument(metavar="IMAGE|SPLIT", help="A split, an image's id, or its file.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the page goes, in place of an older one.")
    ] = Path("explore"),
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve it on loopback until Ctrl-C.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a page to turn: masks, relations, attention and nearest captions, image by image."""
    from semtok import inside
    from semtok.report.explorer import server

    found = inside.explore(context.obj, named, out.absolute())
    if as_json:
        print_json({**asdict(found), "page": str(found.page)})
    else:
        typer.echo(found.page)
    if serve:
        with server.serving(found.page.parent) as address:
            typer.echo(f"{address} (Ctrl-C ends it)", err=True)
            server.wait()
