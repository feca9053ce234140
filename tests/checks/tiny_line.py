"""A tiny line by hand: one small, consistent artifact of every stage, each with provenance.

Images 1..4 are for training and have masks and relations; images 101..160 are for validation,
enough that good ranks cannot be luck; image 201 is the test split.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from safetensors.numpy import save_file

from semtok.bench import costs, leaderboard, weights
from semtok.bench.cases import CASES
from semtok.bench.contestant import of_library
from semtok.bench.transmission import JPEG, RATE_DISTORTION, RATES, SNRS
from semtok.bench.transmission import NAME as RATE_DISTORTION_FILE
from semtok.data.files import FILES
from semtok.data.index import CAPTIONS, IMAGES, SIBLINGS, SPLITS, TRUTH
from semtok.extract.corruptions import CLEAN, KINDS, every
from semtok.extract.crossfit import folds_of
from semtok.extract.extraction_scores import EXTRACTION_SCORES, METRICS
from semtok.extract.learned import LEARNED, TRAINED_ON
from semtok.extract.masks import MASKS
from semtok.extract.scene_graphs import SCENE_GRAPHS
from semtok.models.encoder import VisionConfig
from semtok.models.image_text import ModelConfig
from semtok.models.text import ScratchText
from semtok.models.transmission import CHOICES
from semtok.params import EncoderSettings
from semtok.sharding import CORRUPTED
from semtok.tables import REJECTED, TableSchema, read_metadata, read_table, write_table
from semtok.tokens import shards
from semtok.tokens.rows import Regions, RelatedPixels, Superpixels, pack, predicate_names
from semtok.train.checkpoint import FORMAT
from semtok.train.history import HISTORY

TRAIN, VAL, TEST = (1, 2, 3, 4), tuple(range(101, 161)), (201,)
SPLIT_OF = {
    **dict.fromkeys(TRAIN, "train"),
    **dict.fromkeys(VAL, "val"),
    **dict.fromkeys(TEST, "test"),
}
WIDTH, HEIGHT = 8, 6
SHARDS = {"000": (1, 3), "001": (2, 4)}
SEMANTIC = {"image_size": 8, "crop_size": 2, "max_masks": 3, "max_relations": 2, "neighbours": 2}

#: Image -> rectangles x, y, w, h: three masks, two, one, and an image in which nothing was found.
RECTANGLES = {
    1: [(0, 0, 8, 6), (1, 1, 3, 2), (5, 2, 2, 4)],
    2: [(0, 0, 4, 6), (4, 0, 4, 3)],
    3: [(2, 2, 4, 1)],
    4: [],
}
#: Image -> subject, predicate, object.
RELATIONS = {1: [(1, "on", 0), (2, "beside", 1)], 2: [(0, "beside", 1)]}

#: Stage key -> keys of what it reads.
INPUTS = {
    "images": [],
    "index": ["images"],
    "detector@small": ["images", "index"],
    "relation_model@small": ["images", "index"],
    "masks@annotated-train": ["images", "index"],
    "scene_graphs@annotated-train": ["images", "index", "masks@annotated-train"],
    "extraction_scores@predicted-test": ["images", "index"],
    "token_shards@semantic-train": [
        "index",
        "masks@annotated-train",
        "scene_graphs@annotated-train",
    ],
    "token_shards@grid_relations-train": [
        "index",
        "masks@annotated-train",
        "scene_graphs@annotated-train",
    ],
    "token_shards@grid-val": ["index", "images"],
    "token_shards@grid-test": ["index", "images"],
    "token_shards@superpixel-train": ["index", "images"],
    "checkpoint@semantic": ["index", "token_shards@semantic-train"],
    "checkpoint@grid": ["index"],
    "scores@semantic": ["index", "checkpoint@semantic", "token_shards@grid-val"],
    "scores@grid": ["index", "checkpoint@grid", "token_shards@grid-val"],
    "outside_scores@own": ["images", "index"],
    "remote_scores@hub": ["images", "index"],
    "transmission@grid": ["index", "checkpoint@grid", "token_shards@grid-test"],
    "leaderboard": ["scores@grid", "scores@semantic", "outside_scores@own", "remote_scores@hub"],
}
_DATA = {
    "data": {
        "name": "tiny",
        "format": "coco",
        "rejected_share": 0.1,
        "splits": ["train", "val", "test"],
    }
}
_CORRUPTION = {"corruption": {"splits": ["val"], "severities": [3]}}
#: Of what was extracted, the images of train.
_EXTRACTION = {"corruption": {"splits": ["train"], "severities": [3]}}
#: The folder of each corruption, and of none.
_FOLDERS = ("", *(f"{CORRUPTED}/{kind}-3" for kind in KINDS))
_SHAPE = ModelConfig(
    EncoderSettings(width=8, depth=2, heads=2, mlp_ratio=2, embedding=6),
    VisionConfig(48, None, True, (), False, False, False),
    ScratchText(270, 24, 1, 8, 1, 2),
)
_TRAIN = {"train": {"seeds": [0, 1], "steps": 40}}
_BENCH = {"bench": {"benchmarks": ["retrieval", "siblings"], "splits": ["val"], "baseline": "grid"}}

Row = dict[str, Any]
Box = tuple[int, int, int, int]


def build(root: Path) -> None:
    """Write every artifact into a folder named after its key."""
    _images(root / "images")
    _index(root / "index", root / "images")
    _learned(root / "detector@small", {"AP": 0.5, "AP50": 0.8, "AP75": 0.4})
    _learned(root / "relation_model@small", {"R@20": 0.6, "mR@20": 0.4})
    _masks(root / "masks@annotated-train")
    _scene_graphs(root / "scene_graphs@annotated-train")
    _extraction_scores(root / "extraction_scores@predicted-test")
    _semantic(root)
    _grid_relations(root / "token_shards@grid_relations-train")
    _grid(
        root / "token_shards@grid-val",
        {"000": VAL[:10], "001": VAL[10:], "002": ()},
        _FOLDERS,
    )
    _grid(root / "token_shards@grid-test", {"000": TEST}, ("",))
    _superpixels(root / "token_shards@superpixel-train")
    for variant, misses in (("semantic", 4), ("grid", 42)):
        _checkpoint(root / f"checkpoint@{variant}")
        _scores(root / f"scores@{variant}", misses)
        _costs(root / f"scores@{variant}", trained=True)
    for outside in ("outside_scores@own", "remote_scores@hub"):
        _scores(root / outside, 20, seeds=(0,))
        _costs(root / outside, trained=False)
        facts = {
            "model": "CLIPModel",
            "digest": "ab" * 16,
            "contestant": asdict(of_library("transformers", 12)),
        }
        weights.write(root / outside, facts)
    _transmission(root / "transmission@grid")
    _leaderboard(root)


def inputs(root: Path, key: str) -> dict[str, Path]:
    """What a gate is given of an artifact's inputs."""
    return {name: root / name for name in INPUTS[key]}


def edit(
    path: Path,
    schema: TableSchema,
    change: Callable[[list[Row]], list[Row] | None],
    **metadata: str,
) -> None:
    """Rewrite a table: `change` alters its rows in place or returns others."""
    rows = read_table(path, schema).to_pylist()
    changed = change(rows)
    table = pa.Table.from_pylist(rows if changed is None else changed, schema=schema.columns)
    write_table(path, table, schema, {**_own_metadata(path), **metadata})


def rows_of(mask: np.ndarray) -> list[int]:
    """Uncompressed COCO RLE of a mask [H, W], pixel by pixel."""
    runs, value = [0], False
    for pixel in mask.T.ravel().tolist():
        if pixel == value:
            runs[-1] += 1
        else:
            runs.append(1)
            value = pixel
    return runs


def rectangle(x: int, y: int, w: int, h: int) -> np.ndarray:
    """A mask [H, W]."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y : y + h, x : x + w] = True
    return mask


def _own_metadata(path: Path) -> dict[str, str]:
    kept = (shards.TOKENS, "semtok.fingerprint")
    return {name: value for name, value in read_metadata(path).items() if name in kept}


def _write(path: Path, schema: TableSchema, rows: list[Row]) -> None:
    write_table(path, pa.Table.from_pylist(rows, schema=schema.columns), schema)


def _provenance(folder: Path, **params: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"stage": folder.name, "inputs": {}, "params": params})
    (folder / "provenance.json").write_text(text)


def _path(image_id: int) -> str:
    return f"{'train' if image_id in TRAIN else 'val'}2017/{image_id:012d}.jpg"


def _images(folder: Path) -> None:
    _provenance(folder, **_DATA)
    contents = {_path(image_id): f"pixels of {image_id}".encode() for image_id in SPLIT_OF}
    contents["annotations/captions_train2017.json"] = b"{}"
    rows = []
    for path, content in sorted(contents.items()):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        rows.append({"path": path, "bytes": len(content), "sha256": digest})
    _write(folder / "files.parquet", FILES, rows)


def _index(folder: Path, images: Path) -> None:
    _provenance(folder, **_DATA)
    hashes = {row["path"]: row["sha256"] for row in _read(images / "files.parquet", FILES)}
    rows = [
        {
            "image_id": image_id,
            "path": _path(image_id),
            "width": WIDTH,
            "height": HEIGHT,
            "sha256": hashes[_path(image_id)],
        }
        for image_id in SPLIT_OF
    ]
    captions = [
        {"caption_id": 10 * image_id + n, "image_id": image_id, "caption": f"caption {n}"}
        for image_id in SPLIT_OF
        for n in range(2)
    ]
    splits = [{"image_id": image_id, "split": split} for image_id, split in SPLIT_OF.items()]
    _write(folder / "images.parquet", IMAGES, rows)
    _write(folder / "captions.parquet", CAPTIONS, captions)
    _write(folder / "truth.parquet", TRUTH, [])
    _write(folder / "siblings.parquet", SIBLINGS, [siblings(first) for first in VAL[::2]])
    _write(folder / "splits.parquet", SPLITS, splits)
    _write(folder / "rejected.parquet", REJECTED, [])


def siblings(first: int) -> Row:
    """An image and the next one."""
    return {
        "first_image_id": first,
        "second_image_id": first + 1,
        "kind": "roles",
        "first_caption": "one on other",
        "second_caption": "other on one",
    }


def _learned(folder: Path, quality: dict[str, float]) -> None:
    """What an extractor's own networks leave, of two folds."""
    _provenance(folder, **_DATA)
    own = folds_of(np.array(TRAIN), 2)
    seen, history = [], []
    for fold in (0, 1):
        weights = np.random.default_rng(fold).normal(size=(4, 3)).astype(np.float32)
        save_file({"tower.weight": weights}, folder / f"fold-{fold}.safetensors")
        others = [each for each, of in zip(TRAIN, own.tolist(), strict=True) if of != fold]
        seen += [{"fold": fold, "image_id": image_id} for image_id in others]
        history += [
            {"fold": fold, "step": step, "name": "loss", "value": 2.0 - step / 40}
            for step in (10, 20)
        ]
    _write(folder / "trained_on.parquet", TRAINED_ON, seen)
    _write(folder / "history.parquet", LEARNED, history)
    (folder / "config.json").write_text('{"folds": 2}')
    (folder / "quality.json").write_text(json.dumps(quality))


def _masks(folder: Path) -> None:
    _provenance(folder, **_DATA, **_EXTRACTION)
    for of, (shard, image_ids) in itertools.product(_FOLDERS, SHARDS.items()):
        (folder / of).mkdir(parents=True, exist_ok=True)
        rows = [
            mask_row(image_id, number, box)
            for image_id in image_ids
            for number, box in enumerate(RECTANGLES[image_id])
        ]
        _write(folder / of / f"{shard}.parquet", MASKS, rows)
    _write(folder / "rejected.parquet", REJECTED, [])


def mask_row(image_id: int, mask_id: int, box: Box) -> Row:
    """A rectangular mask as the table has it."""
    mask = rectangle(*box)
    return {
        "image_id": image_id,
        "mask_id": mask_id,
        "source_id": 100 * image_id + mask_id,
        "category_id": mask_id,
        "category": f"thing {mask_id}",
        "score": 1.0,
        **dict(zip("xywh", box, strict=True)),
        "area": int(mask.sum()),
        "height": HEIGHT,
        "width": WIDTH,
        "counts": rows_of(mask),
    }


def _scene_graphs(folder: Path) -> None:
    _provenance(folder, **_DATA, **_EXTRACTION)
    for of, (shard, image_ids) in itertools.product(_FOLDERS, SHARDS.items()):
        (folder / of).mkdir(parents=True, exist_ok=True)
        rows = [
            {
                "image_id": image_id,
                "subject": subject,
                "predicate": predicate,
                "object": target,
                "score": 0.5,
                "source": "psg",
            }
            for image_id in image_ids
            for subject, predicate, target in RELATIONS.get(image_id, ())
        ]
        _write(folder / of / f"{shard}.parquet", SCENE_GRAPHS, rows)
    _write(folder / "rejected.parquet", REJECTED, [])


def _extraction_scores(folder: Path) -> None:
    _provenance(folder, **_DATA, **{"corruption.severities": [4, 2]})
    counts = {"images": len(TEST), "masks": 5, "relations": 3}
    rows = [
        {**each._asdict(), **counts, **dict.fromkeys(METRICS, 0.5 - each.severity / 10)}
        for each in [CLEAN, *every([4, 2])]
    ]
    _write(folder / "scores.parquet", EXTRACTION_SCORES, rows)


def _semantic(root: Path) -> None:
    folder = root / "token_shards@semantic-train"
    _provenance(folder, **_DATA, **_CORRUPTION)
    for shard, image_ids in SHARDS.items():
        sets = [_regions(RECTANGLES[each], RELATIONS.get(each, [])) for each in image_ids]
        names = sorted({name for each in sets for name in each.edge_predicate})
        shards.write(
            folder / f"{shard}.arrow",
            shards.regions_schema(SEMANTIC["crop_size"], SEMANTIC["neighbours"]),
            pack(image_ids, sets, names),
            names,
            {"scheme": "semantic", "settings": SEMANTIC},
            "fingerprint",
        )
    _write(folder / "rejected.parquet", REJECTED, [])


def _grid_relations(folder: Path) -> None:
    _provenance(folder, **_DATA, **_CORRUPTION)
    settings = {"image_size": 8, "cell_size": 4, "max_masks": 3, "max_relations": 2}
    for shard, image_ids in SHARDS.items():
        regions = [_regions(RECTANGLES[each], RELATIONS.get(each, [])) for each in image_ids]
        cells = [np.full((len(each.geometry), 4), 9, np.uint8) for each in regions]
        sets = [
            RelatedPixels(pixels, replace(each, features=covered, neighbours=covered[:, :0]))
            for pixels, each, covered in zip(_pixels(len(regions)), regions, cells, strict=True)
        ]
        names = predicate_names(sets)
        shards.write(
            folder / f"{shard}.arrow",
            shards.related_pixels_schema(8, 2),
            pack(image_ids, sets, names),
            names,
            {"scheme": "grid_relations", "settings": settings},
            "fingerprint",
        )
    _write(folder / "rejected.parquet", REJECTED, [])


def _regions(boxes: list[Box], relations: list[tuple[int, str, int]]) -> Regions:
    """A token set: regions as the masks are ordered, or the whole image where there is none."""
    geometry = np.array(
        [
            ((x + w / 2) / WIDTH, (y + h / 2) / HEIGHT, w / WIDTH, h / HEIGHT, w * h / 48)
            for x, y, w, h in boxes or [(0, 0, WIDTH, HEIGHT)]
        ],
        np.float32,
    )
    regions = range(len(geometry))
    near = [sorted(set(regions) - {i}, key=lambda j: _distance(geometry, i, j)) for i in regions]
    return Regions(
        features=np.full((len(geometry), 16), 255, np.uint8),
        geometry=geometry,
        neighbours=np.array([[*each, -1, -1][:2] for each in near], np.int16),
        edge_ends=np.array([(each[0], each[2]) for each in relations], np.int16).reshape(-1, 2),
        edge_predicate=tuple(each[1] for each in relations),
    )


def _distance(geometry: np.ndarray, one: int, other: int) -> float:
    return float(np.hypot(*(geometry[one, :2] - geometry[other, :2])))


def _grid(folder: Path, images: Mapping[str, tuple[int, ...]], places: tuple[str, ...]) -> None:
    _provenance(folder, **_DATA, **_CORRUPTION)
    tokens = {"scheme": "grid", "settings": {"image_size": 8}}
    for shard, image_ids in images.items():
        rows = pack(image_ids, list(_pixels(len(image_ids))), ()) if image_ids else None
        for place in places:
            path = folder / place / f"{shard}.arrow"
            shards.write(path, shards.pixels_schema(8), rows, (), tokens, "fingerprint")
    _write(folder / "rejected.parquet", REJECTED, [])


def _superpixels(folder: Path) -> None:
    """Four quarters an image, each with its positions in two bins."""
    _provenance(folder, **_DATA, **_CORRUPTION)
    quarters = np.repeat(np.repeat(np.arange(4).reshape(2, 2), 4, axis=0), 4, axis=1)
    cut = Superpixels(
        quarters.astype(np.uint16),
        np.full((4, 16), 255, np.uint8),
        np.tile(np.array([0, 9000, 0, 300], np.uint16), (4, 1)),
    )
    schema = shards.superpixels_schema(8, 2, 4)
    tokens = {"scheme": "superpixel", "settings": {"image_size": 8}}
    for shard, image_ids in {**SHARDS, "002": ()}.items():
        rows = pack(image_ids, [cut] * len(image_ids), ()) if image_ids else None
        shards.write(folder / f"{shard}.arrow", schema, rows, (), tokens, "fingerprint")
    _write(folder / "rejected.parquet", REJECTED, [])


def _pixels(images: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (images, 8, 8, 3), np.uint8)


def _checkpoint(folder: Path) -> None:
    _provenance(folder, **_TRAIN)
    for seed in (0, 1):
        path = folder / f"seed-{seed}"
        path.mkdir()
        weights = np.random.default_rng(seed).normal(size=(4, 3)).astype(np.float32)
        save_file(
            {"blocks.weight": weights, "log_scale": weights[0, :1]}, path / "model.safetensors"
        )
        for name in ("text_tokenizer.json", "training.json"):
            (path / name).write_text("{}")
        config = {"format": FORMAT, "model": _SHAPE.as_json(), "tokens": {"scheme": "semantic"}}
        (path / "config.json").write_text(json.dumps(config))
        history = [
            {"step": step, "name": name, "value": value - 0.05 * step}
            for step in range(10, 41, 10)
            for name, value in (("loss", 4.0), ("val/loss", 4.1))
        ]
        _write(path / "history.parquet", HISTORY, history)


def _scores(folder: Path, misses: int, seeds: tuple[int, ...] = (0, 1)) -> None:
    _provenance(folder, **_BENCH)
    rows = []
    for seed in seeds:
        for task, cases in (
            ("image_to_text", [(image, image) for image in VAL]),
            ("text_to_image", [(10 * image + n, image) for image in VAL for n in range(2)]),
        ):
            rows += [
                {
                    "benchmark": "retrieval",
                    "split": "val",
                    "task": task,
                    "seed": seed,
                    "case_id": case,
                    "cluster_id": image,
                    "rank": 7 if number < misses else 1,
                    "candidates": 2 * len(VAL) if task == "image_to_text" else len(VAL),
                    "answers": 2 if task == "image_to_text" else 1,
                    "truths": None,
                    # Groups of unequal size: the leaderboard has the mean of their recalls.
                    "group": "abb"[number % 3] if task == "text_to_image" else None,
                }
                for number, (case, image) in enumerate(cases)
            ]
        others = [*sibling_cases(), *_valued_cases(misses + seed)]
        rows += [row | {"seed": seed} for row in others]
    _write(folder / "cases.parquet", CASES, rows)


def _transmission(folder: Path) -> None:
    """One image, sent in every way; the more bits, the better."""
    _provenance(folder)
    rows = [
        {
            "choice": choice,
            "rate": rate,
            "snr": snr,
            "symbols": None if choice == JPEG else 48,
            "index_bits": None if choice == JPEG else 0,
            "bits": 100 * rate * (1 + snr),
            "mse": 500.0,
            "psnr": 10 + 2 * rate + snr / 10,
            "ssim": 0.5,
            "accuracy": None if rate < 1 else 50.0,
            "fitting": 1.0,
            "images": len(TEST),
        }
        for choice in (*CHOICES, JPEG)
        for rate in RATES
        for snr in SNRS
    ]
    _write(folder / RATE_DISTORTION_FILE, RATE_DISTORTION, rows)


def _costs(folder: Path, trained: bool) -> None:
    blocks = 1000 if trained else 7000
    parameters = costs.Parameters(blocks=blocks, embeddings=100, bias=0, text=500, scale=1)
    cost = costs.Encoding(parameters, 12.5, 1e6)
    if trained:
        # Of gates that shut: nothing is left within a budget, which still costs something.
        spent = (costs.Spending(0.5, 0.0, 0.0, 0.5, 2e5), costs.Spending(1.0, 0.4, 0.5, 0.5, 6e5))
        cost = costs.Costs(parameters, 12.5, 1e6, 60.0, 1e-3, spending=spent)
    costs.write(folder, cost)


def sibling_cases() -> list[Row]:
    """Every case missed: no fault, since to guess is allowed there."""
    return [
        {
            "benchmark": "siblings",
            "split": "val",
            "task": task + part,
            "case_id": image,
            "cluster_id": image - (image - VAL[0]) % 2,
            "rank": candidates,
            "candidates": candidates,
            "answers": 1,
            "truths": 1,
            "similarities": None
            if part
            else [[0.2, 0.3]]
            if task == "caption"
            else [[0.2, 0.3], [0.3, 0.2]],
        }
        for task, candidates in (("caption", 2), ("text", 4), ("image", 4), ("group", 6))
        for part in ("", "/roles")
        for image in (VAL if task == "caption" else VAL[::2])
    ]


def _valued_cases(level: int) -> list[Row]:
    """Values and losses, in groups of unequal size: the leaderboard has the mean of their means."""
    return [
        {
            "benchmark": "faithfulness",
            "split": "val",
            "task": task,
            "case_id": image,
            "cluster_id": image,
            "value": level + (number % 7) * (-1.5 if loss else 1.5),
            "loss": loss,
            "group": "abb"[number % 3],
        }
        for task, loss in (("comprehensiveness", False), ("sufficiency", True))
        for number, image in enumerate(VAL)
    ]


def _leaderboard(root: Path) -> None:
    folder = root / "leaderboard"
    outside = {"models": {"own": {}}, "remote_models": {"hub": {}}}
    _provenance(folder, **_BENCH, variants={"grid": {}, "semantic": {}}, **outside)
    draw_leaderboard(root)
    (folder / "leaderboard.md").write_text("table")
    (folder / "chart.png").write_bytes(b"png")


def draw_leaderboard(root: Path) -> None:
    """Write its table anew, from the scores that are there."""
    scores = {variant: root / f"scores@{variant}" for variant in ("grid", "semantic")}
    scores["own"] = root / "outside_scores@own"
    scores["hub"] = root / "remote_scores@hub"
    board = leaderboard.build(scores, "grid", 200, 0.95, ["own", "hub"])
    leaderboard.write(board, root / "leaderboard")


def _read(path: Path, schema: TableSchema) -> list[Row]:
    return read_table(path, schema).to_pylist()
