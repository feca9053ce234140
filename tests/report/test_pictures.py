"""Pictures hold what they are given, and the same input gives the same bytes."""

import contextlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest
from matplotlib.text import Text

from semtok import study
from semtok.bench.comparison import compare
from semtok.errors import SemtokError
from semtok.extract.corruptions import KINDS
from semtok.extract.rle import encode
from semtok.report import chart, curve_grid, curves, forest, overlay, severity_curves, style, tokens
from semtok.report.headlines import headlines
from semtok.report.region_tiles import region_tiles
from semtok.tokens import shards
from semtok.tokens.rows import PixelRows, RegionRows, RelatedPixelRows
from tests.bench.conftest import valued_cases
from tests.report.boards import outside_board


def near(pixels, colour, tolerance=3):
    """How many pixels have a colour given as #RRGGBB."""
    wanted = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    return int((np.abs(pixels.astype(int) - wanted) <= tolerance).all(axis=2).sum())


def mask_row(inside, mask_id=0, image_id=1, category="cat"):
    return {
        "image_id": image_id,
        "mask_id": mask_id,
        "category": category,
        "area": int(inside.sum()),
        "height": inside.shape[0],
        "width": inside.shape[1],
        "counts": encode(inside).tolist(),
    }


@pytest.fixture
def scene(tmp_path):
    """Two images; two masks and a relation on the first."""
    for name in ("1.png", "2.png"):
        cv2.imwrite(str(tmp_path / name), np.full((40, 60, 3), 128, np.uint8))
    left, right = np.zeros((2, 40, 60), np.uint8)
    left[5:35, 3:25] = 1
    right[10:30, 35:55] = 1
    relation = {"image_id": 1, "subject": 0, "predicate": "costs $5 more than", "object": 1}
    return {
        "images": pa.table({"image_id": [1, 2], "path": ["1.png", "2.png"]}),
        "root": tmp_path,
        "masks": pa.Table.from_pylist([mask_row(left), mask_row(right, 1, category="$dog$")]),
        "scene_graphs": pa.Table.from_pylist([relation | {"score": 1.0}]),
    }


@pytest.fixture
def history():
    steps = range(10, 60, 10)
    rows = [(step, "loss", 4 - step / 50) for step in steps]
    rows += [(step, "val/loss", 4.2 - step / 50) for step in (20, 40)]
    rows += [(step, f"val/{task}_r1", step / 100) for step in (20, 40)
             for task in ("text_to_image", "image_to_text")]  # fmt: skip
    return pa.table(dict(zip(("step", "name", "value"), zip(*rows, strict=True), strict=True)))


def test_masks_are_painted_and_the_rest_is_left():
    image = np.full((40, 60, 3), 100, np.uint8)
    inside = np.zeros((40, 60), np.uint8)
    inside[10:20, 30:50] = 1
    painted, centres = overlay.paint(image, [mask_row(inside, mask_id=7)])
    blend = 0.55 * 100 + 0.45 * np.array([0x00, 0x72, 0xB2])
    assert (painted[13:17, 33:47] == blend.astype(np.uint8)).all()
    assert (painted[:8] == 100).all() and (painted[:, :28] == 100).all()
    assert inside[int(centres[7][1]), int(centres[7][0])]


def test_masks_of_another_size_are_stretched_with_the_image():
    inside = np.zeros((10, 20), np.uint8)
    inside[:, 10:] = 1
    painted, _ = overlay.paint(np.full((50, 100, 3), 100, np.uint8), [mask_row(inside)])
    assert (painted[:, :45] == 100).all() and (painted[:, 55:] != 100).any(axis=2).all()


def test_the_name_of_a_ring_is_written_on_it():
    inside = np.zeros((50, 50), np.uint8)
    inside[5:45, 5:45] = 1
    inside[15:35, 15:35] = 0
    _, centres = overlay.paint(np.zeros((50, 50, 3), np.uint8), [mask_row(inside)])
    assert inside[int(centres[0][1]), int(centres[0][0])]


def test_an_overlay_shows_each_mask(scene, tmp_path, read_png):
    overlay.draw(**scene, path=tmp_path / "out/overlay.png")
    picture = read_png(tmp_path / "out/overlay.png")
    assert near(picture, "#808080") > 1000
    for colour in style.PALETTE[:2]:
        assert near(picture, colour) > 100  # its outline


def test_an_image_without_masks_is_drawn(scene, tmp_path, read_png):
    nothing = {name: scene[name].slice(0, 0) for name in ("masks", "scene_graphs")}
    overlay.draw(**scene | nothing, path=tmp_path / "overlay.png")
    assert near(read_png(tmp_path / "overlay.png"), style.PALETTE[0]) == 0


def test_an_unreadable_image_is_named(scene, tmp_path):
    (tmp_path / "2.png").write_bytes(b"no image")
    with pytest.raises(SemtokError, match=r"2.png: not a readable image"):
        overlay.draw(**scene, path=tmp_path / "overlay.png")


def test_patches_are_the_image_in_reading_order():
    image = np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8)
    cut = tokens.patches(image, 4)
    assert cut.shape == (10, 10, 3)
    assert (cut[:4, 6:] == image[:4, 4:]).all()
    assert (cut[6:, :4] == image[4:, :4]).all()
    assert (cut[4:6] == 255).all() and (cut[:, 4:6] == 255).all()


def test_region_tiles_show_pixels_on_grey():
    pixels = np.zeros((1, 2, 2, 4), np.uint8)
    pixels[0, 0, 0] = (10, 20, 30, 255)  # inside
    pixels[0, 1, 1] = (50, 50, 50, 128)  # on the edge: colour times coverage
    tile = region_tiles(pixels.reshape(1, -1))[0]
    assert tile[0, 0].tolist() == [10, 20, 30]
    assert tile[0, 1].tolist() == [232, 232, 232]
    assert tile[1, 1].tolist() == [165, 165, 165]  # 50 + 232 * 127 / 255


@pytest.fixture
def pixel_shards(tmp_path):
    rows = PixelRows(np.arange(3), np.full((3, 8, 8, 3), (200, 30, 60), np.uint8))
    schema = shards.pixels_schema(8)
    shards.write(tmp_path / "grid/0.arrow", schema, rows, (), {"scheme": "grid"}, "f")
    return shards.TokenShards(tmp_path / "grid")


@pytest.fixture
def region_shards(tmp_path):
    features = np.zeros((4, 16, 4), np.uint8) + np.array([200, 30, 60, 255], np.uint8)
    rows = RegionRows(
        image_ids=np.arange(2),
        region_counts=np.array([3, 1]),
        features=features.reshape(4, -1),
        geometry=np.zeros((4, 5), np.float32),
        neighbours=np.full((4, 2), -1, np.int16),
        edge_counts=np.array([1, 0]),
        edge_ends=np.array([[0, 2]], np.int16),
        edge_predicate=np.array([1]),
    )
    schema = shards.regions_schema(4, 2)
    shards.write(tmp_path / "semantic/0.arrow", schema, rows, ("on",), {"scheme": "s"}, "f")
    return shards.TokenShards(tmp_path / "semantic")


@pytest.mark.parametrize("patch_size", [4, None])
def test_tokens_of_a_grid(pixel_shards, tmp_path, read_png, patch_size):
    tokens.draw(pixel_shards, tmp_path / "tokens.png", patch_size=patch_size)
    assert near(read_png(tmp_path / "tokens.png"), "#C81E3C") > 1000


def test_tokens_of_regions(region_shards, tmp_path, read_png):
    tokens.draw(region_shards, tmp_path / "tokens.png")
    assert near(read_png(tmp_path / "tokens.png"), "#C81E3C") > 1000


def test_tokens_of_related_patches(region_shards, tmp_path, read_png):
    regions = region_shards.rows(np.arange(2))
    regions = replace(regions, neighbours=regions.neighbours[:, :0])
    rows = RelatedPixelRows(np.full((2, 8, 8, 3), (200, 30, 60), np.uint8), regions)
    schema = shards.related_pixels_schema(8, 8)
    shards.write(tmp_path / "both/0.arrow", schema, rows, ("on",), {"scheme": "s"}, "f")
    pictures = []
    for predicates in (None, []):
        opened = shards.TokenShards(tmp_path / "both", predicates)
        tokens.draw(opened, tmp_path / "tokens.png")
        pictures.append(read_png(tmp_path / "tokens.png"))
    assert near(pictures[0], "#C81E3C") > 1000
    # The relation is named below the image.
    assert not np.array_equal(*pictures)


def test_curves_have_one_colour_a_training(history, tmp_path, read_png):
    curves.draw({"vit": history, "semantic": history}, tmp_path / "loss.png")
    picture = read_png(tmp_path / "loss.png")
    assert near(picture, style.PALETTE[0]) > 100
    assert near(picture, style.PALETTE[1]) == 0


def test_the_chart_gives_the_baseline_its_grey(board, tmp_path, read_png):
    chart.draw(board, tmp_path / "chart.png")
    picture = read_png(tmp_path / "chart.png")
    for colour in (style.BASELINE, *style.PALETTE[:2]):
        assert near(picture, colour) > 100


def record(monkeypatch, *modules):
    """The figures that these draw from now on."""
    figures = []

    @contextlib.contextmanager
    def kept(*arguments):
        with style.picture(*arguments) as figure:
            figures.append(figure)
            yield figure

    for module in modules:
        monkeypatch.setattr(module, "picture", kept)
    return figures


def test_no_interval_leaves_its_panel(board, tmp_path, monkeypatch):
    figures = record(monkeypatch, chart)
    chart.draw(board, tmp_path / "chart.png")
    (figure,) = figures
    for panel in figure.axes:
        low, high = panel.get_xlim()
        ends = np.concatenate([line.get_xdata() for line in panel.get_lines()])
        spans = [part.vertices[:, 0] for each in panel.collections for part in each.get_paths()]
        assert low == 0
        assert np.concatenate([ends, *spans]).max() <= high


@pytest.fixture(scope="module")
def valued_board(board):
    """Values that lie around 0, and losses."""
    tables = {
        name: pa.concat_tables(
            valued_cases({0: list(level + np.arange(9.0))}, loss, task=task)
            for task, loss in (("comprehensiveness", False), ("sufficiency", True))
        )
        for name, level in (("vit", -6.0), ("semantic", 3.0))
    }
    return replace(board, comparison=compare(tables, "vit", 100, 0.95))


def test_means_of_values_have_a_panel_that_reaches_below_0(valued_board, monkeypatch, tmp_path):
    figures = record(monkeypatch, chart)
    chart.draw(valued_board, tmp_path / "chart.png")
    (figure,) = figures
    assert [[tick.get_text() for tick in panel.get_yticklabels()] for panel in figure.axes] == [
        ["mean"],
        ["mean loss"],
    ]
    for panel in figure.axes:
        low, high = panel.get_xlim()
        ends = np.concatenate([line.get_xdata() for line in panel.get_lines()])
        assert low < ends.min() < 0 and ends.max() < high


def test_of_losses_the_lowest_stands_first(valued_board, drawn, tmp_path):
    found = valued_board.comparison
    groups = {"All": ["vit", "semantic"]}
    for task in headlines(found.cases):
        forest.draw(found, [task], groups, tmp_path / "chart.png")
    names = [[tick.get_text() for tick in figure.axes[0].get_yticklabels()][1:] for figure in drawn]
    assert names == [["semantic", "vit"], ["vit", "semantic"]]
    assert [figure.axes[0].get_xlabel() for figure in drawn] == ["mean, %", "mean loss, %"]
    # The baseline's line alone: of values there is no chance.
    assert [len(figure.axes[0].get_lines()) for figure in drawn] == [3, 3]


@pytest.fixture
def drawn(monkeypatch):
    """The figures of many that are drawn from now on."""
    return record(monkeypatch, forest, curve_grid, severity_curves)


def test_many_variants_stand_in_rows_best_first_within_their_group(make_board, drawn, tmp_path):
    found = make_board({"vit": -3.0, "two": -4.0, "one": -6.0, "three": 0.0}).comparison
    groups = {"Patches": ["vit"], "Regions": ["three", "two", "one"]}
    tasks = headlines(found.cases)
    forest.draw(found, tasks, groups, tmp_path / "chart.png")
    (figure,) = drawn
    assert len(figure.axes) == len(tasks) == 2
    assert figure.axes[0].get_gridspec().nrows == 1  # of several benchmarks, and yet side by side
    names = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert names == ["Patches", "vit", "Regions", "one", "two", "three"]
    for panel, task in zip(figure.axes, tasks, strict=True):
        row = next(r for r in found.rows if (*r.of, r.metric, r.variant) == (*task, "R@1", "one"))
        place = panel.get_yticks()[names.index("one")]
        marks = {tuple(line.get_xydata()[0]): line for line in panel.get_lines()}
        assert marks[row.value.estimate, place].get_markerfacecolor() == (
            "white" if row.verdict == "undecided" else style.PALETTE[1]
        )


def test_models_trained_elsewhere_are_squares_that_may_be_missing(board, drawn, tmp_path, read_png):
    board = outside_board(board, "semantic")
    chart.draw(board, tmp_path / "chart.png")
    assert near(read_png(tmp_path / "chart.png"), style.PALETTE[1]) > 100
    found, tasks = board.comparison, headlines(board.comparison.cases)
    rows = [each for each in found.rows if (each.of, each.variant) != (tasks[0], "semantic")]
    groups = {"Patches": ["vit", "semantic_permuted"]} | forest.outside(found.outside)
    forest.draw(replace(found, rows=tuple(rows)), tasks, groups, tmp_path / "forest.png")
    (figure,) = drawn
    names = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert names == ["Patches", "vit", "semantic_permuted", "Outside models", "semantic"]
    marks = [len(panel.get_lines()) for panel in figure.axes]
    assert marks[1] == marks[0] + 1
    assert forest.outside([]) == {}


def test_oracles_and_controls_are_listed_apart():
    params = study.settings(Path(__file__).parents[2], "small")
    controls = {"vit_reference", "vit_auxiliary", "regions_permuted_predicted"}
    oracle_controls = {"vit_mask_map", "graph_only", "mask_map_only", "semantic_permuted"}
    plain = {"vit", "vit_4"}, {"vit_relations_predicted"}, {"regions_predicted"}
    oracles = {"vit_bias", "vit_relations"}, {"regions", "semantic"}
    names = sorted(controls.union(oracle_controls, *plain, *oracles))
    assert {group: set(own) for group, own in forest.groups(params, names).items()} == {
        "Patches": plain[0],
        "Patches, predicted": plain[1],
        "Regions, predicted": plain[2],
        "Patches, oracle": oracles[0],
        "Regions, oracle": oracles[1],
        "Controls": controls,
        "Controls, oracle": oracle_controls,
    }
    assert list(forest.groups(params, ["vit"])) == ["Patches"]


def test_every_curve_of_many_has_its_panel(history, drawn, tmp_path):
    histories = dict.fromkeys(("vit", *"abcdefg"), history)
    curve_grid.draw(histories, tmp_path / "curves.png")
    (figure,) = drawn
    shown = [panel for panel in figure.axes if panel.axison]
    assert [panel.get_title(loc="left") for panel in shown] == list("abcdefg")
    for panel in shown:
        colours = [line.get_color() for line in panel.get_lines()]
        assert colours == [style.BASELINE] * 2 + [style.PALETTE[0]] * 2
        np.testing.assert_allclose(panel.get_lines()[2].get_xydata(), [[20, 20], [40, 40]])


def test_names_of_panels_run_into_nothing(history, drawn, tmp_path):
    names = ["regions_neighbours_fixed, oracle", *"abc", "regions_relations_permuted_predicted"]
    curve_grid.draw(dict.fromkeys(["vit", *names], history), tmp_path / "curves.png")
    (figure,) = drawn
    figure.draw_without_rendering()
    titles = [
        artist.get_window_extent()
        for panel in figure.axes
        for artist in panel.get_children()
        if isinstance(artist, Text) and artist.get_text() == panel.get_title(loc="left")
    ]
    assert len(titles) == len(names)
    edges = [title.x0 for title in titles[1:]] + [figure.bbox.x1]
    assert all(title.x1 < edge for title, edge in zip(titles, edges, strict=True))


def test_each_kind_of_corruption_falls_from_the_clean_score(
    make_extraction_scores, drawn, tmp_path
):
    severity_curves.draw(make_extraction_scores(0.6), tmp_path / "curves.png")
    (figure,) = drawn
    titles = [panel.get_title(loc="left") for panel in figure.axes]
    recall = figure.axes[titles.index("R@20 of relations, %")]
    lines = {line.get_label(): line.get_xydata() for line in recall.get_lines()}
    assert list(lines) == list(KINDS)
    np.testing.assert_allclose(lines["noise"], [[0, 30], [2, 27], [4, 24]])


def test_a_variant_has_the_same_colour_in_every_picture():
    names = ["vit", "semantic", "other"]
    assert style.colours(names)["vit"] == style.BASELINE
    assert len(set(style.colours(names).values())) == 3
    assert style.colours(names[:2])["semantic"] == style.colours(names)["semantic"]


@pytest.mark.slow
def test_the_same_input_gives_the_same_bytes(
    scene, history, board, make_extraction_scores, region_shards, tmp_path
):
    for folder in (tmp_path / "one", tmp_path / "other"):
        overlay.draw(**scene, path=folder / "overlay.png")
        curves.draw({"vit": history}, folder / "loss.png")
        chart.draw(board, folder / "chart.png")
        forest.draw(
            board.comparison,
            headlines(board.comparison.cases),
            {"All": list(board.costs)},
            folder / "forest.png",
        )
        curve_grid.draw({"vit": history, "other": history}, folder / "curves.png")
        severity_curves.draw(make_extraction_scores(0.6), folder / "severities.png")
        tokens.draw(region_shards, folder / "tokens.png")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()
        assert b"matplotlib" not in path.read_bytes()


def test_a_full_disk_leaves_the_older_picture_whole(tmp_path):
    older = tmp_path / "older.png"
    older.write_bytes(b"an older picture")
    limited = [
        "import pathlib, resource, signal, sys",
        "from semtok.report import style",
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)",
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))",
        "with style.picture(pathlib.Path(sys.argv[1]), 4, 3) as figure:",
        "    figure.subplots().plot([0, 1], [0, 1])",
    ]
    command = [sys.executable, "-c", "\n".join(limited), str(older)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "File too large" in done.stderr
    assert older.read_bytes() == b"an older picture" and list(tmp_path.iterdir()) == [older]
