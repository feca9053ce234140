"""What the commands beside `semtok run` do; each returns what the command line prints."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semtok import params as settings
from semtok import pipeline, progress
from semtok.errors import SemtokError
from semtok.params import Params
from semtok.workspace import Workspace

if TYPE_CHECKING:
    from semtok.bench.artifacts import Artifacts
    from semtok.bench.discovery import Discovered, Features
    from semtok.comparing import Compared

#: Exit status of `semtok promote` where a rule held the candidate back: no error, and no success.
HELD_BACK = 3

#: Images of an artifact report: enough for 16,384 tokens of 64 patches each.
_EXAMINED = 256

#: Images of a picture of clusters.
_DRAWN = 4


def compare(
    root: Path, names: Sequence[str], page: Path | None = None, publish: bool = False
) -> "Compared":
    """Compare what was scored with the first that is named.

    Args:
        root: the project's folder.
        names, page, publish: as of `comparing.compare`.

    Raises:
        SemtokError: as of `comparing.compare`.
    """
    from semtok import comparing

    params, workspace = _open(root)
    return comparing.compare(workspace, params, names, page, publish)


def report(root: Path, size: str, source: Path | None = None) -> Path:
    """Write `docs/study.md` from what a study has published so far; `study_NAME.yaml` has its own.

    Args:
        root, size, source: as of `study.write`.

    Returns:
        The page; its pictures lie in a folder beside it.

    Raises:
        SemtokError: there is no such size, or no variant of it was scored.
    """
    from semtok import study
    from semtok.report.study import page, published

    params = study.settings(root, size, source)
    path = root / "docs" / f"{study.file_of(root, size).stem}.md"
    page.write(published.read(Workspace(root, params.data.name), params, size), path)
    return path


def predict(
    root: Path,
    variant: str,
    seed: int,
    images: Sequence[Path],
    texts: Sequence[str],
    found: Path | None,
) -> dict[str, Any]:
    """Embed images and captions with a trained variant, or let a classifier name classes.

    Args:
        root: the project's folder.
        variant: a trained one.
        seed: which of its trainings.
        images: I files.
        texts: T captions; none, and a classifier says how likely its classes are.
        found: JSON file of the masks and relations of each image, for variants that need them.

    Returns:
        images [I, P], texts [T, P] and similarities [I, T], as lists; without captions the names
        of classes [C] and their probabilities [I, C].

    Raises:
        SemtokError: no such training, an input cannot be read, or masks are needed and missing.
    """
    from semtok import predict as prediction

    params, workspace = _open(root)
    _check_variant(params, variant)
    folder = _training(params, workspace, variant, seed)
    masks, relations = prediction.read_found(found) if found else (None, None)
    if texts:
        result = prediction.predict(folder, images, texts, masks, relations)
        return {name: values.tolist() for name, values in vars(result).items()}
    named = prediction.classify(folder, images, masks, relations)
    return {"classes": list(named.classes), "probabilities": named.probabilities.tolist()}


def artifacts(
    root: Path, model: str, split: str, seed: int, picture: Path | None = None
) -> "Artifacts":
    """Report on the patch tokens of a model, on the first 256 images of a split.

    Args:
        root: the project's folder.
        model: a trained variant; or a vision transformer of transformers, by its folder (absolute
            or in the project) or its id on the hub.
        split: train, val, test or novel.
        seed: which training of a variant.
        picture: the `.png` file to draw besides; None: none.

    Raises:
        SemtokError: there is no such model, training or split, or an image cannot be read.
    """
    from semtok.bench import artifacts as bench
    from semtok.bench import patch_models

    params, workspace = _open(root)
    _check_split(params, split)
    if model in params.variants:
        shards = workspace.input("token_shards", f"{params.variants[model].tokenizer}-{split}")
        folder = _training(params, workspace, model, seed)
        batches = patch_models.of_variant(folder, shards, _EXAMINED)
    else:
        from semtok.bench.image_files import ImageFiles
        from semtok.data import files

        indexed = workspace.input("index")
        shown = ImageFiles(files.root(workspace, params.data), indexed, split)
        batches = patch_models.HubModel(_named(root, model)).read(shown, _EXAMINED)
    found = bench.examine(batches)
    if picture:
        from semtok.report import artifacts as report

        report.draw(found, model, picture)
    return found


def discover(
    root: Path, model: str, voc: Path, features: "Features", bias: str, seed: int
) -> "Discovered":
    """Find an object in each image of a VOC folder by LOST, and score the boxes.

    Args:
        root, model, seed: as of `artifacts`; a variant of the tokenizer grid.
        voc: the folder, with Annotations and JPEGImages.
        features: of the last block: keys, queries or values.
        bias: none, centre or a percentile (`semtok.bench.lost.gram_bias`).

    Raises:
        SemtokError: there is no such model or rule, or a file cannot be read.
    """
    from semtok.bench import discovery, patch_models
    from semtok.data.voc import read

    params, workspace = _open(root)
    images = read(voc)
    if model in params.variants:
        reader = discovery.reader_of_variant(_training(params, workspace, model, seed))
    else:
        reader = discovery.reader_of_hub(patch_models.HubModel(_named(root, model)))
    return discovery.discover(reader, images, features, bias)


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

    params, workspace = _open(root)
    _check_split(params, split)
    found, looks = {}, {}
    for name in variants:
        _check_variant(params, name)
        folder = _training(params, workspace, name, seed)
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


def transmit(root: Path, variant: str, seed: int, steps: int, folder: Path) -> dict[str, Any]:
    """Send test images over a channel, ranked by the attention of a trained variant.

    Args:
        root: the project's folder.
        variant: a trained one, of patches.
        seed: which of its trainings.
        steps: of training each link.
        folder: to write table and pictures into.

    Returns:
        The folder, and the rows of the table by name of a column.

    Raises:
        SemtokError: no such training, or a variant of other tokens.
    """
    from semtok import transmit as sending
    from semtok.train.transmission import Recipe

    params, workspace = _open(root)
    _check_variant(params, variant)
    tokenizer = params.variants[variant].tokenizer
    with progress.bars("transmit") as emit:
        table = sending.transmit(
            _training(params, workspace, variant, seed),
            workspace.input("token_shards", f"{tokenizer}-train"),
            workspace.input("token_shards", f"{tokenizer}-test"),
            workspace.input("index"),
            Recipe(steps, params.train.batch_size, seed=seed),
            folder,
            emit,
        )
    return {"folder": str(folder), "rows": table.to_pylist()}


def sync(root: Path) -> dict[str, Any]:
    """Create the MLflow runs and registered versions that are missing.

    Raises:
        SemtokError: the tracking server does not answer.
    """
    from semtok.tracking import sync as tracking

    _, workspace = _open(root)
    with progress.bars("sync") as emit:
        return tracking.sync(workspace, emit).as_dict()


def promote(root: Path, variant: str) -> dict[str, Any]:
    """Make a variant the registered champion if every rule of `promotion` lets it through.

    Raises:
        SemtokError: the variant is unknown or not registered, or the server does not answer.
    """
    from semtok.tracking import promotion

    params, workspace = _open(root)
    _check_variant(params, variant)
    return promotion.promote(workspace.data, variant, params.bench, params.promotion).as_dict()


def rollback(root: Path) -> dict[str, Any]:
    """Make the champion before this one the champion again.

    Raises:
        SemtokError: there was none, or the server does not answer.
    """
    from semtok.tracking import rollback as tracking

    params, workspace = _open(root)
    return tracking.rollback(workspace.data, params.promotion).as_dict()


def clusters(root: Path, variant: str, split: str, seed: int, png: Path) -> None:
    """Draw the clusters of some images of a split, those of each block's first head.

    Args:
        root: the project's folder.
        variant: a trained one with clusters.
        split: whose token shards are there.
        seed: which training.
        png: the picture.

    Raises:
        SemtokError: the variant is unknown, has no clusters, or was not trained with that seed.
    """
    import numpy as np

    from semtok.models.cluster_maps import cluster_maps
    from semtok.models.encoder import VisualTokenEncoder
    from semtok.report import clusters as report
    from semtok.tokens.rows import PixelRows, RelatedPixelRows
    from semtok.train import checkpoint

    params, workspace = _open(root)
    _check_variant(params, variant)
    if params.variants[variant].clusters is None:
        with_some = [name for name, each in params.variants.items() if each.clusters]
        raise SemtokError(
            f"{variant}: has no clusters; those that have: {', '.join(with_some) or 'none'}"
        )
    _check_split(params, split)
    trained = checkpoint.load(_training(params, workspace, variant, seed))
    tokenizer = params.variants[variant].tokenizer
    shards = trained.open_shards(workspace.input("token_shards", f"{tokenizer}-{split}"))
    # Spread out, as siblings lie side by side.
    rows = shards.rows(np.linspace(0, len(shards) - 1, min(_DRAWN, len(shards))).astype(np.int64))
    assert isinstance(rows, PixelRows | RelatedPixelRows), "clusters are of patches"
    assert isinstance(trained.model.vision, VisualTokenEncoder), "others have no such clusters"
    maps = cluster_maps(trained.model.vision, trained.collate(rows))[:, :, 0]
    report.draw(rows.pixels[..., :3], rows.image_ids.tolist(), maps.numpy(), png)


def card(root: Path, version: str) -> dict[str, Any]:
    """Write a registered model's card into MLflow.

    Raises:
        SemtokError: there is no such version, it has no scores, or the server does not answer.
    """
    from semtok.tracking import card as tracking

    _, workspace = _open(root)
    return asdict(tracking.write(workspace.data, version))


def lineage(root: Path, version: str) -> dict[str, Any]:
    """Trace a registered version, or an artifact by its key, back to the source images.

    Raises:
        SemtokError: there is no such version or artifact, or the server does not answer.
    """
    from semtok.tracking import lineage as tracking
    from semtok.tracking import registry

    params, workspace = _open(root)
    if version.isdecimal() or version == registry.CHAMPION:
        return registry.lineage(workspace.data, version)
    pipeline.parse_key(version, params)
    return tracking.trace(workspace, version).as_dict()


def _open(root: Path) -> tuple[Params, Workspace]:
    params = settings.load(root / "params.yaml")
    return params, Workspace(root, params.data.name)


def _training(params: Params, workspace: Workspace, variant: str, seed: int) -> Path:
    folder = workspace.input("checkpoint", variant) / f"seed-{seed}"
    if not folder.exists():
        raise SemtokError(f"{folder}: no such training; train.seeds has {params.train.seeds}")
    return folder


def _named(root: Path, model: str) -> str:
    """A folder in the project, or what is named as it stands."""
    return str(root / model) if (root / model).exists() else model


def _check_split(params: Params, name: str) -> None:
    if name not in params.data.splits:
        raise SemtokError(f"{name}: no such split; there are {', '.join(params.data.splits)}")


def _check_variant(params: Params, name: str) -> None:
    if name not in params.variants:
        raise SemtokError(f"{name}: no such variant; there are {', '.join(params.variants)}")
