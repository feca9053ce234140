"""What is kept of similarities, against the ranks that were made of them."""

import polars as pl

from semtok.checks.rules import Rule

#: Of a case's images to its captions (`bench/shown_similarities.py`). They are rounded to half of
#: this: of two that differ by less, either may have been the higher one.
_SIMILAR, _ROUNDED = pl.col("similarities"), 2e-6

#: Vectors are as good as of unit length where they are off by a thousandth (`bench/embedding.py`).
_LARGEST = 1.003

_OF_FIRST_IMAGE = _SIMILAR.list.first()


def _of(image: int, caption: int) -> pl.Expr:
    """One of them; null where there is no such image or caption."""
    return _SIMILAR.list.get(image, null_on_oob=True).list.get(caption, null_on_oob=True)


def _above(difference: float) -> pl.Expr:
    """How many captions are above the right one by so much; by less than 0, itself included."""
    above = pl.element() - pl.element().first() >= difference
    return _OF_FIRST_IMAGE.list.eval(above.sum()).list.first()


_IN_RANGE = (
    _SIMILAR.list.eval(pl.element().explode())
    .list.eval(pl.element().is_between(-_LARGEST, _LARGEST))
    .list.all()
)
#: Of two images and their captions: by how much each image prefers its own caption, and each
#: caption its own image, at least.
_CAPTIONS_APART = pl.min_horizontal(_of(0, 0) - _of(0, 1), _of(1, 1) - _of(1, 0))
_IMAGES_APART = pl.min_horizontal(_of(0, 0) - _of(1, 0), _of(1, 1) - _of(0, 1))
_APART = (
    pl.when(pl.col("task") == "text")
    .then(_CAPTIONS_APART)
    .when(pl.col("task") == "image")
    .then(_IMAGES_APART)
    .otherwise(pl.min_horizontal(_CAPTIONS_APART, _IMAGES_APART))
)
_OF_TWO_PAIRS = (_SIMILAR.list.eval(pl.element().list.len() == 2)).list.all()

_AS_RANKED = (
    pl.when(_SIMILAR.list.len() == 2)
    .then(
        _OF_TWO_PAIRS
        & pl.when(pl.col("rank") == 1).then(_APART >= -_ROUNDED).otherwise(_APART <= _ROUNDED)
    )
    # A statement alone is judged by a threshold, which nobody kept.
    .when(_OF_FIRST_IMAGE.list.len() == 1)
    .then(pl.lit(True))
    .otherwise(
        (_OF_FIRST_IMAGE.list.len() == pl.col("candidates"))
        & pl.col("rank").is_between(1 + _above(_ROUNDED), _above(-_ROUNDED))
    )
)

RULE = Rule(
    "similarities_against_ranks",
    "similarities lie in -1..1, are of all candidates, and put the right one where its rank does",
    _SIMILAR.is_not_null() & ~(_IN_RANGE & _AS_RANKED).fill_null(False),
)
