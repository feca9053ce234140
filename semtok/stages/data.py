"""The stages that say what there is: files, and images with captions and splits."""

from pathlib import Path

from semtok.context import Context
from semtok.params import FETCHED
from semtok.report.summary import Summary, preview
from semtok.tables import read_table


def images(context: Context) -> Summary:
    """List the data set's files, which are generated, fetched or there already."""
    from semtok.data import files

    data = context.params.data
    if data.source == FETCHED and not files.is_made(data):
        from semtok.data.download.fetch import fetch

        root = context.root
        assert isinstance(root, Path), "what is fetched lies in the project"
        fetch(root, data.fetch, context.params.download.mirror, context.emit)
    files.images(context.workspace, context.params, context.staging, context.emit)
    table = read_table(context.staging / "files.parquet", files.FILES)
    return Summary({"files": table.num_rows}, preview(table))


def index(context: Context) -> Summary:
    """Say which images, captions and splits there are."""
    from semtok.data import index, indexing, leakage

    indexing.build(
        context.root, context.files(), context.params.data, context.staging, context.emit
    )
    images = {
        f"{split} images": index.split_images(context.staging, split)
        for split in context.params.data.splits
    }
    captions = read_table(context.staging / "captions.parquet", index.CAPTIONS)
    shared = {
        f"{each.source}'s images in {split}": getattr(each, split)
        for each in leakage.overlaps(context.root)
        for split in ("train", "test")
    }
    counts = {name: table.num_rows for name, table in images.items()}
    return Summary({**counts, "captions": captions.num_rows, **shared}, preview(captions))
