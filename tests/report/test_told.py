"""Who found what a variant is told, by the backends of its extractor and not by its name."""

from dataclasses import replace
from pathlib import Path

import pytest

from semtok import params_file
from semtok.params import ExtractionSettings, ExtractorSettings, VariantSettings
from semtok.report.told import told

PARAMS = params_file.load(Path(__file__).parents[2] / "params.yaml")
DETECTOR, RELATION_MODEL = "detector/small", "relation_model/small"


@pytest.mark.parametrize(
    ("masks", "scene_graphs", "models", "who"),
    [
        ("panoptic", "psg", ("images", "images"), "oracle"),
        ("instances", "geometry", ("images", "images"), "oracle"),
        ("instances", "relation_model", ("images", RELATION_MODEL), "oracle"),
        ("of_the_future", "geometry", ("images", "images"), "oracle"),
        ("detector", "geometry", (DETECTOR, "images"), "predicted"),
        ("detector", "relation_model", (DETECTOR, RELATION_MODEL), "predicted"),
        ("superpixels", "relation_model", ("images", RELATION_MODEL), "predicted"),
        ("superpixels", "geometry", ("images", "images"), "computed"),
        ("transformers", "geometry", ("images", "images"), "predicted"),
        ("sam2", "relation_model", ("images", RELATION_MODEL), "predicted"),
        ("transformers", "psg", ("images", "images"), "oracle"),
        ("instances", "visual_genome", ("images", "images"), "oracle"),
        ("superpixels", "visual_genome", ("images", "images"), "oracle"),
    ],
)
@pytest.mark.parametrize("name", ["annotated", "other"])
def test_the_backends_decide(masks, scene_graphs, models, who, name):
    reads = replace(PARAMS.token_shards["semantic-train"], reads=f"extraction/{name}-train")
    params = replace(
        PARAMS,
        extractors={name: ExtractorSettings(masks, scene_graphs)},
        extraction={f"{name}-train": ExtractionSettings(name, *models)},
        token_shards={**PARAMS.token_shards, "semantic-train": reads},
    )
    assert told(params, "semantic") == who
    assert told(params, "vit") == ""
    tokenizers = {"semantic": {"scheme": "grid_relations"}}
    for change, wanted in (
        ({"auxiliary": ("masks",)}, ""),
        ({"auxiliary": ("masks",), "key_mask": "foreground"}, who),
        ({"intangible": True}, who),
        ({"relation_bias": True}, who),
    ):
        variant = VariantSettings("semantic", patch_size=16, **change)
        beside = replace(params, tokenizers=tokenizers, variants={"beside": variant})
        assert told(beside, "beside") == wanted
