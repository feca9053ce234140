"""What backends type themselves is refused before the first stage works, and not by their own."""

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest
import yaml

from semtok import backend_settings, bench, runner
from semtok.errors import SemtokError
from tests import small_line

Document = dict[str, Any]


def superpixels(**settings: object) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        document["tokenizers"]["grid"] = {"scheme": "superpixel", "image_size": 128} | settings
        del document["variants"]["vit"]["patch_size"]

    return change


def semantic(**settings: object) -> Callable[[Document], None]:
    return lambda document: document["tokenizers"]["semantic"].update(settings)


def reads_images(document: Document) -> None:
    for split in ("train", "val", "test"):
        document["token_shards"][f"semantic-{split}"]["reads"] = "images"


def neighbours(**settings: object) -> Callable[[Document], None]:
    return lambda document: document["bench"].update(
        benchmarks=["retrieval", "knn"], settings=settings
    )


def draws(count: object) -> Callable[[Document], None]:
    return lambda document: document["bench"].update(
        benchmarks=["retrieval", "faithfulness"], settings={"faithfulness": {"lime_draws": count}}
    )


def benchmarks(*names: str) -> Callable[[Document], None]:
    return lambda document: document["bench"].update(benchmarks=["retrieval", *names])


def promotes(metric: str, *guards: str) -> Callable[[Document], None]:
    return lambda document: document["promotion"].update(
        metric=[metric], guards=dict.fromkeys(guards, 1.0)
    )


def relations(**settings: object) -> Callable[[Document], None]:
    return lambda document: document["extractors"]["annotated"].update(
        scene_graphs="geometry", settings={"geometry": settings}
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (semantic(neigbours=3), "tokenizers.semantic: neigbours: unknown key; remove it or check"),
        (
            semantic(crop_size="large"),
            "tokenizers.semantic: crop_size: input should be a valid int",
        ),
        # A negative one would quietly drop the worst mask of each image, or the worst relations.
        (semantic(max_masks=-1), "tokenizers.semantic: max_masks: input should be greater than 0"),
        (semantic(max_masks=0), "tokenizers.semantic: max_masks: input should be greater than 0"),
        (semantic(max_relations=-2), "semantic: max_relations: input should be greater than or eq"),
        (semantic(neighbours=-1), "tokenizers.semantic: neighbours: input should be greater than"),
        (semantic(scheme="shards"), "tokenizers.semantic.scheme: 'shards' is no tokenizer"),
        (superpixels(levels=0), "tokenizers.grid: levels: input should be greater than 0"),
        (superpixels(partition="hexagons"), "tokenizers.grid: partition: input should be 'hier"),
        (reads_images, "-test.reads: semantic tokens need masks; name the partition of extraction"),
        (relations(pears=3), "extractors: settings.geometry: pears: unknown key"),
        (neighbours(knn={"neigbours": 3}), "bench.settings.knn: neigbours: unknown key"),
        (draws(-1), "bench.settings.faithfulness: lime_draws: input should be greater than or eq"),
        (draws(0.5), "bench.settings.faithfulness: lime_draws: input should be a valid integer"),
        # A module beside the benchmarks, and one of none.
        (benchmarks("cases"), "bench.benchmarks: 'cases' is no benchmark; there are aro, budget, "),
        (promotes("cases/class/R@1"), "promotion.metric: 'cases' is no benchmark; there are aro"),
        (
            promotes("retrieval/image_to_text/R@1", "sugar_crape/caption/R@1"),
            "promotion.guards: 'sugar_crape' is no benchmark; there are",
        ),
        (promotes("retrieval/image_to_text/R@7"), "R@7: no metric 'R@7'; there are R@1, "),
        (neighbours(retrieval={"k": 3}), "bench.settings.retrieval: this benchmark has no sett"),
    ],
)
def test_a_wrong_block_is_named_before_anything_is_made(tmp_path: Path, change, message) -> None:
    document = yaml.safe_load((small_line.REPOSITORY / "params.yaml").read_text())
    change(document)
    small_line.start(tmp_path, document)
    with pytest.raises(SemtokError) as caught:
        runner.run("images", tmp_path, scratch=True)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / ".semtok").exists()


def test_benchmarks_are_told_from_other_modules_as_by_their_import() -> None:
    names = [each.name for each in iter_modules(bench.__path__)]
    found = {each for each in names if hasattr(import_module(f"semtok.bench.{each}"), "case_ids")}
    assert {"retrieval", "retrieval_permuted", "knn"} <= found < {*names}
    assert {each for each in names if backend_settings._is_benchmark(each)} == found


def test_the_line_of_the_demo_is_checked_without_torch() -> None:
    """Every stage checks all settings, and torch takes longer to import than most of them work."""
    check = (
        "import sys; from pathlib import Path; from semtok import backend_settings, params_file;"
        "path = Path('params.yaml'); backend_settings.check(params_file.load(path), path);"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", check], cwd=small_line.REPOSITORY, check=True)
