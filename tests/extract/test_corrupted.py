"""What is found in corrupted images, beside what is found in them as they are."""

import pytest

from semtok.events import Event, Progress
from semtok.extract.backends import find_backend
from semtok.extract.corruptions import KINDS
from tests.extract.conftest import Extraction


def test_work_on_all_corruptions_is_told_as_one(tiny: Extraction) -> None:
    tiny.use("superpixels", "geometry", superpixels={"regions": 5})
    tiny.masks()
    told: list[Event] = []
    tiny.corrupted_masks([2, 4], told.append)
    progress = [each for each in told if isinstance(each, Progress)]
    assert {each.what for each in progress} == {"masks in corrupted images"}
    images = len({row["image_id"] for row in tiny.rows()})
    assert {each.total for each in progress} == {2 * len(KINDS) * images}
    done = [each.done for each in progress]
    assert done == sorted(done) and (done[0], done[-1]) == (0, progress[0].total)


@pytest.mark.parametrize(
    ("kind", "name", "seen"),
    [
        *(("masks", each, False) for each in ("instances", "panoptic")),
        *(("masks", each, True) for each in ("superpixels", "detector", "transformers", "sam2")),
        *(("scene_graphs", each, False) for each in ("psg", "visual_genome", "geometry")),
        ("scene_graphs", "relation_model", True),
    ],
)
def test_what_looks_at_pixels_is_shown_corrupted_ones(kind: str, name: str, seen: bool) -> None:
    needed = {"model": "some/model"} if name in ("transformers", "sam2") else {}
    assert find_backend(kind, name, {name: needed}).reads_pixels is seen
