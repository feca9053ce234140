"""`scenes`: an embedded, procedural data set in the official COCO layout.

Every picture is a pure function of (seed, image id): `compose.scene` composes it, `render.render`
draws it, `observation.observe` says what of it can be seen. The pictures of val2017 come in
siblings: the same things on the same backdrop, but for one exchange (`swaps.py`, `siblings.py`).
From what can be seen, and from two
random streams of their own, come

- the annotations: exact visible pixels, and in `psg.json` an incomplete set of relations, as
  annotators leave it;
- the captions: sampled by a grammar from everything that holds in the picture, also what no
  annotation says (attributes, counts, left and right, relations that the annotators left out).

A caption may be true of other pictures too: `annotations/truth_val2017.json` lists all of these.
`annotations/siblings_val2017.json` has two sentences of the same words for each pair of siblings,
each true of one of them alone.

So captions are NOT written from the graph that semantic tokens are given. The two still share
much, as real ones do: about half of the relations that captions mention are annotated, while
fewer than one caption in ten says nothing but categories and annotated relations (tested).

Where `novel` is set, there is a second split to test on, novel2017, and some combinations of a look
and a category, or of two categories and an action, are held out for it (`held_out.py`): no other
picture shows one, and each picture of novel2017 does. All else is drawn alike.

An encounter (`encounter.py`) first draws who meets where, how large and how far limbs reach, and
then, apart from it, what is done: boxes do not tell one deed of an encounter from another (tested).

How to extend it: a category is a few lines of parts in a file of its kind (`catalogue.py` lists
the files), a deed one function of its encounter in `actions.py` or `mounts.py`, a backdrop one
function in `backdrops.py`.
"""

from dataclasses import dataclass
from pathlib import Path

from semtok.events import Emit, ignore


@dataclass(frozen=True)
class Settings:
    """What distinguishes one data set of scenes from another."""

    seed: int
    size: int  # pixels a side
    train: int  # images of train2017
    val: int  # images of val2017
    novel: int = 0  # images of novel2017, of combinations that the others never show; 0: none
    light: float = 0.0  # strongest bad light, blur and noise, 0 to 1; each image draws its own
    blur: float = 0.0
    noise: float = 0.0


def write(root: Path, settings: Settings, emit: Emit = ignore) -> None:
    """Write the data set in COCO's layout, with PSG's relations in `annotations/psg.json`.

    Image ids are odd in train2017 and even in val2017, and an image depends on the seed, its id,
    the size and whether there is a novel2017: growing one split changes no other image. Images
    4k + 2 and 4k + 4 of val2017 are siblings, and images 4k and 4k + 2 of novel2017.

    Args:
        root: an empty or missing folder.

    Raises:
        SemtokError: a setting is out of range.
    """
    from semtok.data.scenes.files import write_files

    write_files(root, settings, emit)
