"""What counts as a control, of every study here; the same by a run's flat settings in MLflow."""

from dataclasses import asdict
from pathlib import Path

import pytest

from semtok import study
from semtok.report.controls import is_control
from semtok.tracking.lineage import flatten, unflattened

ROOT = Path(__file__).parents[2]

SYSTEMS = {
    "semantic_permuted",
    "vit_clusters_random",
    "vit_clusters_spatial",
    "vit_clusters_principal",
    "superpixels_voronoi",
    "superpixels_shape",
    "vit_objects",
}
SMALL = {
    "vit_reference",
    "vit_auxiliary",
    "regions_permuted_predicted",
    "vit_mask_map",
    "graph_only",
    "mask_map_only",
    "semantic_permuted",
}


@pytest.mark.parametrize(("size", "controls"), [("systems", SYSTEMS), ("small", SMALL)])
def test_the_controls_of_a_study_are_known_as_such(size: str, controls: set[str]) -> None:
    params = study.settings(ROOT, size)
    found, by_run = set(), set()
    for name, settings in params.variants.items():
        blocks = {"variant": asdict(settings), "tokenizer": params.tokenizers[settings.tokenizer]}
        if is_control(**blocks):
            found.add(name)
        flat = flatten(blocks)
        if is_control(unflattened(flat, "variant"), unflattened(flat, "tokenizer")):
            by_run.add(name)
    assert found == by_run
    assert found >= controls
    assert size == "small" or found == controls


@pytest.mark.parametrize(
    ("variant", "scheme", "control"),
    [
        ({"encoder": "secvit_tiny"}, "grid", False),
        ({"encoder": "clip_vision"}, "grid", True),
        ({"key_mask": "foreground"}, "grid_relations", False),
        ({}, "grid_relations", True),
        ({}, "grid", False),
    ],
)
def test_an_encoder_or_a_mask_of_its_own_makes_no_control(
    variant: dict[str, str], scheme: str, control: bool
) -> None:
    assert is_control(variant, {"scheme": scheme}) == control
