"""Token sets made at random, and a small root with images, masks and scene graphs."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pycocotools.coco import COCO

from semtok.data.index import IMAGES
from semtok.events import Emit, ignore
from semtok.extract import rle
from semtok.extract.masks import MASKS
from semtok.extract.scene_graphs import SCENE_GRAPHS
from semtok.params import DataSettings
from semtok.sharding import Partition, assign
from semtok.tables import read_table, write_table
from semtok.tokens import shards, tokenize
from semtok.tokens.rows import Regions, RelatedPixels, TokenSet, pack, predicate_names
from semtok.workspace import digest, publish

NAMES = ("beside", "in front of", "on", "wearing")


@pytest.fixture(scope="session")
def random_regions() -> Callable[..., Regions]:
    """Make the token set of one image: R regions, E relations, crops of k, K neighbours."""

    def make(
        rng: np.random.Generator, regions: int, edges: int, crop: int = 2, neighbours: int = 3
    ) -> Regions:
        return Regions(
            features=rng.integers(0, 256, (regions, crop**2 * 4), np.uint8),
            geometry=rng.random((regions, 5), np.float32),
            neighbours=rng.integers(-1, regions, (regions, neighbours)).astype(np.int16),
            edge_ends=rng.integers(0, regions, (edges, 2)).astype(np.int16),
            edge_predicate=tuple(rng.choice(NAMES, edges).tolist()),
        )

    return make


@pytest.fixture(scope="session")
def random_related(random_regions: Callable[..., Regions]) -> Callable[..., RelatedPixels]:
    """Make the token set of one image: S pixels a side, R regions in c cells a side, E relations.

    Most regions cover whole cells, some less than half of any.
    """

    def make(
        rng: np.random.Generator, regions: int, edges: int, size: int = 8, cells: int = 4
    ) -> RelatedPixels:
        covered = rng.choice([0, 1, 90, 127, 128, 255], (regions, cells**2)).astype(np.uint8)
        covered[:, 0] = np.maximum(covered[:, 0], 1)
        made = replace(random_regions(rng, regions, edges, neighbours=0), features=covered)
        return RelatedPixels(rng.integers(0, 256, (size, size, 3), np.uint8), made)

    return make


@pytest.fixture(scope="session")
def write_shards() -> Callable[..., shards.TokenShards]:
    """Write token sets as shards and open them; image ids count through all of them."""

    def write(folder: Path, groups: Sequence[Sequence[TokenSet]]) -> shards.TokenShards:
        first = next(each for group in groups for each in group)
        if isinstance(first, RelatedPixels):
            cells = int(first.regions.features.shape[1] ** 0.5)
            schema = shards.related_pixels_schema(len(first.pixels), cells)
        elif isinstance(first, Regions):
            crop = int((first.features.shape[1] // 4) ** 0.5)
            schema = shards.regions_schema(crop, first.neighbours.shape[1])
        else:
            schema = shards.pixels_schema(len(first), first.shape[2])
        count = 0
        for number, group in enumerate(groups):
            names = predicate_names(group)
            ids = list(range(count, count + len(group)))
            rows = pack(ids, group, names) if group else None
            path = folder / f"{number:03d}.arrow"
            shards.write(path, schema, rows, names, {"scheme": "test", "settings": {}}, "print")
            count += len(group)
        return shards.TokenShards(folder)

    return write


@pytest.fixture(scope="session")
def coco_masks(coco_sample: Path) -> list[tuple[int, int, list[dict]]]:
    """Height, width and compressed RLEs of 20 real images."""
    with contextlib.redirect_stdout(None):
        coco = COCO(str(coco_sample / "annotations" / "instances_val2017.json"))
    found = []
    for image_id in coco.getImgIds()[:20]:
        annotations = coco.loadAnns(coco.getAnnIds(image_id, iscrowd=False))
        masks = [coco.annToRLE(each) for each in annotations]
        for each in masks:
            if isinstance(each["counts"], str):
                each["counts"] = each["counts"].encode()
        height, width = (coco.loadImgs(image_id)[0][side] for side in ("height", "width"))
        if masks:
            found.append((height, width, masks))
    return found


@dataclass
class Line:
    """Images with masks and relations, from which token shards are built again and again."""

    root: Path
    images: dict[int, bytes] = field(default_factory=dict)  # by id, the file's content
    masks: dict[int, list[np.ndarray]] = field(default_factory=dict)  # [H, W] bool
    relations: dict[int, list[tuple[int, str, int, float]]] = field(default_factory=dict)
    category: str = "dog"
    tokenizer: dict = field(
        default_factory=lambda: {
            "scheme": "semantic",
            "image_size": 16,
            "crop_size": 4,
            "max_masks": 3,
            "max_relations": 2,
            "neighbours": 2,
        }
    )
    severities: tuple[int, ...] = ()
    project: Path = Path()
    data: DataSettings = field(
        default_factory=lambda: DataSettings("tiny", "coco", "", shards=3, rejected_share=0.5)
    )

    def add(self, image_id: int, seed: int, masks: int = 2) -> None:
        """Add or change an image of 24 x 20 pixels, its masks and relations."""
        rng = np.random.default_rng([image_id, seed])
        path = self.root / "image.png"
        Image.fromarray(rng.integers(0, 256, (20, 24, 3), np.uint8)).save(path)
        self.images[image_id] = path.read_bytes()
        self.masks[image_id] = [rng.random((20, 24)) < 0.3 for _ in range(masks)]
        self.relations[image_id] = [
            (subject, str(rng.choice(NAMES)), other, float(rng.random(dtype=np.float32)))
            for subject in range(masks)
            for other in range(masks)
            if subject != other
        ]

    def build(self, target: Path, emit: Emit = ignore) -> int:
        """Write the inputs, then run the stage."""
        self.write()
        return self.run(target, emit)

    def run(self, target: Path, emit: Emit = ignore) -> int:
        """Build and publish the artifact `target` from the inputs as they were written."""
        images = read_table(self.root / "images.parquet", IMAGES)
        extraction = self.root / "masks", self.root / "scene_graphs"
        with publish(target, self.root / "state") as staging:
            partition = Partition(
                self.root, images, self.data, staging, target, "", emit, self.project
            )
            return tokenize.build(partition, self.tokenizer, extraction, self.severities)

    def write(self) -> None:
        """Write the images and the tables of what was found in them."""
        rows = []
        for image_id, content in sorted(self.images.items()):
            path = self.root / f"{image_id}.png"
            path.write_bytes(content)
            rows.append((image_id, path.name, 24, 20, digest(path)))
        images = _table(IMAGES.columns, rows)
        write_table(self.root / "images.parquet", images, IMAGES)
        for name, positions in assign(
            images["image_id"].to_pylist(), self.data.shards, ".parquet"
        ).items():
            ids = images["image_id"].take(pa.array(positions, pa.int64())).to_pylist()
            found = [self._mask(i, n, m) for i in ids for n, m in enumerate(self.masks[i])]
            write_table(self.root / "masks" / name, _table(MASKS.columns, found), MASKS)
            related = [
                {
                    "image_id": i,
                    "subject": subject,
                    "predicate": predicate,
                    "object": other,
                    "score": score,
                    "source": "test",
                }
                for i in ids
                for subject, predicate, other, score in self.relations[i]
            ]
            table = pa.Table.from_pylist(related, schema=SCENE_GRAPHS.columns)
            write_table(self.root / "scene_graphs" / name, table, SCENE_GRAPHS)

    def _mask(self, image_id: int, number: int, mask: np.ndarray) -> tuple:
        counts = rle.encode(mask)
        runs = rle.Runs.of([counts])
        (area,), (box,) = (each.tolist() for each in rle.measure(runs, np.array([20])))
        return (
            image_id,
            number,
            number,
            1,
            self.category,
            1.0,
            *box,
            area,
            20,
            24,
            counts.tolist(),
        )


def _table(schema: pa.Schema, rows: Sequence[tuple]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    return pa.table([pa.array(c, t) for c, t in zip(columns, schema.types, strict=True)], schema)


@pytest.fixture(scope="session")
def make_line() -> Callable[[Path], Line]:
    """Make six images below a folder, from which token shards are built in three shards."""

    def make(root: Path) -> Line:
        made = Line(root)
        root.mkdir(exist_ok=True)
        for image_id in range(1, 7):
            made.add(image_id, seed=0)
        return made

    return make


@pytest.fixture
def line(tmp_path: Path, make_line: Callable[[Path], Line]) -> Line:
    """Such a line in a folder of the test's own."""
    return make_line(tmp_path / "line")
