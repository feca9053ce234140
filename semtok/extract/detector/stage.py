"""The stage `detector`: trains it, and says how well it does and what it costs."""

import time

import pyarrow as pa
import pyarrow.compute as pc

from semtok.extract import learning
from semtok.extract.average_precision import average_precision
from semtok.extract.detector import Settings, new_network
from semtok.extract.detector.prediction import regions
from semtok.extract.detector.training import train
from semtok.extract.extracted import extracted_masks
from semtok.extract.photos import read_image, to_tensor
from semtok.params import DetectorSettings, ExtractorSettings
from semtok.sharding import Partition

#: For average precision nearly all that is found counts, in the order of its score.
_ALL = {"detector": {"score": 0.05, "masks": 100}}


def build(
    partition: Partition,
    val: Partition,
    files: pa.Table,
    extractor: ExtractorSettings,
    settings: DetectorSettings,
) -> pa.Table:
    """Fill a staging folder with a trained detector, its `quality.json` and its `cost.json`.

    Args:
        partition: the training images, and the staging folder.
        val: the images that it is judged by.
        files: schema `FILES`, those of the data root.
        extractor: whose masks are the truth.
        settings: how to train.

    Returns:
        Schema `MASKS`: what a backend with the usual settings finds in the images of val.

    Raises:
        SemtokError: annotations or images cannot be read, or the training failed.
    """
    staging = partition.staging
    wanted = extracted_masks(partition, files, extractor)
    train(partition.root, partition.images, wanted, settings, staging, partition.emit)

    started = time.perf_counter()
    own = ExtractorSettings("detector", "geometry", _ALL)
    found = extracted_masks(val, files, own, staging)
    seconds = time.perf_counter() - started
    quality = average_precision(found, extracted_masks(val, files, extractor))
    learning.write_json(staging / "quality.json", quality)

    config = learning.read_json(staging / "config.json")
    network = new_network(config).eval()
    first = read_image(val.root / val.images["path"][0].as_py(), settings.image_size)
    cost = {
        **learning.size(network, lambda: regions(network, to_tensor([first]))),
        "seconds_per_image": seconds / val.images.num_rows,
        "labels": {"images": partition.images.num_rows, "masks": wanted.num_rows},
    }
    learning.write_json(staging / "cost.json", cost)
    return found.filter(pc.greater_equal(found["score"], Settings().score))
