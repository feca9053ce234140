"""Trainings of an earlier artifact, kept where all that they depend on is as it was.

The stage runs again whenever something that it reads is another one: the index, say, once the file
of a benchmark has joined the data root. Trainings that read the same as before are not repeated.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import torch

from semtok.params import EncoderSettings, TextSettings, TrainSettings, VariantSettings
from semtok.tables import FINGERPRINT, read_metadata
from semtok.tokens.shards import TokenShards
from semtok.train.captions import Captions
from semtok.workspace import digest, fingerprint

#: Of the recipe, what makes more trainings or fewer, and none of them another one.
_OF_ALL = ("learning_rate", "search", "seeds")


@dataclass(frozen=True)
class Earlier:
    """What can be kept.

    Attributes:
        folders: seed -> its checkpoint; empty where all has to be trained anew.
        rate: the learning rate that was chosen.
        tried: what each rate achieved (`search.choose`).
    """

    folders: Mapping[int, Path] = field(default_factory=dict)
    rate: float = 0.0
    tried: Mapping[str, float | None] = field(default_factory=dict)


def premises(
    train_shards: Path,
    val_shards: Path,
    captions: pa.Table,
    variant: VariantSettings,
    encoder: EncoderSettings,
    text: TextSettings,
    settings: TrainSettings,
    source: str,
) -> str:
    """Identify all that a training depends on, its seed and its learning rate aside.

    Args:
        captions: of both splits at least; those of other images do not count.
        source: fingerprint of the code.
        train_shards, val_shards, variant, encoder, text, settings: as of `train.train`.
    """
    # A folder by its files, which may have been replaced under the same name, and moved with the
    # project; of a model of the hub nobody can say.
    if tower := text.folder(Path()):
        text = replace(text, tower=digest(tower))
    recipe = {name: value for name, value in asdict(settings).items() if name not in _OF_ALL}
    folders = train_shards, val_shards
    return fingerprint(
        json.dumps([asdict(variant), asdict(encoder), asdict(text), recipe]),
        *(_content(each) for each in folders),
        *(Captions(captions, TokenShards(each).image_ids).fingerprint() for each in folders),
        *(torch.__version__, "cuda" if torch.cuda.is_available() else "cpu"),
        source,
    )


def find(published: Path, same: str, first: int, rates: Sequence[float]) -> Earlier:
    """The trainings of a published checkpoint that would be the same if they were repeated.

    Args:
        published: the artifact, which nobody has changed since it was judged.
        same: the `premises` of today.
        first: the seed with which a rate is chosen; where its training is another one, so is all.
        rates: the learning rates to try, ascending.
    """
    facts = {
        int(path.parent.name.removeprefix("seed-")): json.loads(path.read_text(encoding="utf-8"))
        for path in published.glob("seed-*/training.json")
    }
    kept = {seed: each for seed, each in facts.items() if each.get("premises") == same}
    if first not in kept:
        return Earlier()
    rate, tried = kept[first]["learning_rate"], kept[first]["search"]
    chosen_alike = not tried or kept[first]["searched_with"] == first
    if not chosen_alike or (sorted(map(float, tried)) or [rate]) != list(rates):
        return Earlier()
    folders = {
        seed: published / f"seed-{seed}"
        for seed, each in kept.items()
        if (each["learning_rate"], each["search"]) == (rate, tried)
    }
    return Earlier(folders, rate, tried)


def _content(folder: Path) -> str:
    """What a folder of shards was made of."""
    paths = sorted(folder.glob("*.arrow"))
    return fingerprint(*(f"{each.name} {read_metadata(each)[FINGERPRINT]}" for each in paths))
