"""The commands that look inside: attention, artifacts, budgets, clusters, discovery and more."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from semtok.commands import check_split, check_variant, open_project, training_of
from semtok.errors import SemtokError

if TYPE_CHECKING:
    from semtok.bench.artifacts import Artifacts
    from semtok.bench.discovery import Discovered
    from semtok.bench.keeping import Taken
    from semtok.bench.segmentation import Segmented
    from semtok.bench.token_maps import Features
    from semtok.exploring import Explored
    from semtok.params import Params, VariantSettings

#: Images of a picture of what is salient.
_LOOKED_AT = 6

#: Images that are encoded within each budget.
_TIMED = 128


def artifacts(
    root: Path, model: str, split: str, seed: int, picture: Path | None = None
) -> "Artifacts":
    """Report on the output tokens of a model, on the first 256 images of a split.

    Args:
        root: the project's folder.
        model: a trained variant; or a vision transformer of transformers, by its folder (absolute
            or in the project) or its id on the hub.
        split: train, val, test or novel.
        seed: which training of a variant.
        picture: the `.png` file to draw besides; None: none.

    Raises:
        SemtokError: there is no such model, training or split, an image cannot be read, or the
            picture is to be no PNG.
    """
    from semtok.bench import artifacts as bench
    from semtok.bench import patch_models

    params, workspace = open_project(root)
    check_split(params, split)
    _check_picture(picture)
    if model in params.variants:
        shards = workspace.input("token_shards", f"{params.variants[model].tokenizer}-{split}")
        folder = training_of(params, workspace, model, seed)
        found = bench.of_training(folder, shards)
    else:
        from semtok.bench.image_files import ImageFiles
        from semtok.data import files

        indexed = workspace.input("index")
        shown = ImageFiles(files.root(workspace, params.data), indexed, split)
        found = bench.examine(
            patch_models.HubModel(_elsewhere(root, model, params)).read(shown, bench.IMAGES)
        )
    if picture:
        from semtok.report import artifacts as report

        report.draw(found, model, picture)
    return found


def attention(
    root: Path, variants: Sequence[str], split: str, seed: int, picture: Path | None = None
) -> dict[str, dict[str, float]]:
    """How much of their attention variants spend on patches that no mask covers.

    Args:
        root: the project's folder.
        variants: trained ones, whose tokens are those of one tokenizer where they are drawn.
        split, seed: as of `artifacts`.
        picture: the `.png` file of the first images' heat maps; None: none.

    Returns:
        For each variant the means of `semtok.bench.background.BACKGROUND`.

    Raises:
        SemtokError: as `artifacts`, or a variant's tokens tell no foreground.
    """
    from semtok.bench import background

    params, workspace = open_project(root)
    check_split(params, split)
    _check_picture(picture)
    found, looks = {}, {}
    for name in variants:
        check_variant(params, name)
        folder = training_of(params, workspace, name, seed)
        shards = workspace.input("token_shards", f"{params.variants[name].tokenizer}-{split}")
        table = background.measure({seed: folder}, {split: shards})
        if table is None:
            raise SemtokError(
                f"{name}: tells no foreground; name variants of a tokenizer of the scheme "
                "grid_relations, with encoder: tokens and without gates"
            )
        found[name] = background.means(table)
        looks[name] = background.heat_maps(folder, shards, images=4)
    if picture:
        from semtok.report import heat_maps

        heat_maps.draw(looks, picture)
    return found


def budget(
    root: Path, variant: str, split: str, seed: int, picture: Path | None = None
) -> "list[Taken]":
    """What gates keep of the first 128 images of a split within each budget, and the time taken.

    Args:
        root: the project's folder.
        variant: a trained one with gates.
        split, seed: as of `artifacts`.
        picture: the `.png` file of the first images' tokens; None: none.

    Raises:
        SemtokError: as `artifacts`, or the variant has no gates.
    """
    from semtok.bench import keeping
    from semtok.report import kept_tokens

    params, workspace = open_project(root)
    check_variant(params, variant)
    check_split(params, split)
    _check_picture(picture)
    settings = params.variants[variant]
    if settings.gates is None:
        some = [name for name, each in params.variants.items() if each.gates]
        raise SemtokError(f"{variant}: has no gates; {_those(some)}")
    shards = workspace.input("token_shards", f"{settings.tokenizer}-{split}")
    folder = training_of(params, workspace, variant, seed)
    taken, looked = keeping.measure(folder, shards, _TIMED), keeping.keep(folder, shards, 4)
    assert taken is not None and looked is not None, "it has gates"
    if picture:
        kept_tokens.draw(looked, settings.patch_size, picture)
    return taken


def discover(
    root: Path,
    model: str,
    folder: Path,
    instances: Path | None,
    listed: Path | None,
    features: "Features",
    bias: str,
    seed: int,
) -> "Discovered":
    """Find an object in each image of a folder by LOST, and score the boxes.

    Args:
        root, model, seed: as of `artifacts`; a variant of the tokenizer grid or superpixel.
        folder: with VOC's Annotations and JPEGImages; with `instances`, one of images.
        instances: a file of COCO's instances; None: boxes are VOC's.
        listed: names of some images of `instances`; None: all.
        features: of the last block: keys, queries or values.
        bias: none, centre or a percentile (`semtok.bench.lost.gram_bias`).

    Raises:
        SemtokError: there is no such model or rule, or a file cannot be read.
    """
    from semtok.bench import discovery, image_tokens, patch_models
    from semtok.data import coco_boxes, voc

    params, workspace = open_project(root)
    if listed and not instances:
        raise SemtokError(f"--listed {listed}: names images of --instances; give both")
    images = coco_boxes.read(folder, instances, listed) if instances else voc.read(folder)
    if model in params.variants:
        training = training_of(params, workspace, model, seed)
        reader = discovery.reader_of_files(image_tokens.reader(training, features))
    else:
        hub = patch_models.HubModel(_elsewhere(root, model, params))
        reader = discovery.reader_of_hub(hub, features)
    return discovery.discover(reader, images, bias)


def saliency(
    root: Path,
    model: str,
    images: Path,
    masks: Path | None,
    features: "Features",
    tau: float,
    seed: int,
    picture: Path | None = None,
) -> "Segmented":
    """Segment what is salient in each image of a folder by TokenCut, and score the masks.

    Args:
        root, model, seed: as of `artifacts`; a variant of the tokenizer grid or superpixel.
        images: a folder laid out as ECSSD, DUTS-TE or DUT-OMRON; with `masks`, one of images.
        masks: the folder of their masks; None: it is in `images`.
        features: of the last block: keys, queries or values.
        tau: of `semtok.bench.token_cut`.
        picture: the `.png` file of six images; None: none.

    Raises:
        SemtokError: there is no such model, or a file cannot be read, or as `artifacts`.
    """
    from semtok import progress
    from semtok.bench import image_tokens, patch_models, segmentation
    from semtok.data import salient

    params, workspace = open_project(root)
    _check_picture(picture)
    asked = salient.find(images) if masks is None else salient.pair(images, masks)
    if model in params.variants:
        folder = training_of(params, workspace, model, seed)
        reader = image_tokens.reader(folder, features)
    else:
        hub = patch_models.HubModel(_elsewhere(root, model, params))
        reader = segmentation.reader_of_hub(hub, features)
    with progress.bars("saliency") as emit:
        found = segmentation.segment(reader, asked, tau, emit)
    if picture:
        from semtok.report import saliency as report

        # Spread out, as siblings lie side by side.
        count = min(_LOOKED_AT, len(asked))
        some = [asked[number * len(asked) // count] for number in range(count)]
        report.draw([segmentation.look(reader, each, tau) for each in some], picture)
    return found


def _elsewhere(root: Path, model: str, params: "Params") -> str:
    """A folder, in the project or not, or an id on the hub.

    Raises:
        SemtokError: it can be neither, so that nobody has to be asked.
    """
    if (root / model).exists():
        return str(root / model)
    if "/" not in model:
        raise SemtokError(
            f"{model}: no variant (there are {', '.join(params.variants)}) and no folder; a model "
            "of the hub is named OWNER/NAME"
        )
    return model


def clusters(root: Path, variant: str, split: str, seed: int, png: Path) -> None:
    """Draw the clusters of some images of a split, those of a head of each block or stage.

    Args:
        root: the project's folder.
        variant: a trained one with clusters.
        split: whose token shards are there.
        seed: which training.
        png: the picture.

    Raises:
        SemtokError: the variant is unknown, has no clusters, or was not trained with that seed, or
            the picture is to be no PNG.
    """
    from semtok.report import clusters as report

    params, workspace = open_project(root)
    check_variant(params, variant)
    if not _clustered(params.variants[variant]):
        some = [name for name, each in params.variants.items() if _clustered(each)]
        raise SemtokError(f"{variant}: has no clusters; {_those(some)}")
    check_split(params, split)
    _check_picture(png)
    tokenizer = params.variants[variant].tokenizer
    shards = workspace.input("token_shards", f"{tokenizer}-{split}")
    report.draw_training(training_of(params, workspace, variant, seed), shards, png)


def explore(root: Path, named: str, folder: Path) -> "Explored":
    """Write a page of a split's images, or of one image.

    Args:
        root: the project's folder.
        named, folder: as of `exploring.explore`.

    Raises:
        SemtokError: as of `exploring.explore`.
    """
    from semtok import exploring, progress

    params, workspace = open_project(root)
    with progress.bars("explore") as emit:
        return exploring.explore(workspace, params, named, folder, emit)


def _clustered(variant: "VariantSettings") -> bool:
    """Whether attention stays within clusters, as in some stages of every SECViT."""
    return variant.clusters is not None or variant.encoder.startswith("secvit")


def _those(names: Sequence[str]) -> str:
    return f"those that have: {', '.join(names) or 'none'}"


def _check_picture(path: Path | None) -> None:
    """Refuse what pictures cannot be written as, before work starts."""
    if path and path.suffix.lower() != ".png":
        raise SemtokError(f"{path}: pictures are PNGs; give it a name that ends in .png")
