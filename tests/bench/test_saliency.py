"""The benchmarks `saliency` and `corloc`: known answers, and a variant through all of scoring."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from semtok.bench import corloc, saliency
from semtok.bench.benchmark import split_data
from semtok.bench.cases import metrics
from semtok.bench.embedding import Model
from semtok.bench.lost import gram_bias, hits, lost
from semtok.bench.overlap import overlap
from semtok.bench.scoring import score
from semtok.bench.token_cut import token_cut
from semtok.bench.token_maps import TokenMap
from semtok.data import voc
from semtok.errors import SemtokError
from semtok.tokens.shards import TokenShards


def truth_of(image_id: int) -> np.ndarray:
    """A rectangle in 8 x 8 pixels, another one for each image."""
    truth = np.zeros((8, 8), bool)
    truth[image_id % 3 : 4 + image_id % 3, 1 : 4 + image_id % 4] = True
    return truth


def png(mask: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(stream, "png")
    return stream.getvalue()


def xml(mask: np.ndarray) -> str:
    (top, bottom), (left, right) = (np.flatnonzero(mask.any(axis))[[0, -1]] + 1 for axis in (1, 0))
    ends = {"xmin": left, "ymin": top, "xmax": right, "ymax": bottom}
    box = "".join(f"<{name}>{at}</{name}>" for name, at in ends.items())
    return (
        "<annotation><filename>x.jpg</filename><size><width>8</width><height>8</height></size>"
        f"<object><bndbox>{box}</bndbox></object></annotation>"
    )


@pytest.fixture
def asked(trained) -> list[int]:
    """Images of test that have files; the others are not asked."""
    return sorted(TokenShards(trained.shards["test"]).image_ids.tolist())[:20]


@pytest.fixture
def known(with_files, asked):
    """Files of images of test, of train (image 3), and of none."""
    files = {}
    for each in (*asked, 3, 999):
        files[f"saliency/ground_truth_mask/{each:012d}.png"] = png(truth_of(each))
        files[f"corloc/Annotations/{each:012d}.xml"] = xml(truth_of(each))
    return with_files(files)


class Drawn:
    """A model whose tokens are pixels, told apart by what a function says of each image."""

    def __init__(self, side_of) -> None:
        self._side_of = side_of

    def token_maps(self, images, features, emit):
        ends = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        for image_id in images.image_ids.tolist():
            side = self._side_of(image_id).astype(int)
            yield TokenMap(ends[side.ravel()], np.arange(side.size).reshape(side.shape))


def values(table) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for row in table.sort_by([("task", "ascending"), ("case_id", "ascending")]).to_pylist():
        found.setdefault(row["task"], []).append(row["value"])
    return found


def test_a_perfect_model_has_everything_and_a_constant_one_the_floor(trained, known, asked) -> None:
    data = split_data("test", TokenShards(trained.shards["test"]), known)
    perfect, constant = Drawn(truth_of), Drawn(lambda image_id: np.zeros((2, 2), bool))
    for found in values(saliency.score(perfect, data)).values():
        assert found == pytest.approx([100] * len(asked))
    assert values(corloc.score(perfect, data)) == {"lost": [100] * len(asked)}
    shares = [100 * truth_of(each).mean() for each in asked]
    floor = values(saliency.score(constant, data))
    assert floor["iou"] == floor["accuracy"] == pytest.approx(shares)
    # Without a bias all products are positive: the whole image, which no object half fills.
    unbiased = replace(data, settings={"corloc": {"bias": "none"}})
    assert values(corloc.score(constant, unbiased)) == {"lost": [0] * len(asked)}
    ids = {"f", "iou", "accuracy"}
    assert {task: each.tolist() for task, each in saliency.case_ids(data).items()} == dict.fromkeys(
        ids, asked
    )
    assert {task: each.tolist() for task, each in corloc.case_ids(data).items()} == {"lost": asked}


def test_a_variant_is_scored_by_its_settings(trained, known, asked, tmp_path) -> None:
    settings = {
        "saliency": {"tau": 0.5, "features": "values"},
        "corloc": {"features": "queries", "bias": "none"},
    }
    folders = {"test": trained.shards["test"]}
    names = ["saliency", "corloc"]
    table = score(trained.checkpoint, folders, known, names, tmp_path, settings=settings)
    images = TokenShards(trained.shards["test"])
    for seed in (0, 1):
        model = Model(trained.checkpoint / f"seed-{seed}")
        of_seed = values(table.filter([each == seed for each in table["seed"].to_pylist()]))
        by_values = dict(
            zip(images.image_ids.tolist(), model.token_maps(images, "values"), strict=True)
        )
        by_queries = dict(
            zip(images.image_ids.tolist(), model.token_maps(images, "queries"), strict=True)
        )
        right = []
        for place, each in enumerate(asked):
            mask = token_cut(by_values[each].features, by_values[each].owners, 0.5).mask
            painted = np.kron(mask.reshape(2, 2), np.ones((4, 4), bool))
            wanted = overlap(painted, truth_of(each))
            for task, value in wanted._asdict().items():
                assert of_seed[task][place] == pytest.approx(100 * value)
            box = lost(by_queries[each].features, by_queries[each].owners)
            file = known.folder / f"benchmarks/corloc/Annotations/{each:012d}.xml"
            right.append(100.0 * hits(tuple(4.0 * end for end in box), voc.parse(file)[2]))
        assert of_seed["lost"] == right
    told = metrics(table)
    assert told["corloc"]["test"]["lost"].keys() == {"mean"}
    assert told["saliency"]["test"].keys() == {"f", "iou", "accuracy"}


def test_the_bias_is_of_images_that_have_boxes(trained, known, asked) -> None:
    model = Model(trained.checkpoint / "seed-0")
    images = TokenShards(trained.shards["test"])
    data = split_data("test", images, known)
    maps = dict(zip(images.image_ids.tolist(), model.token_maps(images, "keys"), strict=True))
    bias = gram_bias([maps[each].features for each in asked], "centre")
    boxes = [lost(maps[each].features, maps[each].owners, bias) for each in asked]
    folder = known.folder / "benchmarks/corloc/Annotations"
    truths = [voc.parse(folder / f"{each:012d}.xml")[2] for each in asked]
    right = [
        100.0 * hits(tuple(4.0 * end for end in box), truth)
        for box, truth in zip(boxes, truths, strict=True)
    ]
    assert values(corloc.score(model, data)) == {"lost": right}


def test_what_cannot_be_asked_is_refused(trained, known, with_files, asked) -> None:
    model = Model(trained.checkpoint / "seed-0")
    images = TokenShards(trained.shards["test"])
    data = split_data("test", images, known)
    for settings, told in (
        ({"saliency": {"tau": 2}}, r"bench\.settings\.saliency: tau: input should be less than or"),
        ({"saliency": {"tua": 0.2}}, r"bench\.settings\.saliency: tua: unknown key"),
        ({"corloc": {"bias": "mean"}}, "give none, centre, or a percentile"),
    ):
        with pytest.raises(SemtokError, match=told):
            for module in (saliency, corloc):
                module.score(model, replace(data, settings=settings))
    mask = known.folder / f"benchmarks/{saliency.FOLDER}/{asked[0]:012d}.png"
    mask.write_bytes(png(np.ones((8, 9), bool)))
    with pytest.raises(SemtokError, match="is 9 x 8 pixels, its image 8 x 8; replace it"):
        saliency.score(model, data)
    for module, folder in ((saliency, "ground_truth_mask"), (corloc, "Annotations")):
        nothing = split_data("test", images, trained.annotations)
        with pytest.raises(SemtokError, match=rf"{folder}: missing; put .*{folder} into the data"):
            module.case_ids(nothing)
