"""Where tokens are, of every kind, and the picture of what attributions say of them."""

import numpy as np
import pytest

from semtok import params_file
from semtok.bench import benchmark, faithfulness
from semtok.bench.cases import CASES
from semtok.bench.embedding import Model
from semtok.bench.leaderboard import LEADERBOARD
from semtok.bench.removal import ATTRIBUTIONS, LIME, SHARES
from semtok.report import faithfulness as report
from semtok.report.placed import NOBODY, placed
from semtok.report.study import page, published
from semtok.tables import read_table
from semtok.tokens.rows import PixelRows, RegionRows, SuperpixelRows
from tests import small_line
from tests.bench.conftest import save_variant


def test_patches_lie_in_reading_order():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    (_, (shown, owners)) = placed(PixelRows(np.arange(2), pixels), patch_size=4)
    assert (shown == pixels[1]).all()
    assert owners[:4, :4].max() == 0 and set(owners[4:, :4].ravel()) == {2}
    assert np.unique(owners).tolist() == [0, 1, 2, 3]


def test_superpixels_lie_where_their_pixels_do():
    owners = np.repeat(np.arange(3), 4).reshape(1, 12, 1).repeat(12, axis=2).astype(np.uint16)
    features = np.repeat([10, 120, 240], 16).reshape(3, 4, 4).astype(np.uint8)
    features[..., 3] = 255
    rows = SuperpixelRows(
        np.array([5]), owners, np.array([3]), features.reshape(3, 16), np.zeros((3, 256), np.uint16)
    )
    ((shown, found),) = placed(rows, None)
    assert (found == owners[0]).all()
    np.testing.assert_allclose(shown[[0, 5, 11], 0, 0], [10, 120, 240], atol=1)


def test_the_smallest_mask_is_on_top_and_intangible_tokens_have_no_place():
    features = np.full((3, 2, 2, 4), 255, np.uint8)
    features[1, ..., :3] = 0
    geometry = np.array(
        [[0.5, 0.5, 1, 1, 0.9], [0.5, 0.5, 0.5, 0.5, 0.2], [0.9, 0.9, 0.5, 0.5, 0.1]]
    )
    rows = RegionRows(
        image_ids=np.array([1, 2]),
        region_counts=np.array([2, 1]),
        features=features.reshape(3, 16),
        geometry=geometry.astype(np.float32),
        neighbours=np.zeros((3, 0), np.int16),
        edge_counts=np.zeros(2, np.int64),
        edge_ends=np.zeros((0, 2), np.int16),
        edge_predicate=np.zeros(0, np.int64),
    )
    (whole, one), (_, other) = placed(rows, None)
    assert one[0, 0] == 0 and one[64, 64] == 1
    assert (whole[64, 64] == 0).all() and (whole[0, 0] == 255).all()
    # A mask that leaves the picture is cut at its border; beside it there is nobody.
    assert other[0, 0] == NOBODY and other[127, 127] == 0 and (other == 0).mean() < 0.2


def test_ranks_are_among_the_tokens_that_are_seen():
    """Of five tokens two are hidden, and one is intangible, behind all others."""
    owners = np.array([[NOBODY, 0], [2, 3]])
    heat = report._heat(np.array([0.3, 9.0, 0.1, 0.2, -5.0]), owners)
    np.testing.assert_array_equal(heat, [[np.nan, 1.0], [0.0, 0.5]])
    assert np.isnan(report._heat(np.zeros(0), np.full((2, 2), NOBODY))).all()


@pytest.fixture(scope="module")
def explained(tmp_path_factory):
    variant = save_variant(tmp_path_factory.mktemp("trained"), seeds=(0,))
    model = Model(variant.checkpoint / "seed-0")
    data = benchmark.split_data(
        "test",
        model.open_shards(variant.shards["test"]),
        variant.annotations,
        {"faithfulness": {"lime_draws": 64}},
    )
    return faithfulness.explained(model, data, images=2, of=5)


def test_a_few_images_are_explained_and_more_are_measured(explained):
    assert explained.rows.image_ids.tolist() == [105, 106]
    assert {name: each.shape for name, each in explained.values.items()} == dict.fromkeys(
        (*ATTRIBUTIONS, LIME), (2, 4)
    )
    assert explained.removal.whole.shape == (5,)
    assert explained.removal.alone["random"].shape == (len(SHARES), 5)


def test_the_same_images_give_the_same_picture(explained, tmp_path, read_png):
    for name in ("one", "other"):
        report.draw(explained, 4, tmp_path / f"{name}.png")
    one, other = ((tmp_path / f"{name}.png").read_bytes() for name in ("one", "other"))
    assert one == other
    assert np.ptp(read_png(tmp_path / "one.png")) == 255


@pytest.mark.slow
def test_the_line_asks_it_of_patches_and_regions(tmp_path, read_png):
    document = small_line.shrunk(small_line.own())
    document["bench"] |= {
        "benchmarks": ["retrieval", "faithfulness"],
        "settings": {"faithfulness": {"lime_draws": 64}},
    }
    document["train"] |= {"seeds": [0]}
    workspace = small_line.build(tmp_path / "line", document)
    small_line.run(workspace.root, "leaderboard", None)
    board = read_table(workspace.input("leaderboard") / "leaderboard.parquet", LEADERBOARD)
    rows = [row for row in board.to_pylist() if row["benchmark"] == "faithfulness"]
    assert {row["metric"] for row in rows} == {"mean", "mean_loss"}
    # Every attribution and their mean, and what these gain over chance and over LIME; chance, LIME
    # and what this one gains.
    assert len(rows) == 2 * 2 * 2 * (3 * (len(ATTRIBUTIONS) + 1) + 3)  # variants, splits, measures
    below = set()
    for variant in small_line.VARIANTS:
        for case in read_table(
            workspace.input("scores", variant) / "cases.parquet", CASES
        ).to_pylist():
            if case["value"] is not None and case["value"] < 0:
                below.add((variant, case["split"], case["task"]))
    for row in rows:
        of = [(name, row["split"], row["task"]) for name in ("vit", row["variant"])]
        given = row["variant"] != "vit" and below.isdisjoint(of)
        assert row["chance"] is None and (row["relative"] is not None) == given
    for variant in small_line.VARIANTS:
        picture = read_png(workspace.input("scores", variant) / "faithfulness.png")
        assert np.ptp(picture) == 255
    params = params_file.load(workspace.root / "params.yaml")
    page.write(published.read(workspace, params, "tiny"), tmp_path / "study.md")
    text = (tmp_path / "study.md").read_text()
    assert "text to image" in text and "faithfulness" not in text  # its tables are of R@1
