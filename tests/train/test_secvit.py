"""A SECViT goes through the same loop as every variant, with its batch norms."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from semtok.errors import SemtokError
from semtok.events import Progress
from semtok.tokens.rows import pack
from semtok.tokens.shards import pixels_schema, write
from semtok.train import checkpoint
from semtok.train.train import train


class KilledError(Exception):
    pass


@pytest.fixture(scope="module")
def given(arguments, tmp_path_factory):
    """Pictures of 32 pixels, the smallest that can be halved five times."""
    root = tmp_path_factory.mktemp("pictures")
    for split, first_id, count in (("train", 100, 40), ("val", 900, 20)):
        random = np.random.default_rng(first_id)
        ids = list(range(first_id, first_id + count))
        pictures = [random.integers(0, 256, (32, 32, 3), np.uint8) for _ in ids]
        tokens = {"scheme": "grid", "settings": {"image_size": 32}}
        rows = pack(ids, pictures, ())
        path = root / f"grid-{split}" / "000.arrow"
        write(path, pixels_schema(32), rows, (), tokens, split)
    made = arguments("grid", folder=root, steps=4, save_every=2)
    return made | {"variant": replace(made["variant"], encoder="secvit_tiny", patch_size=16)}


def test_a_training_that_was_killed_ends_as_one_that_was_not(given, tmp_path) -> None:
    def kill(event) -> None:
        if isinstance(event, Progress) and event.done == 3:
            raise KilledError

    train(**given, staging=tmp_path / "whole", resume=tmp_path / "one")
    with pytest.raises(KilledError):
        train(**given, staging=tmp_path / "resumed", resume=tmp_path / "two", emit=kill)
    train(**given, staging=tmp_path / "resumed", resume=tmp_path / "two")
    whole, resumed = (
        load_file(tmp_path / name / "model.safetensors") for name in ("whole", "resumed")
    )
    assert whole.keys() == resumed.keys()
    assert any("running_mean" in name for name in whole)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    loaded = checkpoint.load(tmp_path / "resumed")
    rows = loaded.open_shards(given["val_shards"]).rows(np.arange(3))
    with torch.inference_mode():
        found = loaded.model.encode_image(loaded.collate(rows))
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))


def test_it_reads_pixels_alone(arguments, tmp_path) -> None:
    made = arguments("grid_relations")
    wrong = made | {"variant": replace(made["variant"], encoder="secvit_tiny")}
    with pytest.raises(SemtokError, match=r"all that encoder: secvit_tiny reads.*tokenizer grid"):
        train(**wrong, staging=tmp_path, resume=tmp_path / "resume")
