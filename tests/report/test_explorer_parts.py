"""What the pages of `semtok explore` are made of: outlines, captions, what was set aside."""

import json
import re
from itertools import pairwise

import cv2
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from semtok.data.index import CAPTIONS, SIBLINGS, TRUTH
from semtok.errors import SemtokError
from semtok.extract.masks import MASKS
from semtok.extract.rle import encode
from semtok.report.explorer import outlines, page, set_aside
from semtok.report.explorer.captions import Captions, Near
from semtok.report.explorer.extractions import Extraction
from semtok.report.explorer.told import rounded, runs
from semtok.report.explorer.views import View
from semtok.tables import REJECTED, write_table

MORPHS = cv2.MORPH_DILATE, cv2.MORPH_ERODE


def filled(path: str, width: int, height: int) -> np.ndarray:
    """The pixels inside an SVG path of straight lines, by the rule `evenodd`, as Pillow fills."""
    inside = np.zeros((height, width), bool)
    for part in filter(None, path.split("M")):
        if match := re.fullmatch(r"(\d+) (\d+)h(\d+)v(\d+)h-\d+z", part):
            x, y, w, h = map(int, match.groups())
            inside[y : y + h, x : x + w] ^= True
            continue
        points = [tuple(map(int, each.split())) for each in part.removesuffix("z").split("L")]
        one = Image.new("1", (width, height))
        ImageDraw.Draw(one).polygon(points, fill=1)
        inside ^= np.asarray(one)
    return inside


@settings(max_examples=40)
@given(
    st.integers(48, 700),
    st.floats(0.4, 1),
    st.lists(
        st.tuples(*[st.floats(0.1, 0.9)] * 2, *[st.floats(0.1, 0.4)] * 2), min_size=1, max_size=3
    ),
    st.booleans(),
)
def test_an_outline_covers_what_its_mask_does(width, aspect, ellipses, hollow):
    height = round(aspect * width)
    shape = height, width
    y, x = np.mgrid[:height, :width] / np.array(shape).reshape(2, 1, 1)
    mask = np.zeros(shape, bool)
    for cx, cy, w, h in ellipses:
        distance = ((x - cx) / w) ** 2 + ((y - cy) / h) ** 2
        mask |= distance < 1
        if hollow:
            mask &= distance > 0.2
    assume(mask.sum() > 50)
    wide, high = outlines.size(width, height)
    assert max(wide, high) == outlines.SIDE
    path, (at_x, at_y) = outlines.outline(mask.astype(np.uint8))
    drawn = filled(path, wide, high)
    wanted = np.asarray(Image.fromarray(mask).resize((wide, high), Image.Resampling.NEAREST))
    framed = np.pad(wanted.astype(np.uint8), 9)  # where the image ends, the mask does
    ends = [cv2.morphologyEx(framed, each, np.ones((7, 7)))[9:-9, 9:-9] for each in MORPHS]
    assert not ((drawn ^ wanted) & (ends[0] == ends[1])).any()  # three units from the edge at most
    assert (drawn & wanted).sum() / (drawn | wanted).sum() > 0.75
    assert wanted[at_y, at_x]


def test_a_mask_of_one_pixel_is_seen():
    for shape in ((24, 24), (3000, 40)):
        mask = np.zeros(shape, np.uint8)
        mask[7, 5] = 1
        path, place = outlines.outline(mask)
        wide, high = outlines.size(shape[1], shape[0])
        assert filled(path, wide, high).any()
        assert 0 <= place[0] < wide and 0 <= place[1] < high


@given(st.integers(1, 9), st.integers(0, 2**32))
def test_runs_tell_every_owner(side, seed):
    owners = np.random.default_rng(seed).integers(0, 3, (side, side)).astype(np.uint16)
    told = runs(owners)
    pairs = list(zip(told[::2], told[1::2], strict=True))
    assert [owner for owner, count in pairs for _ in range(count)] == owners.ravel().tolist()
    assert all(one != other for (one, _), (other, _) in pairwise(pairs))


def test_values_keep_three_digits():
    assert rounded(np.array([0.123456, -2.0, 1e-7, 0.0])) == [0.123, -2.0, 1e-7, 0.0]


@given(st.text())
def test_no_words_end_a_script(text):
    told = page._json([text, "</script><!-- \u2028"])
    assert "<" not in told and "\u2028" not in told and "\u2029" not in told
    assert json.loads(told) == [text, "</script><!-- \u2028"]


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """Three images: 7 and 9 share a caption's words, and one of 9's is true of 7."""
    folder = tmp_path_factory.mktemp("index")
    captions = [
        (1, 7, "a cat"),
        (2, 7, "a red cat"),
        (3, 9, "a dog"),
        (4, 9, "a cat"),
        (5, 11, "sky"),
    ]
    tables = {
        "captions": (captions, CAPTIONS),
        "truth": ([(1, 7), (2, 7), (3, 7), (3, 9), (4, 9), (5, 11)], TRUTH),
        "siblings": ([], SIBLINGS),
    }
    for name, (rows, schema) in tables.items():
        columns = list(map(list, zip(*rows, strict=True))) or [[]] * len(schema.columns)
        table = pa.table(
            dict(zip(schema.columns.names, columns, strict=True)), schema=schema.columns
        )
        write_table(folder / f"{name}.parquet", table, schema)
    rejected = [
        (None, 7, 2001, "annotations/captions.json", "empty caption"),
        (None, 13, None, "val2017/13.jpg", "unreadable image"),
    ]
    table = pa.table(list(map(list, zip(*rejected, strict=True))), schema=REJECTED.columns)
    write_table(folder / "rejected.parquet", table, REJECTED)
    return folder


def test_captions_are_told_once_and_what_is_right_is_marked(index):
    captions = Captions.of(index, [7, 9])
    assert captions.texts == ("a cat", "a red cat", "a dog")
    assert captions.of_image(9) == ["a cat", "a dog"] or captions.of_image(9) == ["a dog", "a cat"]
    assert {captions.texts[each] for each in captions.prototypes} == {"a cat", "a dog"}
    near = captions.near(7, np.array([0.1, 0.2, 0.9]))
    assert near.captions == (
        ("a dog", 0.9, "true"),
        ("a red cat", 0.2, "own"),
        ("a cat", 0.1, "own"),
    )
    assert near.rank == 1
    assert captions.near(9, np.array([0.1, 0.2, 0.15])).rank == 2
    tied = captions.near(9, np.array([0.3, 0.3, 0.1]))
    assert tied.rank == 2  # what is as near stands before
    assert [mark for _, _, mark in captions.near(None, np.array([0.1, 0.2, 0.9])).captions] == [
        ""
    ] * 3
    assert captions.near(None, np.zeros(3)).rank is None


def test_what_was_set_aside_is_told_by_image_and_stage(index, tmp_path):
    rows = [("0.parquet", 9, 88, "val2017/9.jpg", "crowd"), ("0.parquet", 11, 5, "x", "empty")]
    table = pa.table(list(map(list, zip(*rows, strict=True))), schema=REJECTED.columns)
    write_table(tmp_path / "rejected.parquet", table, REJECTED)
    found = set_aside.read({"masks@annotated-val": tmp_path}, index, [7, 9])
    assert found.of_images == {
        7: [("index", "entry 2001", "empty caption")],
        9: [("masks@annotated-val", "entry 88", "crowd")],
    }
    assert found.without_page == [("val2017/13.jpg", "unreadable image")]


def test_regions_of_tokens_are_found_among_masks(tmp_path):
    """Two masks in one place are told apart by being two; a region that is no mask is none."""
    squares = [(2, 3, 4, 5), (2, 3, 4, 5), (0, 0, 10, 10)]
    rows = []
    for number, (x, y, w, h) in enumerate(squares):
        mask = np.zeros((10, 20), bool)
        mask[y : y + h, x : x + w] = True
        rows.append(
            {"image_id": 4, "mask_id": number, "source_id": number, "category_id": 1}
            | {"category": f"thing {number}", "score": 1.0, "x": x, "y": y, "w": w, "h": h}
            | {"area": w * h, "height": 10, "width": 20, "counts": encode(mask).tolist()}
        )
    write_table(tmp_path / "0.parquet", pa.Table.from_pylist(rows, MASKS.columns), MASKS)
    extraction = Extraction(tmp_path, None)
    geometry = np.array([(0.25, 0.5, 0.5, 1, 0.5), *[(0.2, 0.55, 0.2, 0.5, 0.1)] * 3], np.float32)
    found = extraction.masks_of(4, geometry)
    assert found == [2, 0, 1, None]
    assert [mask["name"] for mask in extraction.of(4).masks] == ["thing 2", "thing 0", "thing 1"]
    assert extraction.of(5).masks == [] and extraction.masks_of(5, geometry) == [None] * 4


def test_a_variant_that_fails_midway_leaves_nothing(tmp_path):
    images = [page.Image(number, tmp_path / "none.jpg", "none.jpg", (8, 8)) for number in range(20)]
    made = page.Page(tmp_path, "title", images)

    def view(some):
        if some[0].image_id:
            raise SemtokError("of the second file")
        return [View(0, None, np.empty((0, 5)), (), {}, Near((), 2)) for _ in some]

    with pytest.raises(SemtokError, match="of the second file"):
        made.add_variant("vit", "grid", "", view)
    made.finish([])
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    contents = json.loads(re.search(r'id="contents">(.*)</script>', html)[1])
    assert contents["variants"] == [] and not list((tmp_path / "data").iterdir())
    assert not any(words or marks for _, words, _, _, marks in contents["images"])
