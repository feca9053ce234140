"""The stage `relation_model`: trains it, and says how well it does and what it costs."""

import time
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from semtok.extract import annotated_predicates, relation_frequency, trained
from semtok.extract.extracted import extracted
from semtok.extract.relation_model import Settings, new_network
from semtok.extract.relation_model.network import CHANNELS, GEOMETRY
from semtok.extract.relation_model.training import train
from semtok.extract.relation_recall import CUTS, recall
from semtok.json_files import read_json, write_json
from semtok.params import ExtractorSettings, RelationModelSettings
from semtok.sharding import Partition

#: For recall all that can be said counts, in the order of its score.
_ALL = {"relation_model": {"score": 0.0, "relations": 100_000, "masks": 1000}}

#: Images of val that are enough to judge by; a sentence for every pair of masks fills tables.
_JUDGED = 1000


def build(
    partition: Partition,
    val: Partition,
    files: pa.Table,
    extractor: ExtractorSettings,
    settings: RelationModelSettings,
) -> tuple[pa.Table, pa.Table]:
    """Fill a staging folder with a trained model, what it learned from, how well and how dearly.

    Args:
        partition: the training images, and the staging folder.
        val: the images that it is judged by, with their annotated masks given.
        files: schema `FILES`, those of the data root.
        extractor: whose masks and relations are the truth.
        settings: how to train.

    Returns:
        Annotated masks of val (schema `MASKS`), and the relations among them that are as likely as
        the usual settings ask for (schema `SCENE_GRAPHS`).

    Raises:
        SemtokError: annotations or images cannot be read, or the training failed.
    """
    staging = partition.staging
    masks, relations = extracted(partition, files, extractor)
    train(partition.root, partition.images, masks, relations, settings, staging, partition.emit)
    annotated_predicates.write(relations, staging)

    val = replace(val, images=val.images.slice(0, _JUDGED))
    started = time.perf_counter()
    own = replace(extractor, scene_graphs="relation_model", settings={**extractor.settings, **_ALL})
    given, found = extracted(val, files, own, staging)
    seconds = time.perf_counter() - started
    wanted = extracted(val, files, extractor)[1]
    frequencies = relation_frequency.count(masks, relations)
    guessed = relation_frequency.state(frequencies, given, max(CUTS))
    quality = {**recall(found, wanted), "frequency": recall(guessed, wanted)}
    write_json(staging / "quality.json", quality)

    config = read_json(staging / "config.json")
    network = new_network(config).eval()
    size = settings.crop_size
    pair = torch.zeros(1, CHANNELS, size, size), torch.zeros(1, GEOMETRY)
    of_a_pair = trained.size(network, lambda: network(*pair))
    counts = given.group_by("image_id").aggregate([("mask_id", "count")])["mask_id_count"]
    judged = np.minimum(counts.to_numpy(), Settings().masks)
    pairs = int((judged * (judged - 1)).sum())
    cost = {
        "parameters": of_a_pair["parameters"],
        "flops_per_image": of_a_pair["flops_per_image"] * pairs / val.images.num_rows,
        "seconds_per_image": seconds / val.images.num_rows,
        "labels": {
            "images": partition.images.num_rows,
            "masks": masks.num_rows,
            "relations": relations.num_rows,
        },
    }
    write_json(staging / "cost.json", cost)
    return given, found.filter(pc.greater_equal(found["score"], Settings().score))
