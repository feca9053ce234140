"""What a shard says of each of its images."""

import numpy as np
import pyarrow as pa

from semtok.data.index import IMAGES
from semtok.extract.backends import FoundMask, FoundMasks
from semtok.extract.masks import arranged
from semtok.extract.scene_graphs import SCENE_GRAPHS
from semtok.tokens.extraction import ExtractionShard

IDS = (5, 2**63 - 2, 2**63 - 1)


def test_every_image_has_its_own_up_to_the_last_id():
    rows = [
        dict.fromkeys(IMAGES.columns.names) | {"image_id": each, "height": 4, "width": 4}
        for each in IDS
    ]
    owners = [(each, number) for each in IDS for number in range(2)]
    found = [
        FoundMask(*owner, 1, "a", 1.0, "", np.array([at, at + 1, 15 - 2 * at]))
        for at, owner in enumerate(owners)
    ]
    images = pa.Table.from_pylist(rows, schema=IMAGES.columns)
    masks = arranged(FoundMasks.of(found, []), images)
    relations = [(each, 0, str(each), 1, 1.0, "") for each in IDS]
    named = [dict(zip(SCENE_GRAPHS.columns.names, each, strict=True)) for each in relations]
    shard = ExtractionShard(masks, pa.Table.from_pylist(named, schema=SCENE_GRAPHS.columns))
    for at, image_id in enumerate(IDS):
        seen = shard.of(image_id)
        np.testing.assert_array_equal(seen.areas, [2 * at + 1, 2 * at + 2])
        assert seen.predicates.tolist() == [str(image_id)]
