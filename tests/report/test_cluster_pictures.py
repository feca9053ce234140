"""Clusters over images: one colour a cluster, the image below."""

import numpy as np

from semtok.report.clusters import coloured, draw


def test_patches_of_one_cluster_have_one_colour() -> None:
    grey = np.full((8, 8, 3), 100, np.uint8)
    found = coloured(grey, np.array([0, 1, 1, 0]))
    dark, light = found[0, 0], found[0, 7]
    assert light.sum() > dark.sum()
    assert (found[:4, :4] == dark).all() and (found[4:, 4:] == dark).all()
    assert (found[:4, 4:] == light).all() and (found[4:, :4] == light).all()


def test_the_image_shows_through() -> None:
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[0, 0] = 255
    found = coloured(pixels, np.zeros(4, np.int64))
    assert (found[0, 0] > found[0, 1]).all()
    assert (found[0, 1] == found[7, 7]).all()


def test_the_same_clusters_give_the_same_bytes(tmp_path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    maps = {
        "stage 1": np.array([[0, 1, 1, 0], [0, 0, 1, 1]]),
        "stage 2": np.array([[0], [0]]),
    }
    for name in ("one.png", "other.png"):
        draw(images, [7, 8], maps, tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()
