"""An image of one grey is blank, whatever its mask map is."""

import json
import shutil

import numpy as np
import pyarrow as pa

from semtok.tables import read_metadata, read_table
from semtok.tokens import shards
from semtok.tokens.rows import PixelRows
from tests.checks.test_suites import judge

_KEY = "token_shards@grid-val"


def test_a_grey_image_with_a_mask_map_is_blank(line, tmp_path):
    artifact = tmp_path / _KEY
    shutil.copytree(line / _KEY, artifact, copy_function=shutil.copyfile)
    for path in artifact.glob("*.arrow"):
        table = read_table(path, shards.pixels_schema(8))
        ids = table["image_id"].to_numpy().copy()  # its file is written anew
        flat = table["pixels"].combine_chunks().flatten().to_numpy()
        pixels = flat.reshape(-1, 8, 8, 3).copy()
        pixels[ids == 104] = 77
        levels = np.random.default_rng(0).choice([0, 127, 255], (len(ids), 8, 8, 1))
        rows = PixelRows(ids, np.concatenate([pixels, levels], axis=3).astype(np.uint8))
        tokens = json.loads(read_metadata(path)[shards.TOKENS])
        schema = shards.pixels_schema(8, channels=4)
        shards.write(path, schema, rows if len(ids) else None, (), tokens, "fingerprint")
        assert pa.ipc.open_file(str(path)).schema.field("pixels").type.list_size == 8 * 8 * 4
    red = [each for each in judge(_KEY, artifact, line) if not each.passed]
    assert [each.name for each in red] == ["share_blank"]
    assert "1 of 60, first image_id=104" in str(red[0].example)
