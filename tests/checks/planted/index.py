from semtok.data.index import CAPTIONS, IMAGES, SIBLINGS, SPLITS, TRUTH
from tests.checks.planted import Fault, editing, rejecting, repeating, setting
from tests.checks.tiny_line import Row

_IMAGES = ("images.parquet", IMAGES)
_CAPTIONS = ("captions.parquet", CAPTIONS)
_TRUTH = ("truth.parquet", TRUTH)
_SIBLINGS = ("siblings.parquet", SIBLINGS)
_SPLITS = ("splits.parquet", SPLITS)


def _without(image_id: int) -> object:
    return lambda rows: [row for row in rows if row["image_id"] != image_id]


def _true(*pairs: tuple[int, int]) -> object:
    """In train every caption is true of its own image; and so are these pairs."""
    own = [(10 * image_id + n, image_id) for image_id in (1, 2, 3, 4) for n in range(2)]
    names = TRUTH.columns.names
    return lambda rows: [dict(zip(names, pair, strict=True)) for pair in (*own, *pairs)]


def _copy_of_1_in_val(rows: list[Row]) -> None:
    """A copy of a training image under an id and a name of the validation split."""
    rows[4] |= {"path": rows[0]["path"], "sha256": rows[0]["sha256"]}


FAULTS = [
    Fault("index", "duplicate_images", repeating(*_IMAGES), "image_id=1 "),
    Fault("index", "images_without_pixels", setting(*_IMAGES, 1, height=0), "image_id=2 "),
    Fault("index", "images_not_as_listed", setting(*_IMAGES, 1, sha256="0" * 64), "image_id=2 "),
    Fault("index", "images_not_as_listed", setting(*_IMAGES, 1, path="a.jpg"), "path=a.jpg"),
    Fault("index", "images_without_caption", editing(*_CAPTIONS, _without(2)), "image_id=2 "),
    Fault("index", "images_without_split", editing(*_SPLITS, _without(2)), "image_id=2 "),
    Fault("index", "duplicate_captions", repeating(*_CAPTIONS), "caption_id=10 "),
    Fault("index", "empty_captions", setting(*_CAPTIONS, 3, caption=" \t"), "caption_id=21 "),
    Fault("index", "empty_captions", setting(*_CAPTIONS, 3, caption=None), "caption_id=21 "),
    Fault("index", "captions_without_image", setting(*_CAPTIONS, 1, image_id=77), "image_id=77"),
    Fault(
        "index",
        "captions_untrue_of_their_image",
        editing(*_TRUTH, lambda rows: rows.append({"caption_id": 10, "image_id": 1})),
        "caption_id=11 image_id=1",
    ),
    Fault(
        "index", "duplicate_truths", editing(*_TRUTH, _true((21, 2))), "caption_id=21 image_id=2"
    ),
    Fault(
        "index",
        "truths_of_nothing",
        editing(*_TRUTH, _true((21, 101))),
        "image_id=101",
        {"captions_untrue_of_their_image"},
    ),
    Fault("index", "truths_of_nothing", editing(*_TRUTH, _true((21, 77))), "image_id=77"),
    Fault("index", "truths_of_nothing", editing(*_TRUTH, _true((77, 2))), "caption_id=77"),
    Fault("index", "siblings_apart", setting(*_SIBLINGS, 0, first_image_id=1), "first_image_id=1 "),
    Fault("index", "siblings_apart", setting(*_SIBLINGS, 0, second_image_id=777), "_id=777"),
    Fault(
        "index",
        "siblings_out_of_order",
        setting(*_SIBLINGS, 0, first_image_id=102, second_image_id=101),
        "first_image_id=102 ",
    ),
    Fault("index", "siblings_of_many", setting(*_SIBLINGS, 1, first_image_id=101), "_id=101 "),
    Fault("index", "siblings_of_many", setting(*_SIBLINGS, 0, second_image_id=103), "_id=103"),
    Fault(
        "index", "siblings_told_alike", setting(*_SIBLINGS, 2, first_caption=" "), "_image_id=105 "
    ),
    Fault(
        "index",
        "siblings_told_alike",
        setting(*_SIBLINGS, 2, first_caption="other on one"),
        "_image_id=105 ",
    ),
    Fault("index", "images_split_twice", repeating(*_SPLITS), "image_id=1 split=train"),
    Fault("index", "unknown_splits", setting(*_SPLITS, 1, split="dev"), "image_id=2 split=dev"),
    Fault(
        "index",
        "split_rows_without_image",
        editing(*_SPLITS, lambda rows: rows.append({"image_id": 77, "split": "val"})),
        "image_id=77",
    ),
    Fault(
        "index",
        "hashes_in_two_splits",
        editing(*_IMAGES, _copy_of_1_in_val),
        "image_id=[1, 101] splits=['train', 'val']",
    ),
    Fault(
        "index",
        "images_per_split",
        editing(*_SPLITS, lambda rows: [{**row, "split": "train"} for row in rows]),
        "split=val images_per_split=0",
    ),
    rejecting("index"),
]
