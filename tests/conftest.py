"""Data sets that the tests read: the real COCO sample, and a tiny root written by hand."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import hypothesis
import numpy as np
import pytest
from filelock import FileLock
from PIL import Image, ImageDraw

from tests import small_line

# Times vary with the machine, and a test that fails should fail again.
hypothesis.settings.register_profile("semtok", deadline=None, derandomize=True)
hypothesis.settings.load_profile("semtok")

Once: TypeAlias = Callable[[str, Callable[[Path], object]], Path]

_SAMPLE = Path(__file__).parents[1] / ".." / "shared" / "samples" / "coco"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files with slow tests first, that no long one is left to one process at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def coco_sample() -> Path:
    """A COCO root with real images, masks and captions."""
    root = Path(os.environ.get("SEMTOK_COCO_SAMPLE", _SAMPLE)).resolve()
    if not (root / "annotations").is_dir():
        pytest.skip(f"no COCO sample at {root}; set SEMTOK_COCO_SAMPLE to a COCO root")
    return root


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Makes a folder once in a run of the tests, in whichever of its processes asks first."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def make(name: str, build: Callable[[Path], object]) -> Path:
        root, done = shared / name, shared / f"{name}.done"
        with FileLock(shared / f"{name}.lock"):
            if not done.exists():
                build(root)
                done.touch()
        return root

    return make


@pytest.fixture(scope="session", autouse=True)
def _small_lines_share(once: Once) -> None:
    small_line.keep_in(once("kept", Path.mkdir))


@pytest.fixture
def tiny_coco(tmp_path: Path) -> Path:
    """A COCO root of nine small images, one of everything the formats allow (see `TINY`)."""
    root = tmp_path / "tiny_coco"
    write_tiny_coco(root)
    return root


CATEGORIES = {1: "person", 18: "dog", 62: "chair"}
STUFF = {**CATEGORIES, 190: "floor"}

#: Image id -> (folder, width, height). Images 6 and 8 fall into val, 7 and 10 into test.
TINY = {
    1: ("train2017", 40, 30),
    2: ("train2017", 32, 24),
    3: ("train2017", 24, 36),
    4: ("train2017", 16, 16),
    5: ("train2017", 20, 20),
    6: ("val2017", 40, 30),
    7: ("val2017", 32, 32),
    8: ("val2017", 24, 24),
    10: ("val2017", 36, 20),
}


def file_name(image_id: int) -> str:
    """A file name as COCO 2017 has it."""
    return f"{image_id:012d}.jpg"


def write_tiny_coco(root: Path) -> None:
    """Write the root; `tiny_coco` is this in a folder of the test's own."""
    for folder in ("train2017", "val2017"):
        ids = [image_id for image_id, (where, _, _) in TINY.items() if where == folder]
        images = [
            {"id": i, "file_name": file_name(i), "width": TINY[i][1], "height": TINY[i][2]}
            for i in ids
        ]
        for image_id in ids:
            _draw(root / folder / file_name(image_id), image_id)
        captions = [
            {"id": 1000 * i + n, "image_id": i, "caption": f"Caption {n} of picture {i}."}
            for i in ids
            for n in range(5)
        ]
        _write(root, f"captions_{folder}", images=images, annotations=captions)
        _write(
            root,
            f"instances_{folder}",
            images=images,
            annotations=[each for each in INSTANCES if each["image_id"] in ids],
            categories=[{"id": i, "name": name} for i, name in CATEGORIES.items()],
        )
        panoptic = []
        for image_id in sorted(SEGMENTS.keys() & ids):
            png = f"{image_id:012d}.png"
            panoptic.append(
                {"image_id": image_id, "file_name": png, "segments_info": SEGMENTS[image_id]}
            )
            labels = _LABELS[image_id]
            pixels = np.stack([labels >> shift & 255 for shift in (0, 8, 16)], axis=2)
            path = root / "annotations" / f"panoptic_{folder}" / png
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.astype(np.uint8)).save(path)
        categories = [{"id": i, "name": name, "isthing": i < 100} for i, name in STUFF.items()]
        _write(
            root, f"panoptic_{folder}", images=images, annotations=panoptic, categories=categories
        )
    data = [
        {
            "file_name": f"{TINY[image_id][0]}/{file_name(image_id)}",
            "image_id": image_id,
            "pan_seg_file_name": f"panoptic_{TINY[image_id][0]}/{image_id:012d}.png",
            "segments_info": SEGMENTS[image_id],
            "relations": relations,
        }
        for image_id, relations in RELATIONS.items()
    ]
    _write(root, "psg", data=data, predicate_classes=PREDICATES, test_image_ids=[])


def make_2014(root: Path) -> None:
    """Give a root of COCO 2017 the names of 2014, of which there is nothing panoptic."""
    annotations = root / "annotations"
    for path in annotations.glob("panoptic_*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for split in ("train", "val"):
        folder = (root / f"{split}2017").rename(root / f"{split}2014")
        for path in list(folder.iterdir()):
            path.rename(folder / f"COCO_{folder.name}_{path.name}")
        for kind in ("captions", "instances"):
            path = annotations / f"{kind}_{split}2017.json"
            document = json.loads(path.read_text())
            for image in document["images"]:
                image["file_name"] = f"COCO_{folder.name}_{image['file_name']}"
            path.rename(annotations / f"{kind}_{split}2014.json").write_text(json.dumps(document))


def _write(root: Path, name: str, **document: object) -> None:
    path = root / "annotations" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def _draw(path: Path, image_id: int) -> None:
    _, width, height = TINY[image_id]
    image = Image.new("RGB", (width, height), (20 * image_id % 256, 90, 160))
    ImageDraw.Draw(image).ellipse((4, 4, width - 6, height - 6), fill=(230, 40, 9 * image_id))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=90)


def _annotation(
    number: int, image_id: int, category_id: int, segmentation: object, iscrowd: int = 0
) -> dict[str, object]:
    # As in COCO itself, area and bbox are not to be trusted: here they are plainly wrong.
    return {
        "id": number,
        "image_id": image_id,
        "category_id": category_id,
        "segmentation": segmentation,
        "iscrowd": iscrowd,
        "area": 1.0,
        "bbox": [0, 0, 1, 1],
    }


#: One of everything; ids do not ascend with the image, as in COCO.
INSTANCES = [
    # A square and, overlapping it, a triangle.
    _annotation(501, 1, 1, [[2, 2, 22, 2, 22, 20, 2, 20]]),
    _annotation(102, 1, 18, [[15.5, 10.2, 36.1, 27.9, 14.3, 28.0]]),
    # Two polygons that are one mask, as COCO draws what is partly hidden.
    _annotation(103, 3, 62, [[1, 1, 9, 1, 9, 30, 1, 30], [14, 3, 22, 3, 22, 33, 14, 33]]),
    # 24 rows: columns 2 and 3 from row 1 to row 10. Compressed, then the same uncompressed.
    _annotation(104, 2, 1, {"size": [24, 32], "counts": "a1:>0od0"}),
    _annotation(105, 2, 62, {"size": [24, 32], "counts": [49, 10, 14, 10, 685]}),
    _annotation(106, 2, 1, {"size": [24, 32], "counts": [240, 480, 48]}, iscrowd=1),
    _annotation(107, 6, 18, [[5, 5, 30, 5, 30, 25, 5, 25]]),
    _annotation(108, 7, 1, [[0, 0, 32, 0, 32, 32, 0, 32]]),
    _annotation(109, 8, 62, [[3, 3, 20, 3, 12, 20]]),
    _annotation(110, 8, 1, [[12, 2, 22, 2, 22, 12, 12, 12]]),
    _annotation(111, 10, 18, {"size": [20, 36], "counts": [100, 200, 420]}),
]


def _labels(image_id: int, *rectangles: tuple[int, int, int, int, int]) -> np.ndarray:
    """A label map from (segment, x, y, w, h); later ones lie on top, 0 is unlabelled."""
    _, width, height = TINY[image_id]
    labels = np.zeros((height, width), np.int64)
    for segment, x, y, w, h in rectangles:
        labels[y : y + h, x : x + w] = segment
    return labels


_LABELS = {
    # A dog before a person, on a floor; ids that need all three bytes.
    1: _labels(1, (5000001, 0, 18, 40, 12), (8815818, 4, 2, 14, 20), (300, 12, 10, 16, 12)),
    # A person, a crowd, and a part without a label.
    2: _labels(2, (700, 0, 0, 10, 24), (65536, 20, 0, 12, 24)),
    6: _labels(6, (11, 0, 0, 40, 30), (22, 10, 10, 8, 8)),
    8: _labels(8, (33, 0, 0, 12, 24), (44, 12, 0, 12, 24)),
    10: _labels(10, (55, 0, 0, 36, 20), (66, 3, 3, 30, 10)),
}


def _segment(number: int, category_id: int, iscrowd: int = 0) -> dict[str, int]:
    return {"id": number, "category_id": category_id, "iscrowd": iscrowd, "isthing": 1, "area": 1}


SEGMENTS = {
    1: [_segment(5000001, 190), _segment(8815818, 1), _segment(300, 18)],
    2: [_segment(700, 1), _segment(65536, 1, iscrowd=1)],
    6: [_segment(11, 190), _segment(22, 18)],
    8: [_segment(33, 62), _segment(44, 1)],
    10: [_segment(55, 190), _segment(66, 18)],
}
PREDICATES = ["standing on", "in front of", "beside"]
#: Subject, object, predicate: places in segments_info and in PREDICATES.
RELATIONS = {
    1: [[1, 0, 0], [2, 0, 0], [2, 1, 1], [2, 1, 2], [2, 1, 1]],  # two of a pair; one said twice
    2: [[0, 1, 2]],  # with a crowd
    6: [[1, 0, 0]],
    8: [[1, 0, 2]],
    10: [],
}
