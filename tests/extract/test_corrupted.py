"""What is found in corrupted images, beside what is found in them as they are."""

from semtok.events import Event, Progress
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
