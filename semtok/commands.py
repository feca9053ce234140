"""What the commands beside `semtok run` do; each returns what the command line prints."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semtok import params_file, pipeline, progress
from semtok.errors import SemtokError
from semtok.params import Params
from semtok.workspace import Workspace

if TYPE_CHECKING:
    from semtok.comparing import Compared
    from semtok.extract.raw import RawExtractor

#: Exit status of `semtok promote` where a rule held the candidate back: no error, and no success.
HELD_BACK = 3


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

    params, workspace = open_project(root)
    return comparing.compare(workspace, params, names, page, publish)


def report(root: Path, size: str, source: str | None = None) -> Path:
    """Write `docs/study.md` from what a study has published so far; `study_NAME.yaml` has its own.

    Args:
        root, size, source: as of `study.settings`.

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
        found: JSON file of the masks and relations of each image, for variants that need them;
            without one they are found by the variant's extractor, where that reads pixels alone.

    Returns:
        images [I, P], texts [T, P] and similarities [I, T], as lists; without captions the names
        of classes [C] and their probabilities [I, C].

    Raises:
        SemtokError: no such training, an input cannot be read, or masks are needed and missing.
    """
    from semtok import given
    from semtok import predict as prediction

    params, workspace = open_project(root)
    check_variant(params, variant)
    folder = training_of(params, workspace, variant, seed)
    masks, relations = given.read_found(found) if found else (None, None)
    extractor = None if found else _extractor_of(params, workspace, variant)
    if texts:
        result = prediction.predict(folder, images, texts, masks, relations, extractor, root)
        return {name: values.tolist() for name, values in vars(result).items()}
    named = prediction.classify(folder, images, masks, relations, extractor, root)
    return {"classes": list(named.classes), "probabilities": named.probabilities.tolist()}


def _extractor_of(params: Params, workspace: Workspace, variant: str) -> "RawExtractor | None":
    """The extractor of a variant's tokens; None where it has none, or repeats annotations."""
    from semtok.extract import raw

    tokenizer = params.variants[variant].tokenizer
    reads = params.token_shards[f"{tokenizer}-{params.data.splits[0]}"].reads
    if reads == "images":
        return None
    extraction = params.extraction[reads.removeprefix("extraction/")]
    extractor = params.extractors[extraction.extractor]
    if not raw.reads_pixels(extractor):
        return None
    found = {"masks": extraction.masks, "scene_graphs": extraction.scene_graphs}
    models = {
        stage: None if model == "images" else workspace.input(*model.split("/"))
        for stage, model in found.items()
    }
    return raw.RawExtractor(extractor, models, workspace.root)


def sync(root: Path) -> dict[str, Any]:
    """Create the MLflow runs and registered versions that are missing.

    Raises:
        SemtokError: the tracking server does not answer.
    """
    from semtok.tracking import sync as tracking

    _, workspace = open_project(root)
    with progress.bars("sync") as emit:
        return tracking.sync(workspace, emit).as_dict()


def promote(root: Path, variant: str) -> dict[str, Any]:
    """Make a variant the registered champion if every rule of `promotion` lets it through.

    Raises:
        SemtokError: the variant is unknown or not registered, or the server does not answer.
    """
    from semtok.tracking import promotion
    from semtok.tracking.alone import deciding

    params, workspace = open_project(root)
    check_variant(params, variant)
    with progress.bars("promote") as emit, deciding(workspace, emit):
        return promotion.promote(workspace.data, variant, params.bench, params.promotion).as_dict()


def rollback(root: Path) -> dict[str, Any]:
    """Make the champion before this one the champion again.

    Raises:
        SemtokError: there was none, or the server does not answer.
    """
    from semtok.tracking import rollback as tracking
    from semtok.tracking.alone import deciding

    params, workspace = open_project(root)
    with progress.bars("rollback") as emit, deciding(workspace, emit):
        return tracking.rollback(workspace.data, params.promotion).as_dict()


def card(root: Path, version: str) -> dict[str, Any]:
    """Write a registered model's card into MLflow.

    Raises:
        SemtokError: there is no such version, it has no scores, or the server does not answer.
    """
    from semtok.tracking import card as tracking

    _, workspace = open_project(root)
    return asdict(tracking.write(workspace.data, version))


def lineage(root: Path, version: str) -> dict[str, Any]:
    """Trace a registered version, or an artifact by its key, back to the source images.

    Args:
        root: the project's folder.
        version: as of `registered.is_version`, else `STAGE@PARTITION`.

    Raises:
        SemtokError: there is no such version or artifact, or the server does not answer.
    """
    from semtok.tracking import lineage as tracking
    from semtok.tracking import registered

    params, workspace = open_project(root)
    if registered.is_version(version):
        return registered.lineage(workspace.data, version)
    pipeline.parse_key(version, params)
    return tracking.trace(workspace, version).as_dict()


def open_project(root: Path) -> tuple[Params, Workspace]:
    """The settings of a project, and where its artifacts are."""
    params = params_file.load(root / "params.yaml")
    return params, Workspace(root, params.data.name)


def training_of(params: Params, workspace: Workspace, variant: str, seed: int) -> Path:
    """The folder of one training of a variant.

    Raises:
        SemtokError: there is none.
    """
    folder = workspace.input("checkpoint", variant) / f"seed-{seed}"
    if not folder.exists():
        seeds = ", ".join(map(str, params.train.seeds))
        raise SemtokError(f"{folder}: no such training; train.seeds has {seeds}")
    return folder


def check_split(params: Params, name: str) -> None:
    """Refuse what is no split, by a SemtokError."""
    if name not in params.data.splits:
        raise SemtokError(f"{name}: no such split; there are {', '.join(params.data.splits)}")


def check_variant(params: Params, name: str) -> None:
    """Refuse what is no variant, by a SemtokError."""
    if name not in params.variants:
        raise SemtokError(f"{name}: no such variant; there are {', '.join(params.variants)}")
