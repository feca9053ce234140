"""A variant with clusters goes through the same loop as every variant."""

import json
from dataclasses import replace

import numpy as np
import torch

from semtok.train import checkpoint
from semtok.train.train import train


def test_it_trains_and_loads_again_and_costs_the_parameters_of_vit(arguments, tmp_path) -> None:
    given = arguments("grid")
    given["encoder"] = replace(given["encoder"], depth=2)
    clustered = given | {"variant": replace(given["variant"], clusters=2)}
    facts = []
    for name, each in (("vit", given), ("clusters", clustered)):
        train(**each, staging=tmp_path / name, resume=tmp_path / name / "resume")
        facts.append(json.loads((tmp_path / name / "training.json").read_text()))
    assert facts[0]["parameters"] == facts[1]["parameters"]
    assert facts[1]["flops_per_image"] < facts[0]["flops_per_image"]
    vit, loaded = (checkpoint.load(tmp_path / name) for name in ("vit", "clusters"))
    assert loaded.model.vision.clusters[0].count == 2
    rows = loaded.open_shards(given["val_shards"]).rows(np.arange(4))
    with torch.inference_mode():
        found, plain = (each.model.encode_image(each.collate(rows)) for each in (loaded, vit))
    assert not torch.allclose(found, plain)
