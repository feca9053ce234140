"""`params.yaml`: the project's own file is right, and a wrong one is told where and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from semtok.errors import SemtokError
from semtok.params_file import load
from semtok.parsing import parse

REPO = Path(__file__).parents[1]

DETECTOR = {
    "folds": 2,
    "seed": 0,
    "steps": 1,
    "batch_size": 1,
    "learning_rate": 0.1,
    "image_size": 64,
    "width": 8,
}


#: Right for `found-test` alone, once `run_detectors` has added the extractor.
JUDGED = {
    "extractor": "found",
    "masks": "detector/small",
    "scene_graphs": "images",
    "truth": "extraction/annotated-test",
}


SENT = {"variant": "vit", "tokenizer": "grid", "steps": 1}


def send(document: dict, **changes: object) -> None:
    """Add a transmission that is right but for the changes."""
    document["transmission"]["sent"] = SENT | changes


def patches_with_masks(document: dict, **changes: object) -> None:
    """Give `vit` patches that know which masks they are covered by."""
    document["tokenizers"]["grid"] = {
        "scheme": "grid_relations",
        "image_size": 128,
        "cell_size": 16,
        "max_masks": 8,
        "max_relations": 8,
    }
    document["variants"]["vit"] |= changes


def run_detectors(document: dict, *names: str) -> None:
    """Add detectors, and an extractor `found` that runs the first."""
    document["detectors"] = dict.fromkeys(names, DETECTOR)
    document["extractors"]["found"] = {"masks": "detector", "scene_graphs": "geometry"}
    reads = {"extractor": "found", "masks": f"detector/{names[0]}", "scene_graphs": "images"}
    document["extraction"] |= {f"found-{each}": dict(reads) for each in ("train", "val", "test")}


@pytest.fixture
def raw() -> dict:
    """The project's own settings."""
    return yaml.safe_load((REPO / "params.yaml").read_text())


@pytest.mark.parametrize(("written", "rate"), [("1", 1.0), ("5e-4", 5e-4), ("5.0e-4", 5e-4)])
def test_a_rate_may_be_written_as_people_write_numbers(tmp_path, raw, written, rate):
    raw["train"]["learning_rate"] = yaml.safe_load(written)  # of which 5e-4 is words to YAML
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(raw))
    assert load(path).train.learning_rate == rate


def test_a_detector_may_run_on_every_split(tmp_path, raw):
    run_detectors(raw, "small", "large")
    for split in ("train", "val", "test"):
        raw["token_shards"][f"semantic-{split}"]["reads"] = f"extraction/found-{split}"
    raw["extraction_scores"]["found-test"] = JUDGED
    assert load(write(tmp_path, raw)).extraction["found-val"].masks == "detector/small"


def write(folder: Path, document: object) -> Path:
    path = folder / "params.yaml"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return path


def test_the_projects_own_settings_are_right():
    params = load(REPO / "params.yaml")
    assert params.data.name == "scenes"
    assert params.bench.baseline in params.variants
    assert params.train.learning_rate == pytest.approx(1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.update(model={}), "model: unknown key; remove it or check its spelling"),
        (lambda p: p["data"].update(shard=4), "data.shard: unknown key"),
        (lambda p: p["variants"]["vit"].update(patch=16), "variants.vit.patch: unknown key"),
        (lambda p: p["train"].pop("steps"), "train.steps: missing; add it"),
        (lambda p: p.pop("bench"), "bench: missing; add it"),
        (
            lambda p: p["promotion"].update(metric=["retrieval/R@1"]),
            "promotion.metric: 'retrieval/R@1' is no score; write BENCHMARK/TASK/METRIC",
        ),
        (
            lambda p: p["promotion"].update(guards={"aro//R@1": 1}),
            "promotion.guards: 'aro//R@1' is no score",
        ),
        (
            lambda p: p["promotion"].update(metric=["a/b/R@1", "a/b/R@5"]),
            "promotion.metric: must be of one metric, since their mean counts",
        ),
        (
            lambda p: p["promotion"].update(minimum_gain=-1),
            "promotion.minimum_gain: input should be greater than or equal to 0",
        ),
        (lambda p: p["data"].update(shards="four"), "data.shards: input should be a valid integer"),
        (lambda p: p["data"].update(shards=2.5), "data.shards: input should be a valid integer"),
        (lambda p: p["data"].update(shards=0), "data.shards: input should be greater than 0"),
        (lambda p: p["workers"].update(ray="head"), "workers.ray: 'head' is no address of a Ray"),
        (lambda p: p["workers"].update(ray="head:six"), "workers.ray: 'head:six' is no address"),
        (lambda p: p["workers"].update(ray="head:65536"), "workers.ray: 'head:65536' is no addr"),
        (lambda p: p["workers"].update(ray="ray://head:1"), "workers.ray: 'ray://head:1' is no"),
        (lambda p: p["workers"].update(gpus=1.0), "workers.gpus: are of actors on a Ray cluster"),
        (lambda p: p["workers"].update(ray="local", gpus=1.5), "workers.gpus: must be whole above"),
        (lambda p: p["data"].update(rejected_share=2), "rejected_share: input should be less than"),
        (
            lambda p: p["text"].update(vocabulary=258),
            "text.vocabulary: must be 259 or more: the by",
        ),
        (lambda p: p["train"].update(warmup=-5), "train.warmup: input should be greater than"),
        (lambda p: p["train"].update(warmup=300), "train.warmup: must end before train.steps"),
        (lambda p: p["train"].update(weight_decay=float("nan")), "train.weight_decay: input"),
        (lambda p: p["bench"].update(confidence=1.0), "bench.confidence: input should be less"),
        (lambda p: p["bench"].update(confidence=0), "bench.confidence: input should be greater"),
        (lambda p: p["bench"].update(benchmarks=[]), "bench.benchmarks: list should have at"),
        (lambda p: p["train"].update(seeds=[]), "train.seeds: list should have at least 1 item"),
        (
            lambda p: p["train"].update(seeds=[0, 2**63]),
            "train.seeds.1: input should be less than 9223372036854775808",
        ),
        (
            lambda p: p["train"].update(seeds=[-1]),
            "train.seeds.0: input should be greater than or equal to 0",
        ),
        (
            lambda p: p["encoder"].update(mlp_ratio=float("inf")),
            "encoder.mlp_ratio: input should be less than inf",
        ),
        (lambda p: p["train"].update(seeds=3), "train.seeds: input should be a valid list"),
        (lambda p: p.update(encoder=[1]), "encoder: input should be a dictionary"),
        (lambda p: p["extractors"].update({"a-b": p["extractors"]["annotated"]}), "a-b: use"),
        (lambda p: p["extraction"].pop("annotated-val"), "extraction.annotated-val: missing"),
        (
            lambda p: p["extraction"].update({"x-val": p["extraction"]["annotated-val"]}),
            "extraction.x-val: no such extractor and split",
        ),
        (
            lambda p: p["extraction"]["annotated-val"].update(extractor="x"),
            "extraction.annotated-val.extractor: must be 'annotated'",
        ),
        (
            lambda p: p["extraction"]["annotated-val"].update(masks="detector/small"),
            "extraction.annotated-val.masks: must be images: the backend panoptic runs no model",
        ),
        (
            # True masks under the name of a detector's.
            lambda p: (
                p["detectors"].update(small=DETECTOR),
                p["extraction"]["annotated-val"].update(masks="detector/small"),
            ),
            "extraction.annotated-val.masks: must be images: the backend panoptic runs no model",
        ),
        (
            lambda p: p["extractors"]["annotated"].update(scene_graphs="relation_model"),
            "extraction.annotated-test.scene_graphs: must be a model that the backend "
            "relation_model runs: relation_model/NAME, with NAME in relation_models",
        ),
        (
            lambda p: (
                run_detectors(p, "small", "large"),
                p["extraction"]["found-val"].update(masks="images"),
            ),
            "extraction.found-val.masks: must be a model that the backend detector runs: "
            "detector/large, detector/small",
        ),
        (
            lambda p: (
                run_detectors(p, "small", "large"),
                p["extraction"]["found-val"].update(masks="detector/large"),
            ),
            "extraction.found-val.masks: must be what found-train reads, detector/small",
        ),
        (
            # It would learn from what it finds.
            lambda p: (
                p["detectors"].update(small=DETECTOR),
                p["extractors"]["annotated"].update(masks="detector"),
                [each.update(masks="detector/small") for each in p["extraction"].values()],
            ),
            "detectors: learn from the extractor 'annotated', which must be there and read images",
        ),
        (
            lambda p: p["extraction_scores"].update({"annotated-test": JUDGED}),
            "extraction_scores.annotated-test: must be a partition of extraction that reads a "
            "trained model, and not of train",
        ),
        (
            lambda p: (
                run_detectors(p, "small"),
                p["extraction_scores"].update({"found-train": JUDGED}),
            ),
            "extraction_scores.found-train: must be a partition of extraction",
        ),
        (
            lambda p: (
                run_detectors(p, "small"),
                p["extraction_scores"].update({"found-val": JUDGED}),
            ),
            "extraction_scores.found-val.truth: must be 'extraction/annotated-val'",
        ),
        (
            lambda p: (
                run_detectors(p, "small", "large"),
                p["extraction_scores"].update({"found-test": {**JUDGED, "masks": "images"}}),
            ),
            "extraction_scores.found-test.masks: must be 'detector/small'",
        ),
        (
            lambda p: send(p, variant="old"),
            "transmission.sent.variant: 'old' is not one of semantic, ",
        ),
        (lambda p: send(p, tokenizer="grey"), "transmission.sent.tokenizer: must be 'grid'"),
        (lambda p: send(p, seed=1), "transmission.sent.seed: must be one of train.seeds, 0"),
        *(
            (
                lambda p, change=change: (p["variants"]["vit"].update(change), send(p)),
                "transmission.sent.variant: 'vit' does not rank patches of RGB; name a variant "
                "with encoder: tokens, without gates, and a tokenizer of the scheme "
                "grid",
            )
            for change in (
                {"encoder": "clip_vision"},
                {"gates": {"block": 1}},
                {"tokenizer": "semantic", "patch_size": None},
            )
        ),
        (
            lambda p: p["transmission"].update({"a-b": {**SENT}}),
            "transmission.a-b: use letters, digits and _ only",
        ),
        (
            lambda p: p["detectors"].update(small={**DETECTOR, "folds": 1}),
            "detectors.small.folds: input should be greater than or equal to 2",
        ),
        (
            lambda p: p["detectors"].update(small={**DETECTOR, "image_size": 100}),
            "detectors.small.image_size: input should be a multiple of 32",
        ),
        (lambda p: p["detectors"].update({"a-b": DETECTOR}), "detectors.a-b: use"),
        (lambda p: p["token_shards"].pop("grid-val"), "token_shards.grid-val: missing"),
        (
            lambda p: p["token_shards"]["grid-val"].update(reads="index"),
            "token_shards.grid-val.reads: 'index' is not one of",
        ),
        (
            lambda p: p["token_shards"]["semantic-val"].update(reads="extraction/annotated-test"),
            "token_shards.semantic-val.reads: 'extraction/annotated-test' is not one of images, "
            "extraction/annotated-val",
        ),
        (
            lambda p: (
                run_detectors(p, "small"),
                p["token_shards"]["semantic-test"].update(reads="extraction/found-test"),
            ),
            "token_shards.semantic-test.reads: must be of the extractor that semantic-train reads, "
            "extraction/annotated-train",
        ),
        (
            lambda p: p["token_shards"]["grid-val"].update(tokenizer="semantic"),
            "token_shards.grid-val.tokenizer: must be 'grid'",
        ),
        (
            lambda p: p["corruption"].update(severities=[6]),
            "corruption.severities.0: input should be less than or equal to 5",
        ),
        (lambda p: p["corruption"].update(severities=[3, 3]), "corruption.severities: must not re"),
        (lambda p: p["corruption"].update(splits=["novel"]), "corruption.splits: must be some of"),
        (
            lambda p: p["variants"]["vit"].update(tokenizer="patches"),
            "variants.vit.tokenizer: 'patches' is not one of grid, semantic",
        ),
        (
            lambda p: p["bench"].update(checksums={"examples.jsonl": "0" * 64}),
            "bench.checksums.examples.jsonl: is no BENCHMARK/FILE of the data root",
        ),
        (
            lambda p: p["bench"].update(checksums={"winoground/examples.jsonl": "A" * 64}),
            "bench.checksums.winoground/examples.jsonl: 'AAAA",
        ),
        (
            lambda p: p["bench"].update(missing_share=1.5),
            "missing_share: input should be less than",
        ),
        (lambda p: p["bench"].update(baseline="vlt"), "bench.baseline: 'vlt' is no variant"),
        *(
            (
                lambda p, wrong=wrong: p["variants"]["vit"].update(patch_size=wrong),
                f"variants.vit.patch_size: input should be a number, not {wrong!r}",
            )
            for wrong in (True, "16")
        ),
        *(
            (
                lambda p, wrong=wrong: p["variants"]["semantic"].update(intangible=wrong),
                f"variants.semantic.intangible: input should be true or false, not {wrong!r}",
            )
            for wrong in ("yes", 1, 0.0, "true")
        ),
        (
            lambda p: p["train"].update(learning_rate=True),
            "train.learning_rate: input should be a number, not True",
        ),
        (
            lambda p: p["train"].update(seeds=[0, False]),
            "train.seeds.1: input should be a number, not False",
        ),
        (lambda p: p["data"].update(splits=["train", "test", "val"]), "data.splits: must be [tr"),
        (lambda p: p["data"].update(last_split="novel"), "last of data.splits, test"),
        (
            lambda p: p["data"].update(
                splits=["train", "val", "test", "novel"], last_split="novel"
            ),
            "token_shards.grid-novel: missing",
        ),
        (lambda p: p["bench"].update(splits=["val", "novel"]), "bench.splits: must be val, and"),
        (lambda p: p["variants"]["vit"].update(auxiliary=["masks"] * 2), "auxiliary: must not rep"),
        (
            lambda p: p["variants"]["vit"].update(relation_bias=True),
            "variants.vit.relation_bias: the tokenizer grid (grid) knows no relations; take",
        ),
        (
            lambda p: p["variants"]["vit"].update(neighbour_bias=True),
            "variants.vit.neighbour_bias: the tokenizer grid (grid) knows no nearest neighbours",
        ),
        (
            lambda p: p["variants"]["vit"].pop("patch_size"),
            "variants.vit.patch_size: missing",
        ),
        (
            lambda p: p["variants"]["vit"].update(patch_size=17),
            "variants.vit.patch_size: must divide the 128 pixels",
        ),
        (
            lambda p: p["variants"]["semantic"].update(patch_size=16),
            "variants.semantic.patch_size: the tokenizer semantic has no patches",
        ),
        (
            lambda p: p["variants"]["semantic_permuted"].update(
                intangible=False, relation_bias=False
            ),
            "variants.semantic_permuted.permute_relations: the variant is told no relations",
        ),
        (
            lambda p: p["tokenizers"]["semantic"].update(neighbours=0),
            "variants.semantic.neighbour_bias: neighbours of the tokenizer semantic is 0",
        ),
        (
            lambda p: p["variants"]["vit"].update(features="shape"),
            "variants.vit.features: shape leaves nothing of patches without a mask map",
        ),
        (
            lambda p: p["variants"]["vit"].update(features="none"),
            "variants.vit.features: none leaves patches nothing to tell images apart by; remove",
        ),
        (
            lambda p: p["variants"]["vit"].update(features="none", encoder="secvit_tiny"),
            "variants.vit.features: none leaves patches nothing to tell images apart by; remove",
        ),
        (
            lambda p: patches_with_masks(p, auxiliary=["relations"], relation_bias=True),
            "vit.auxiliary: predicts relations from patches that are not told them; take relation",
        ),
        (
            lambda p: patches_with_masks(p, patch_size=8),
            "variants.vit.patch_size: must be a multiple of the tokenizer's cell_size, 16",
        ),
        (
            lambda p: p["extractors"]["annotated"].update(settings={"panoptik": {}}),
            "extractors.annotated.settings.panoptik: 'panoptik' is not one of panoptic, psg",
        ),
        (
            lambda p: p["encoder"].update(depth=1),
            "variants.semantic.relation_bias: the last block has none; set encoder.depth",
        ),
        (
            lambda p: p["variants"]["semantic"].update(bias_mode="fixed", bias_value=float("inf")),
            "variants.semantic.bias_value: input should be less than inf",
        ),
        (
            lambda p: p["variants"]["vit"].update(bias_mode="head"),
            "variants.vit.bias_mode: the variant has no bias; switch on relation_bias",
        ),
        (
            lambda p: p["variants"]["semantic"].update(bias_mode="predicate", relation_bias=False),
            "variants.semantic.bias_mode: predicates have weights in relation_bias",
        ),
        (
            lambda p: p["variants"]["semantic"].update(bias_mode="fixed"),
            "variants.semantic.bias_value: must be stated where bias_mode is fixed",
        ),
        (
            lambda p: p["variants"]["semantic"].update(bias_value=1.0),
            "variants.semantic.bias_value: must be stated where bias_mode is fixed",
        ),
        (
            lambda p: (
                p["tokenizers"]["semantic"].update(scheme="semantic_features"),
                p["variants"]["semantic"].update(features="shape"),
            ),
            "variants.semantic.features: shape is the coverage of pixels, which semantic (sem",
        ),
        (
            lambda p: p["variants"]["semantic"].update(predicate_embedding="text"),
            "variants.semantic.predicate_embedding: text needs a frozen tower that reads; name a",
        ),
        (
            lambda p: p["variants"]["vit"].update(predicate_embedding="text"),
            "variants.vit.predicate_embedding: is of intangible tokens; switch on intangible",
        ),
        (
            lambda p: p["variants"]["semantic"].update(bias_mode="layer"),
            "variants.semantic.bias_mode: input should be 'fixed', 'scalar'",
        ),
        (
            lambda p: p["bench"].update(settings={"corloc": {"bias": "none"}}),
            "bench.settings.corloc: 'corloc' is not one of retrieval, siblings, sugar_crepe",
        ),
        (
            lambda p: p["variants"]["vit"].update(gates={"block": 4}),
            "variants.vit.gates.block: must be below encoder.depth, 4: the next block receives",
        ),
        (
            lambda p: p["variants"]["vit"].update(gates={"block": 2, "budgets": [0.0, 1.0]}),
            "variants.vit.gates.budgets.0: input should be greater than 0",
        ),
        (
            lambda p: p["variants"]["vit"].update(gates={"block": 2, "budgets": [0.9, 0.1]}),
            "variants.vit.gates.budgets: must be the least, then the most",
        ),
        (
            lambda p: p["variants"]["vit"].update(gates={"block": 2, "temperature": 0}),
            "variants.vit.gates.temperature: input should be greater than 0",
        ),
        (
            lambda p: p["variants"]["vit"].update(gates={"block": 2}, encoder="clip_vision"),
            "variants.vit.gates: the encoder clip_vision has none; take gates or encoder off",
        ),
        (
            lambda p: p["variants"]["vit"].update(gates={"block": 2}, clusters=4),
            "variants.vit.gates: leave too few tokens for equal clusters",
        ),
        (
            lambda p: p["variants"]["vit"].update(clusters=0),
            "variants.vit.clusters: input should be greater than 0",
        ),
        (
            lambda p: p["variants"]["vit"].update(clusters=3),
            "variants.vit.clusters: must divide the 64 patches of an image",
        ),
        (
            lambda p: p["variants"]["vit"].update(cluster_order="random"),
            "variants.vit.cluster_order: orders nothing; add clusters, or remove it",
        ),
        (
            lambda p: p["variants"]["semantic"].update(clusters=2),
            "variants.semantic.clusters: needs as many tokens of each image; take a tokenizer of",
        ),
        (
            lambda p: (
                p["tokenizers"]["grid"].update(scheme="grid_relations"),
                p["variants"]["vit"].update(clusters=4, relation_bias=True, intangible=True),
            ),
            "variants.vit.clusters: cuts through what relations join; take intangible, "
            "relation_bias off the variant",
        ),
        (
            lambda p: (
                p["tokenizers"]["grid"].update(scheme="grid_relations"),
                p["variants"]["vit"].update(clusters=4, key_mask="foreground"),
            ),
            "variants.vit.clusters: cuts all patches, whether a mask covers them; take key_mask",
        ),
        (
            lambda p: p["variants"]["vit"].update(clusters=4, encoder="clip_vision"),
            "variants.vit.clusters: is of encoder: tokens alone; encoder: clip_vision keeps",
        ),
        (
            lambda p: p["variants"]["vit"].update(tokenizer="semantic", encoder="secvit_t"),
            "variants.vit.encoder: secvit_t reads patches alone; take a tokenizer of the scheme",
        ),
        (
            lambda p: (
                p["tokenizers"]["grid"].update(image_size=144),
                p["variants"]["vit"].update(encoder="secvit_t"),
            ),
            "variants.vit.encoder: secvit_t halves the picture five times; take an image_size that "
            "32 divides",
        ),
        (
            lambda p: (p["variants"]["vit"].update(clusters=4), p["encoder"].update(depth=1)),
            "variants.vit.clusters: the last block has none; set encoder.depth to 2 or more",
        ),
        (
            lambda p: p["variants"]["vit"].update(keep_tokens=9),
            "variants.vit.keep_tokens: the tokenizer grid (grid) knows no superpixels",
        ),
        (
            lambda p: (
                p["tokenizers"]["grid"].update(scheme="superpixel"),
                p["variants"]["vit"].update(relation_bias=True),
            ),
            "variants.vit.relation_bias: the tokenizer grid (superpixel) knows no relations",
        ),
        (
            lambda p: p["variants"]["vit"].update(registers=-1),
            "variants.vit.registers: input should",
        ),
        (
            lambda p: p["variants"]["vit"].update(registers=4, encoder="clip_vision"),
            "variants.vit.registers: is of encoder: tokens alone; take it off, or encoder: clip",
        ),
        (
            lambda p: p["variants"]["vit"].update(key_mask="background"),
            "variants.vit.key_mask: input should be 'foreground'",
        ),
        (
            lambda p: p["variants"]["vit"].update(key_mask="foreground"),
            "variants.vit.key_mask: the tokenizer grid (grid) knows no patches with masks; take",
        ),
        (
            lambda p: p["variants"]["semantic"].update(key_mask="foreground"),
            "variants.semantic.key_mask: the tokenizer semantic (semantic) knows no patches with",
        ),
        (
            lambda p: p["variants"]["vit"].update(intangible=True),
            "variants.vit.intangible: the tokenizer grid (grid) knows no relations",
        ),
        (
            lambda p: p["models"].update(vit={"folder": "models/vit"}),
            "models.vit: a variant has that name",
        ),
        (
            lambda p: (
                p["models"].update(own={"folder": "models/own"}),
                p["remote_models"].update(own={"hub": "some/clip"}),
            ),
            "remote_models.own: a folder in models has that name",
        ),
        (
            lambda p: p["remote_models"].update(own={}),
            "remote_models.own: must have either hub or registered",
        ),
        (
            lambda p: p["remote_models"].update(own={"registered": "semtok-scenes/3"}),
            "remote_models.own.registered: 'semtok-scenes/3' is no version; write "
            "models:/NAME/NUMBER or models:/NAME@ALIAS",
        ),
        (
            lambda p: p["remote_models"].update(
                own={"registered": "models:/semtok-scenes/3", "revision": "main"}
            ),
            "remote_models.own.revision: is of a model of the hub",
        ),
        (
            lambda p: p["remote_models"].update(vit={"hub": "some/clip"}),
            "remote_models.vit: a variant has that name",
        ),
        (lambda p: p["models"].update({"a-b": {"folder": "a"}}), "models.a-b: use letters"),
        (
            lambda p: p["models"].update(mine={"folder": ""}),
            "models.mine.folder: string sh",
        ),
        (
            lambda p: p["models"].update(mine={"hub": "a/b"}),
            "models.mine.hub: models are folders; write mine with its hub in remote_models",
        ),
        (
            lambda p: p["models"].update(mine={"folder": "a", "registered": "models:/a/3"}),
            "models.mine.registered: models are folders; write mine with its registered in ",
        ),
        (lambda p: p["models"].update(mine={"place": "a"}), "models.mine.place: unknown key"),
        (lambda p: p["models"].update(mine="a"), "models.mine: input should be a dictionary"),
        (lambda p: p["data"].update(source=""), "data.source: must be the data's root, or semtok/"),
        (
            lambda p: p["data"].update(source="http://host/coco"),
            "data.source: http://host/coco: http:// cannot list its files; copy the root",
        ),
        (
            lambda p: p["data"].update(source="s3://key:hush@bucket/coco"),
            "data.source: the s3:// address holds credentials or a query; leave them out",
        ),
        (
            lambda p: p["data"].update(source="semtok/data/sources"),
            "data.fetch: must name the sources to fetch",
        ),
        (
            lambda p: p["download"].update(mirror="mirror.example"),
            "download.mirror: must begin with http",
        ),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(tmp_path, raw, change, message):
    change(raw)
    with pytest.raises(SemtokError) as caught:
        load(write(tmp_path, raw))
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "params.yaml"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", ["models:/semtok-scenes/3", "models:/semtok-scenes@champion"])
def test_a_registered_version_has_a_number_or_an_alias(tmp_path, raw, address):
    raw["remote_models"]["own"] = {"registered": address}
    assert load(write(tmp_path, raw)).remote_models["own"].registered == address


@pytest.mark.parametrize(
    "address",
    [
        "models:/semtok-scenes",
        "models:/semtok-scenes/",
        "models:/semtok-scenes/latest",
        "models:/semtok-scenes/0",
        "models:/semtok-scenes@",
        "models:/semtok-scenes/3@champion",
        "models:/",
        "runs:/0f3c",
    ],
)
def test_what_names_no_version_is_refused_before_anything_runs(tmp_path, raw, address):
    raw["remote_models"]["own"] = {"registered": address}
    with pytest.raises(SemtokError, match=f"own.registered: '{address}' is no version; write mod"):
        load(write(tmp_path, raw))


def test_every_wrong_setting_is_named_at_once(tmp_path, raw):
    raw["train"].pop("steps")
    raw["data"]["colour"] = 1
    with pytest.raises(SemtokError, match=r"data.colour: .*train.steps: "):
        load(write(tmp_path, raw))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the whole block: input should be a dictionary"),
        ("data: [", "not valid YAML: "),
        ("data: {name: a}\n\tx", "not valid YAML: "),
        ("- 1", "the whole block: input should be a dictionary"),
    ],
)
def test_a_file_that_is_no_settings_is_refused(tmp_path, text, message):
    with pytest.raises(SemtokError, match=message) as caught:
        load(write(tmp_path, text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("added", "told"),
    [
        # What a page of the docs shows, put at the end: YAML would drop the block above.
        ("variants:\n  mine: {tokenizer: grid, patch_size: 16}\n", "variants: stands there twice"),
        ("models: {own: {folder: a}, own: {folder: b}}\n", "own: stands there twice"),
        ("models: [{own: a, own: b}]\n", "models.0.own: stands there twice"),
    ],
)
def test_a_block_that_stands_there_twice_is_refused(tmp_path, raw, added, told):
    if added.startswith("models"):
        raw.pop("models")
    path = write(tmp_path, raw)
    first = path.read_text().count("\n") + 1
    path.write_text(path.read_text() + added)
    with pytest.raises(SemtokError, match=f"{told}, in lines .*{first}; make one") as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_what_one_block_takes_over_from_another_is_not_said_twice(tmp_path, raw):
    path = write(tmp_path, raw | {"variants": {}})
    text = path.read_text().replace(
        "variants: {}",
        "variants:\n  vit: &vit {tokenizer: grid, patch_size: 16}\n"
        "  coarse: {<<: *vit, patch_size: 32}\n  other: *vit",
    )
    path.write_text(text)
    found = load(path).variants
    assert [found[name].patch_size for name in ("vit", "coarse", "other")] == [16, 32, 16]


def test_a_block_within_itself_is_refused(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("models: &all\n  own: [*all]\n")
    with pytest.raises(SemtokError, match=r"models\.own\.0: is a block that holds itself; write"):
        load(path)


def test_messages_are_in_the_words_of_yaml(tmp_path, raw):
    raw["train"]["seeds"] = 0
    raw["variants"]["vit"] = None
    with pytest.raises(SemtokError) as caught:
        load(write(tmp_path, raw))
    assert "train.seeds: input should be a valid list" in str(caught.value)
    assert "variants.vit: input should be a dictionary" in str(caught.value)
    assert "Settings" not in str(caught.value)


def test_a_missing_or_undecodable_file_is_refused(tmp_path):
    with pytest.raises(SemtokError, match="no such file; run inside a semtok project"):
        load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_bytes(b"data: \xff")
    with pytest.raises(SemtokError, match="not valid YAML"):
        load(tmp_path / "params.yaml")


@dataclass(frozen=True)
class Inner:
    size: int


@dataclass(frozen=True)
class Outer:
    inner: Inner
    many: Mapping[str, Inner]
    maybe: Inner | None = None
    anything: Any = None


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        ({"inner": {"size": 1, "x": 0}, "many": {}}, "inner.x"),
        ({"inner": {"size": 1}, "many": {"a": {"size": 1, "x": 0}}}, "many.a.x"),
        ({"inner": {"size": 1}, "many": {}, "maybe": {"size": 1, "x": 0}}, "maybe.x"),
    ],
)
def test_unknown_keys_are_refused_at_any_depth(raw, place):
    with pytest.raises(SemtokError, match=f"block: {place}: unknown key"):
        parse(Outer, raw, "block")


def test_settings_of_a_backend_are_parsed_to_its_dataclass():
    raw = {"inner": {"size": 1}, "many": {"a": {"size": 2}}, "anything": [3]}
    assert parse(Outer, raw, "block") == Outer(Inner(1), {"a": Inner(2)}, None, [3])
