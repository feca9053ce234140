"""Recall of predicted relations, as scene-graph generation reports it (arXiv 2002.11949)."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean

import pyarrow as pa

CUTS = (20, 50, 100)

_KEY = ("image_id", "subject", "object", "predicate")


def recall(found: pa.Table, wanted: pa.Table, cuts: Sequence[int] = CUTS) -> dict[str, float]:
    """How many annotated relations are among the K likeliest ones of their image.

    R@K is the mean over images of the share of an image's relations that are found; mR@K the mean
    over predicates of that share among the predicate's own relations, so that rare ones count as
    much. Under the graph constraint a pair states its likeliest predicate alone; `ng` is without.

    Args:
        found: schema `SCENE_GRAPHS`, on the very masks that `wanted` speaks of.
        wanted: schema `SCENE_GRAPHS`, each relation once; images without any do not count.
        cuts: the K.

    Returns:
        R@K, mR@K, ng-R@K, ng-mR@K for each K, 0 to 1; 0 where nothing is wanted.
    """
    truth: dict[int, list[tuple[int, int, str]]] = defaultdict(list)
    for image_id, *relation in zip(*(wanted[name].to_pylist() for name in _KEY), strict=True):
        truth[image_id].append(tuple(relation))
    ranked: dict[int, list[tuple[int, int, str]]] = defaultdict(list)
    ordered = found.sort_by([("score", "descending"), *((name, "ascending") for name in _KEY)])
    for image_id, *relation in zip(*(ordered[name].to_pylist() for name in _KEY), strict=True):
        ranked[image_id].append(tuple(relation))
    values = {}
    for prefix, states in (("", _one_a_pair), ("ng-", list)):
        stated = {image_id: states(ranked[image_id]) for image_id in truth}
        for cut in cuts:
            of_image, of_predicate = [], defaultdict(list)
            for image_id, relations in truth.items():
                among = set(stated[image_id][:cut])
                of_image.append(fmean(each in among for each in relations))
                for name in {each[2] for each in relations}:
                    own = [each in among for each in relations if each[2] == name]
                    of_predicate[name].append(fmean(own))
            values[f"{prefix}R@{cut}"] = fmean(of_image) if of_image else 0.0
            means = [fmean(each) for each in of_predicate.values()]
            values[f"{prefix}mR@{cut}"] = fmean(means) if means else 0.0
    return values


def _one_a_pair(relations: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """The first relation of each ordered pair."""
    first: dict[tuple[int, int], tuple[int, int, str]] = {}
    for each in relations:
        first.setdefault(each[:2], each)
    return list(first.values())
