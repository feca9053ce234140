"""A little line with something of everything for `semtok explore` to show. For tests to import."""

from pathlib import Path

import pyarrow as pa

from semtok import params_file, pipeline
from semtok.data.index import CAPTIONS, split_images
from semtok.tables import REJECTED, read_table, write_table
from semtok.workspace import Workspace
from tests import small_line
from tests.report.test_comparison_page import HOSTILE


def build(root: Path) -> Path:
    """Train it, without scores; after that damage a picture, and make a caption hostile."""
    document = small_line.own()
    document["tokenizers"]["superpixel"] = {"scheme": "superpixel", "image_size": 128}
    document["variants"] |= {
        "superpixels": {"tokenizer": "superpixel"},
        "gates": document["variants"]["vit"]
        | {"gates": {"block": 1, "temperature": 3.0, "weight": 0.3, "count": "tokens"}},
        "later": dict(document["variants"]["vit"]),
    }
    for split in ("train", "val", "test"):
        reads = {"tokenizer": "superpixel", "reads": "images"}
        document["token_shards"][f"superpixel-{split}"] = reads
    document = small_line.shrunk(document)
    document["data"]["settings"]["scenes"] |= {"val": 36}
    document["train"] |= {"seeds": [0]}
    for variant in ("vit", "gates", "later"):
        document["variants"][variant]["patch_size"] = 8
    workspace = small_line.start(root, document)
    params = params_file.load(workspace.root / "params.yaml")
    trained = ["vit", "semantic", "superpixels", "gates"]
    wanted = [("checkpoint", name) for name in trained]
    tokens = {params.variants[name].tokenizer for name in trained}
    wanted += [("token_shards", f"{name}-test") for name in tokens]
    for key in pipeline.upstream(params, *wanted):
        small_line.run(workspace.root, *key)
    _spoil(workspace)
    return workspace.root


def _spoil(workspace: Workspace) -> None:
    index = workspace.input("index")
    first, second = split_images(index, "val").slice(0, 2).to_pylist()
    (workspace.input("images") / second["path"]).write_bytes(b"no picture")
    captions = read_table(index / "captions.parquet", CAPTIONS)
    rows = captions.to_pylist()
    next(row for row in rows if row["image_id"] == first["image_id"])["caption"] = HOSTILE
    write_table(index / "captions.parquet", pa.Table.from_pylist(rows, CAPTIONS.columns), CAPTIONS)
    row = ("0.parquet", first["image_id"], 77, "annotations/x.json", "empty")
    table = pa.table([[each] for each in row], schema=REJECTED.columns)
    write_table(workspace.input("masks", "annotated-val") / "rejected.parquet", table, REJECTED)
