"""Images per second in training: `semantic` beside `vit`, with and without extraction; padding.

The project's own loop on a few scenes, text side and loading included, in turns of a few steps.
With extraction, each image has been through a detector and a relation model of the study's size
once and is seen as often as the demo sees each; the networks are untrained and draw as many
candidates and judge as many pairs as they may, so this is the most that they take.
"""

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from benchmarks import made_line, made_shards
from benchmarks.result import Result
from semtok.data import index
from semtok.events import Event, Metrics
from semtok.extract.convolutions import to_tensor
from semtok.extract.detector import network as detector
from semtok.extract.detector.prediction import find
from semtok.extract.masks import MASKS
from semtok.extract.photos import read_image
from semtok.extract.relation_model import judge
from semtok.extract.relation_model import network as relation_model
from semtok.extract.relation_model.pairs import Masks, every_pair, masks_of
from semtok.params import Params
from semtok.tables import read_table
from semtok.tokens.collate import Collate
from semtok.tokens.loader import batches
from semtok.tokens.shards import TokenShards
from semtok.tokens.sizes import by_size
from semtok.train.train import train
from semtok.workspace import Workspace

GOAL = 3.0
MOST_PADDING = 15.0  # % of the tokens that are computed
IMAGES, VAL_IMAGES = 256, 64
TURNS, REPORTS, STEPS_A_REPORT = 3, 4, 2
#: Pixels a side that `vit` has: the demo's, and the full study's.
SIDES = (128, 224)
#: The study's networks.
DETECTOR, RELATIONS = {"width": 48, "side": 128}, {"width": 24, "side": 32}
_PREDICATES, _PAIRED_MASKS, _LOOKED_AT = 20, 12, 32


def run(scale: float) -> Iterator[Result]:
    """Measure on scenes of the demo."""
    turns = max(1, round(TURNS * scale))
    larger = {
        "tokenizers": {"grid_large": {"scheme": "grid", "image_size": SIDES[1]}},
        "token_shards": {
            f"grid_large-{split}": {"tokenizer": "grid_large", "reads": "images"}
            for split in ("train", "val", "test")
        },
        "variants": {"vit_large": {"tokenizer": "grid_large", "patch_size": 16}},
    }
    with made_shards.folder() as root:
        workspace, params = made_line.build(root, IMAGES, VAL_IMAGES, larger)
        found = _speeds(workspace, params, ("vit", "vit_large", "semantic"), turns)
        extraction = _extraction(workspace)
        padding = _padding(workspace, params)
    # As often as the demo sees each of its images.
    seen = params.train.steps * params.train.batch_size / 2000
    whole = 1 / (1 / found["semantic"] + extraction / seen)
    for side, peer in zip(SIDES, (found["vit"], found["vit_large"]), strict=True):
        note = f"vit of {(side // 16) ** 2} patches, the demo's blocks and text side"
        extracted = f"{note}; extraction {1e3 * extraction:.0f} ms an image, seen {seen:.1f} times"
        yield _result(f"beside vit at {side} pixels", found["semantic"], peer, note, GOAL)
        yield _result(f"and extraction, {side} pixels", whole, peer, extracted, None)
    yield Result(
        name="training semantic: padding",
        ours=padding,
        peer=MOST_PADDING,
        unit="% of tokens",
        at_most=1.0,
        command="python -m benchmarks --only training",
        packages=("numpy", "torch"),
        note=f"{MOST_PADDING:.0f} %; share of the computed tokens that are padding, over an epoch",
    )


def _result(what: str, ours: float, peer: float, note: str, goal: float | None) -> Result:
    return Result(
        name=f"training semantic: {what}",
        ours=ours,
        peer=peer,
        unit="images/s",
        at_least=goal,
        command="python -m benchmarks --only training",
        packages=("numpy", "torch"),
        note=note,
    )


def _speeds(
    workspace: Workspace, params: Params, variants: tuple[str, ...], turns: int
) -> dict[str, float]:
    """Median images per second of each variant."""
    speeds: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(turns):
        for name in variants:
            # The first report holds what happens once.
            speeds[name] += _train(workspace, params, name, workspace.root / f"{name}-{turn}")[1:]
    return {name: statistics.median(each) for name, each in speeds.items()}


def _train(workspace: Workspace, params: Params, name: str, folder: Path) -> list[float]:
    """Images per second of each report of a short training."""
    variant, steps = params.variants[name], REPORTS * STEPS_A_REPORT
    recipe = replace(
        params.train, steps=steps, warmup=1, log_every=STEPS_A_REPORT, save_every=steps
    )
    reports: list[float] = []

    def note(event: Event) -> None:
        if isinstance(event, Metrics):
            reports.append(event.values["images_per_second"])

    train(
        workspace.input("token_shards", f"{variant.tokenizer}-train"),
        workspace.input("token_shards", f"{variant.tokenizer}-val"),
        read_table(workspace.input("index") / "captions.parquet", index.CAPTIONS),
        variant,
        params.encoder,
        params.text,
        recipe,
        0,
        folder,
        folder / "resume",
        "",
        {},
        note,
    )
    return reports


def _extraction(workspace: Workspace) -> float:
    """Seconds that the detector and the relation model take for an image."""
    root = workspace.input("images")
    rows = index.split_images(workspace.input("index"), "train").slice(0, _LOOKED_AT).to_pylist()
    pictures = [read_image(root / row["path"]) for row in rows]
    table = read_table(workspace.input("masks", "annotated-train") / "000.parquet", MASKS)
    owners = table["image_id"].to_numpy()
    masks = []
    for row in rows:
        own = np.flatnonzero(owners == row["image_id"])[:_PAIRED_MASKS]
        masks.append(masks_of(table.take(own)))
    torch.manual_seed(0)
    finder = detector.Network(DETECTOR["width"]).eval()
    judger = relation_model.Network(RELATIONS["width"], _PREDICATES).eval()
    times = []
    for _ in range(3):
        start = time.perf_counter()
        find(finder, to_tensor(pictures))
        for picture, each in zip(pictures, masks, strict=True):
            _judged(judger, picture, each)
        times.append((time.perf_counter() - start) / len(pictures))
    return statistics.median(times)


def _judged(network: relation_model.Network, picture: np.ndarray, masks: Masks) -> None:
    pairs = every_pair(len(masks.mask_ids))
    if pairs:
        judge(network, picture, masks, pairs, RELATIONS["side"])


def _padding(workspace: Workspace, params: Params) -> float:
    """The share of an epoch's tokens that are padding, in %."""
    shards = TokenShards(workspace.input("token_shards", "semantic-train"))
    size = params.train.batch_size
    computed = used = 0
    for _, rows in islice(batches(shards, size, seed=0), len(shards) // size):
        for part in by_size(Collate(intangible=True)(rows)):
            valid = part.tokens.valid
            computed, used = computed + valid.numel(), used + int(valid.sum())
    return 100 * (1 - used / computed)
