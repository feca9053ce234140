"""The words of a caption, as data sets tag them and benchmarks reorder them."""

import re


def words_of(caption: str) -> list[str]:
    """A caption's words in lower case, without punctuation."""
    return re.findall(r"[\w'-]+", caption.lower())
