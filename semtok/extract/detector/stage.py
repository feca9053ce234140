"""The stage `detector`: trains it, and says how well it does and what it costs."""

import time
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from semtok.extract import trained
from semtok.extract.average_precision import average_precision
from semtok.extract.convolutions import to_tensor
from semtok.extract.crossfit import folds_of
from semtok.extract.detector import Settings, new_network
from semtok.extract.detector.network import Network
from semtok.extract.detector.prediction import find
from semtok.extract.detector.training import train
from semtok.extract.extracted import extracted_masks
from semtok.extract.photos import read_image
from semtok.json_files import write_json
from semtok.params import DetectorSettings, ExtractorSettings
from semtok.remote import AnyPath
from semtok.sharding import Partition

#: For average precision nearly all that is found counts, in the order of its score.
_ALL = {"detector": {"score": 0.05, "masks": 100}}

#: Images of val that FLOPs are counted on: a mask that is found has to be drawn as well.
_LOOKED_AT = 32


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
    write_json(staging / "quality.json", quality)

    looked_at = val.images.slice(0, _LOOKED_AT)
    networks = trained.load(staging, new_network)
    cost = {
        **trained.size(
            networks[0],
            lambda: _look(networks, val.root, looked_at, settings.image_size),
            looked_at.num_rows,
        ),
        "seconds_per_image": seconds / val.images.num_rows,
        "labels": {"images": partition.images.num_rows, "masks": wanted.num_rows},
    }
    write_json(staging / "cost.json", cost)
    return found.filter(pc.greater_equal(found["score"], Settings().score))


def _look(networks: Sequence[Network], root: AnyPath, images: pa.Table, size: int) -> None:
    """Show each image to the network of its fold."""
    own = folds_of(images["image_id"].to_numpy(), len(networks))
    for path, fold in zip(images["path"].to_pylist(), own.tolist(), strict=True):
        find(networks[fold], to_tensor([read_image(root / path, size)]).to(trained.device()))
