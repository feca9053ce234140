"""Rows on images that the data set lacks: counted, listed, and refused beyond a share."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from semtok.bench import aro, corloc, missing, official, saliency, sugar_crepe, vsr, winoground
from semtok.bench.benchmark import split_data
from semtok.bench.missing import MISSING, NAME
from semtok.data.rejects import Reject, table
from semtok.errors import SemtokError
from semtok.tables import REJECTED, read_table, write_table
from semtok.tokens.shards import TokenShards
from tests.bench.conftest import image_name

#: Ids of `with_files`, and what becomes of rows on them.
TRAIN, VAL, TEST, UNREADABLE, NOWHERE = (1, 2), (100, 101), (105, 106), (900, 901), (910, 911)
UNTOLD = 107  # of test, but its tokens were not made
REASONS = {
    **dict.fromkeys(UNREADABLE, "unreadable: broken"),
    **dict.fromkeys(NOWHERE, "no image of the data set"),
    UNTOLD: "set aside when tokens were made of it",
}


class Some:
    """The images of a split but for one."""

    def __init__(self, images):
        self.image_ids = images.image_ids[images.image_ids != UNTOLD]


@pytest.fixture
def images(trained):
    every = {split: TokenShards(path) for split, path in trained.shards.items()}
    return {**every, "test": Some(every["test"])}


def statement(image_id, number):
    row = {"image": image_name(image_id), "caption": f"it is {number}"}
    return json.dumps(row | {"label": number % 2, "relation": "on"})


def aside(folder, extra=()):
    """Images and captions that were set aside when they were indexed."""
    rejects = [
        Reject(each, None, f"val2017/{image_name(each)}", REASONS[each]) for each in UNREADABLE
    ]
    write_table(folder / "rejected.parquet", table([*rejects, *extra]), REJECTED)


@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60
)
@given(
    on=st.lists(
        st.sampled_from([*TRAIN, *VAL, *TEST, *UNREADABLE, *NOWHERE, UNTOLD]),
        min_size=1,
        max_size=12,
    ),
    share=st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]),
)
def test_rows_are_borne_up_to_the_share_and_all_of_them_listed(
    with_files, images, tmp_path, on, share
):
    known = with_files({vsr.FILE: "\n".join(statement(each, n) for n, each in enumerate(on))})
    aside(known.folder)
    lacking = [each for each in on if each in REASONS]
    told = []
    arguments = (known.folder, {"vsr": vsr}, images, share, tmp_path, told.append)
    if len(lacking) > share * len(on):
        first = sorted(lacking)[0]
        with pytest.raises(SemtokError) as refused:
            missing.hold(*arguments)
        assert "\n" not in str(refused.value) and not told
        assert str(refused.value).startswith(f"{known.folder}/benchmarks/{vsr.FILE}: the data set")
        assert f"of {len(lacking)} of {len(on)} rows (" in str(refused.value)
        assert f"{share:.2%}: {image_name(first)} ({REASONS[first]})" in str(refused.value)
        return
    missing.hold(*arguments)
    listed = read_table(tmp_path / NAME, MISSING).to_pylist()
    assert [(row["file"], row["image"], row["rows"], row["reason"]) for row in listed] == [
        (vsr.FILE, image_name(each), lacking.count(each), REASONS[each])
        for each in sorted(set(lacking))
    ]
    assert len(told) == bool(lacking)


def test_the_first_images_are_named(with_files, images, tmp_path):
    """Whole images alone: a caption of one that is there was set aside for another reason."""
    files = {f"sugar_crepe/{name}.json": {} for name in sugar_crepe.SUBSETS}
    files["sugar_crepe/add_obj.json"] = {
        str(n): {"filename": image_name(each), "caption": "a", "negative_caption": "b"}
        for n, each in enumerate([*range(900, 907), 105, 1, 1])
    }
    known = with_files(files)
    aside(known.folder, [Reject(105, 5, f"val2017/{image_name(105)}", "empty caption")])
    told = []
    for share in (0.7, 0.69):
        arguments = (known.folder, {"sugar_crepe": sugar_crepe}, images, share, tmp_path)
        if share == 0.7:
            missing.hold(*arguments, told.append)
        else:
            with pytest.raises(SemtokError) as refused:
                missing.hold(*arguments)
    named = ", ".join(f"{image_name(each)} (unreadable: broken)" for each in UNREADABLE)
    named += "".join(f", {image_name(n)} (no image of the data set)" for n in (902, 903, 904))
    says = "the data set lacks the images of 7 of 10 rows (70.00%)"
    assert [each.text for each in told] == [
        f"sugar_crepe/add_obj.json: {says}: {named}, and 2 more; missing.parquet lists them"
    ]
    assert str(refused.value) == (
        f"{known.folder}/benchmarks/sugar_crepe/add_obj.json: {says}, bench.missing_share allows "
        f"69.00%: {named}, and 2 more; put the images into the data root and run the stages again "
        "from images on, take sugar_crepe out of bench.benchmarks, or raise bench.missing_share in "
        "params.yaml, and missing.parquet beside the scores lists them"
    )


def test_a_row_of_two_images_misses_either(with_files, images, tmp_path):
    pairs = [(105, 106), (105, 910), (911, 910), (1, 2)]
    rows = [
        {"id": n, "tag": "a", "collapsed_tag": "b", "caption_0": "x", "caption_1": "y"}
        | {f"image_{side}": image_name(pair[side]) for side in (0, 1)}
        for n, pair in enumerate(pairs)
    ]
    known = with_files({winoground.FILE: "\n".join(map(json.dumps, rows))})
    told = []
    held = {"winoground": winoground}
    missing.hold(known.folder, held, images, 0.5, tmp_path, told.append)
    assert "the images of 2 of 4 rows (50.00%)" in told[0].text
    listed = read_table(tmp_path / NAME, MISSING).to_pylist()
    assert {row["image"]: row["rows"] for row in listed} == {image_name(910): 2, image_name(911): 1}


def test_every_file_of_a_benchmark_is_held_for_itself(with_files, tmp_path):
    order = {"image": f"val2014/COCO_val2014_{image_name(105)}", "caption": [], "tags": []}
    relation = {"image_path": "1592.jpg", "true_caption": "a", "false_caption": "b"}
    relation |= {f"bbox_{side}": 8 for side in "xywh"} | {"relation_name": "on"}
    known = with_files(
        {
            "aro/coco_order.json": [order] * 99,
            "aro/visual_genome_relation.json": [relation],
            f"{saliency.FOLDER}/{image_name(105)[:-4]}.png": b"",
            f"{saliency.FOLDER}/1.png": b"",
            f"{corloc.FOLDER}/{image_name(1)[:-4]}.xml": b"",
        }
    )
    with pytest.raises(SemtokError, match=r"relation\.json: .* of 1 of 1 rows .*take aro out"):
        missing.hold(known.folder, {"aro": aro}, {}, 0.5, tmp_path)
    told = []
    held = {"saliency": saliency, "corloc": corloc}
    missing.hold(known.folder, held, {}, 0.5, tmp_path, told.append)
    assert [each.text.partition(" (50.00%): ")[2] for each in told] == [
        "1 (no image of the data set); missing.parquet lists them"
    ]


def test_rows_without_tokens_are_not_said_to_be_asked(trained, with_files):
    on = [105, UNTOLD, 1]
    known = with_files({vsr.FILE: "\n".join(statement(each, n) for n, each in enumerate(on))})
    data = split_data("test", TokenShards(trained.shards["test"]), known)
    told, short = [], replace(data, images=Some(data.images))
    official.tell(short, "vsr", [image_name(each) for each in on], told.append)
    assert told[0].text == (
        "vsr: 1 of 3 rows are on images of test; not asked: test, set aside 1, train 1"
    )
    assert np.array_equal(official.image_ids(short, [image_name(UNTOLD)]), [-1])
