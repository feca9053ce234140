"""`semtok explore`: images of a data set on a page, with what was found and what variants see."""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from semtok import pipeline
from semtok.data import files
from semtok.data.index import IMAGES, SPLITS, split_images
from semtok.errors import SemtokError, UnreadableImageError
from semtok.events import Emit, Message, ignore
from semtok.params import Params
from semtok.remote import AnyPath
from semtok.report.explorer import set_aside
from semtok.report.explorer.captions import Captions
from semtok.report.explorer.extractions import Extraction
from semtok.report.explorer.page import ENTRIES, MARK, Image, Page
from semtok.report.explorer.views import View, Viewer
from semtok.tables import read_table
from semtok.workspace import Workspace, publish, stage_key

#: Stages whose artifacts of a split list what they set aside of its images, in order.
_SIEVES = ("masks", "scene_graphs", "token_shards")


@dataclass(frozen=True)
class Explored:
    """What was written.

    Attributes:
        page: the HTML file.
        images: how many it shows.
        variants: whose views it has.
        left_out: variant -> why it has no views.
    """

    page: Path
    images: int
    variants: tuple[str, ...]
    left_out: dict[str, str]


def explore(
    workspace: Workspace, params: Params, named: str, folder: Path, emit: Emit = ignore
) -> Explored:
    """Write a page of images, with what was found in them and what trained variants make of them.

    Args:
        workspace: with the index; what else it has of these images is shown.
        params: all settings.
        named: a split, the id of an image, or an image file, of the data set or not.
        folder: of the page; one that this function wrote is replaced whole.
        emit: told of progress.

    Raises:
        SemtokError: there is no such split or image, nothing was made of its images yet, or the
            folder holds something else.
    """
    _check_ours(folder)
    split, images = _images(workspace, params, named)
    of_data = [each.image_id for each in images if each.image_id is not None]
    extractions = _extractions(workspace, params, split) if of_data else {}
    trained = [name for name in params.variants if workspace.find("checkpoint", name)]
    if not extractions and not trained:
        raise SemtokError(
            f"{named}: nothing was extracted from {split} yet and no variant is trained; run "
            f"masks@{next(iter(params.extractors))}-{split} or a checkpoint first"
        )
    index = workspace.input("index")
    captions = Captions.of(index, split_images(index, split)["image_id"].to_pylist())
    state = folder.parent / f".{folder.name}.partial"
    with publish(folder, state) as staging:
        title = f"{params.data.name}, {split}" if len(images) > 1 else images[0].name
        page = Page(staging, title, images, emit)
        aside = set_aside.read(dict(_sieves(workspace, params, split)), index, of_data)
        page.add_images(extractions, captions, aside)
        left_out = {name: "is not trained" for name in params.variants if name not in trained}
        shown = []
        for name in trained:
            try:
                _add_variant(page, workspace, params, name, split, captions, emit)
                shown.append(name)
            except SemtokError as error:
                left_out[name] = str(error)
                emit(Message(f"{name}: left out: {error}"))
        page.finish(_notes(params, split, shown, left_out, of_data))
    shutil.rmtree(state, ignore_errors=True)
    return Explored(folder / "index.html", len(images), tuple(shown), left_out)


def _images(workspace: Workspace, params: Params, named: str) -> tuple[str, list[Image]]:
    """The split whose captions are near, and the images to show."""
    index, root = workspace.input("index"), files.root(workspace, params.data)
    if named in params.data.splits:
        rows = split_images(index, named).to_pylist()
        if not rows:
            raise SemtokError(f"{named}: the index has no image of this split")
        return named, [_image(root, row) for row in rows]
    table = read_table(index / "images.parquet", IMAGES)
    path = Path(named).resolve()
    if named.isdecimal():
        ids = table["image_id"].cast(pa.string())  # what is typed may exceed any integer
        rows = table.filter(pc.equal(ids, named.lstrip("0") or "0")).to_pylist()
    else:
        folder = root.resolve() if isinstance(root, Path) else None
        inside = folder and path.is_relative_to(folder)
        name = path.relative_to(folder).as_posix() if folder and inside else ""
        # Names of files are bytes, and not always text.
        rows = table.filter(
            pc.equal(table["path"].cast(pa.binary()), os.fsencode(name))
        ).to_pylist()
    if rows:
        splits = read_table(index / "splits.parquet", SPLITS)
        own = splits.filter(pc.equal(splits["image_id"], rows[0]["image_id"]))
        return own["split"][0].as_py(), [_image(root, rows[0])]
    if path.is_file():
        return params.bench.splits[-1], [_outside(path)]
    raise SemtokError(
        f"{named}: no split ({', '.join(params.data.splits)}), no id of an image of "
        f"{params.data.name} (0..{pc.max(table['image_id'])}), and no file; name one of them"
    )


def _image(root: AnyPath, row: dict[str, object]) -> Image:
    name, width, height = str(row["path"]), row["width"], row["height"]
    return Image(row["image_id"], root / name, name, (width, height))  # type: ignore[arg-type]


def _outside(path: Path) -> Image:
    """An image that is not of the data set."""
    from semtok.report import overlay

    try:
        height, width = overlay.read(path).shape[:2]
    except UnreadableImageError as error:  # whose remedy is that of an image of the data set
        raise SemtokError(f"{path}: {error.reason}; name another file") from None
    name = os.fsencode(path.name).decode("utf-8", "replace")
    return Image(None, path, name, (width, height))


def _extractions(workspace: Workspace, params: Params, split: str) -> dict[str, Extraction]:
    found = {}
    for name in params.extractors:
        partition = f"{name}-{split}"
        if masks := workspace.find("masks", partition):
            graphs = workspace.find("scene_graphs", partition)
            found[partition] = Extraction(masks, graphs)
    return found


def _sieves(workspace: Workspace, params: Params, split: str) -> Iterator[tuple[str, Path]]:
    stages = pipeline.stages()
    for name in _SIEVES:
        for partition in stages[name].partitions(params) or []:
            folder = workspace.find(name, partition)
            if folder and partition.rpartition("-")[2] == split:
                yield stage_key(name, partition), folder


def _add_variant(
    page: Page,
    workspace: Workspace,
    params: Params,
    name: str,
    split: str,
    captions: Captions,
    emit: Emit,
) -> None:
    seed = params.train.seeds[0]
    tokenizer = params.variants[name].tokenizer
    partition = f"{tokenizer}-{split}"
    viewer = Viewer(workspace.input("checkpoint", name) / f"seed-{seed}", captions, emit)
    reads = params.token_shards[partition].reads.removeprefix("extraction/")
    tokens = viewer.open(workspace.input("token_shards", partition))

    def view(images: Sequence[Image]) -> list[View | None]:
        if images[0].image_id is None:
            return [viewer.view_file(each.source) for each in images]
        views = tokens.view([each.image_id for each in images if each.image_id is not None])
        return [views.get(each.image_id or 0) for each in images]

    page.add_variant(name, tokenizer, "" if reads == "images" else reads, view)


def _notes(
    params: Params, split: str, shown: Sequence[str], left_out: dict[str, str], of_data: list[int]
) -> list[str]:
    notes = [f"Captions are those of {split}, each text once."]
    if shown:
        notes.append(f"Views are those of the training of seed {params.train.seeds[0]}.")
    if not of_data:
        notes.append("The image is not of the data set: nothing was extracted from it.")
    return notes + [f"{name}: not here: {reason}" for name, reason in left_out.items()]


def _check_ours(folder: Path) -> None:
    """Refuse to replace what `semtok explore` did not write."""
    if not folder.exists():
        return
    found = sorted(each.name for each in folder.iterdir()) if folder.is_dir() else [folder.name]
    if not found:
        return
    page = folder / "index.html"
    ours = page.is_file() and MARK in page.read_text(encoding="utf-8", errors="replace")
    # People put notes beside a page: the folder is replaced whole only if nothing else is in it.
    foreign = [name for name in found if not ours or name not in ENTRIES]
    if foreign:
        raise SemtokError(
            f"{folder}: holds something that semtok explore did not write ({foreign[0]}); "
            "name another --out"
        )
