"""The study's page, from planted scores: what is there, what is left out, what is bold."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from matplotlib.axes import Axes

from semtok import study
from semtok.bench import costs
from semtok.bench.cases import Ranks, Task
from semtok.errors import SemtokError
from semtok.models.encoder import VisionConfig, VisualTokenEncoder
from semtok.params import VariantSettings
from semtok.report.study import page, published, questions
from semtok.report.study.published import Published
from semtok.workspace import Workspace

pytestmark = pytest.mark.slow

REPO = Path(__file__).parents[2]
IMAGES = 60
TASKS = {
    Task("retrieval", "test", "text_to_image_any_true"): 50,
    Task("retrieval", "test", "text_to_image"): 50,
    Task("retrieval", "test", "image_to_text_any_true"): 50,
    Task("retrieval", "test", "image_to_text"): 50,
    Task("retrieval", "val", "text_to_image"): 50,
    Task("siblings", "test", "caption"): 2,
    Task("siblings", "test", "group"): 6,
    Task("siblings", "test", "group/roles"): 6,
    Task("winoground", "test", "text"): 4,
    Task("winoground", "test", "group"): 6,
    Task("retrieval_permuted", "test", "text_to_image_any_true"): 50,
}


@pytest.fixture(scope="module")
def params():
    found = study.settings(REPO, "small")
    return replace(found, bench=replace(found.bench, bootstrap=400))


def ranks(share, candidates, seeds=5):
    """Whose first places are `share` of the images, the same ones for all that have as many."""
    hit = np.arange(IMAGES) < round(share * IMAGES)
    return Ranks(
        ranks=np.tile(np.where(hit, 1, candidates), (seeds, 1)).astype(np.int64),
        case_ids=np.arange(IMAGES),
        clusters=np.arange(IMAGES),
        candidates=np.full(IMAGES, candidates),
        answers=np.ones(IMAGES, np.int64),
        truths=None,
        seeds=tuple(range(seeds)),
    )


def history(share):
    rows = [(step, f"val/{task}_r1", share * step / 600) for step in (300, 600)
            for task in ("text_to_image", "image_to_text")]  # fmt: skip
    return pa.table(dict(zip(("step", "name", "value"), zip(*rows, strict=True), strict=True)))


def make(params, shares, tasks=TASKS, seeds=5) -> Published:
    """A study of variants that find such shares of the images, whatever they are asked."""
    sizes = {"vit_4": 4, "vit_9": 9, "vit_16": 16, "vit_36": 36, "regions": 14, "regions_4": 3}
    return Published(
        size="small",
        params=params,
        scores={
            name: {task: ranks(share, many, seeds) for task, many in tasks.items()}
            for name, share in shares.items()
        },
        costs={
            name: costs.Costs(
                costs.Parameters(9, 9, 0, 9, 1),
                tokens_per_image=sizes.get(name, 64),
                flops_per_image=1e6 * sizes.get(name, 64),
                training_seconds=60,
                learning_rate=1e-3,
            )
            for name in shares
        },
        histories={name: [history(share)] * seeds for name, share in shares.items()},
        trainings={
            name: [{"device": "Some CPU", "threads": 2, "versions": {"torch": "2"},
                    "commit": "abc", "dirty": seed == 0} for seed in range(seeds)]
            for name in shares
        },
        images={"train": 4000, "val": 800, "test": 800},
        extraction={},
    )  # fmt: skip


def written(published, tmp_path):
    page.write(published, tmp_path / "study.md")
    return (tmp_path / "study.md").read_text(encoding="utf-8")


def row(text, start):
    starts = (f"| {start} |", f"| {start} *oracle* |")
    (line,) = [line for line in text.splitlines() if line.startswith(starts)]
    return [cell.strip() for cell in line.split("|")[2:-1]]


def sections(text):
    return re.findall(r"^##+ (.*)$", text, re.MULTILINE)


@pytest.fixture(scope="module")
def whole(params, tmp_path_factory):
    """Everything trained: regions find half, patches a quarter, regions with a bias 60 %."""
    shares = dict.fromkeys(params.variants, 0.25)
    shares |= {name: 0.5 for name in shares if name.startswith("regions")}
    shares |= {"regions_bias": 0.6, "vit_mask_map": 0.1}
    tmp_path = tmp_path_factory.mktemp("whole")
    return written(make(params, shares), tmp_path), tmp_path


def test_effects_are_those_that_were_planted(whole):
    text, _ = whole
    first = row(text, "`regions` − `vit`")[0]
    assert first.startswith("**+25.0 [+1") and first.endswith("]**")
    assert row(text, "`vit_intangible` − `vit`")[0] == "+0.0 [+0.0, +0.0]"
    # {patches, regions} x {off, bias}: 25, 50, 25, 60.
    square = text[text.index("#### Relations as bias") : text.index("#### Relations as tokens and")]
    for name, points in (("regions, mean effect", 30), ("relations as bias, mean effect", 5)):
        assert f"{points:+.1f} [" in row(square, name)[0]
    assert "+10.0 [" in row(square, "interaction")[0]


def test_a_result_against_us_is_printed_as_it_is(whole):
    assert row(whole[0], "`vit_mask_map` − `vit`")[0].startswith("**-15.0 [-2")


def test_predicted_extraction_leads_and_oracles_are_marked(whole):
    text, _ = whole
    assert sections(text)[:3] == ["In short", "What earned the gain", "Predicted extraction"]
    short = text[text.index("## In short") : text.index("## What earned")].splitlines()
    rows = [line.split(" |")[0] for line in short if line.startswith("| ") and ":" in line][2:]
    assert rows[:2] == [
        "| Predicted extraction: `regions_relations_predicted` − `vit`",
        "| Regions: `regions` − `vit` *oracle*",
    ]
    first = text[text.index("### Predicted extraction") : text.index("### Regions")]
    assert "oracle" not in first and row(first, "`regions_predicted` − `vit`")[0].startswith(
        "**+25"
    )
    values = text[text.index("## All variants") :]
    for name, oracle in (("regions", 1), ("vit_bias", 1), ("vit_mask_map", 1), ("graph_only", 1),
                         ("vit", 0), ("vit_auxiliary", 0), ("regions_predicted", 0)):  # fmt: skip
        assert f"| `{name}`{' *oracle*' * oracle} |" in values
    flops = text[text.index("At equal FLOPs") : text.index("## Where")]
    assert "| `regions_predicted` − patches of equal FLOPs |" in flops
    assert "| `regions` − patches of equal FLOPs *oracle* |" in flops


def test_predicted_extraction_stands_beside_the_paper(params, tmp_path):
    shares = {"vit": 0.2, "regions_relations": 0.5, "regions_relations_predicted": 0.4}
    text = written(make(params, shares), tmp_path)
    beside = [line.split(" | ")[2:4] for line in text.splitlines() if "Winoground, group" in line]
    assert [name for name, _ in beside] == [
        "`regions_relations_predicted`", "`regions_relations` *oracle*",
    ]  # fmt: skip


def test_a_whole_study_says_what_it_is_and_claims(whole):
    text, folder = whole
    assert "smoke run" not in text and "No claim rests" not in text
    assert row(text, "trained on")[0].startswith("Some CPU, 2 threads, torch 2 (")
    assert re.search(r"abc \(\d+ trainings\); abc, with changes .*? \(\d+ trainings\)", text)
    assert row(text, "seeds a variant") == ["5"]
    count = text.count("60 | 0.001 |")  # a minute each, at a rate of 1e-3
    (hours,) = row(text, "training, all together")
    assert hours.startswith(
        f"{5 * count / 60:.1f} hours for {5 * count} trainings; {3 * count} more"
    )
    assert f"about {3 * count / 60:.1f} hours" in hours
    for question in questions.QUESTIONS:
        assert question.title in sections(text)
    drawn = {each.name for each in (folder / "study").iterdir()}
    shown = set(re.findall(r"\(study/(\w+\.png)\)", text))
    assert shown == drawn
    assert {"variants.png", "curves.png", "tokens.png", "two_by_two.png", "flops.png"} == drawn


def test_tables_show_any_true_retrieval_and_no_parts_or_val(whole):
    header = next(line for line in whole[0].splitlines() if line.startswith("| R@1, points"))
    cells = [cell.strip() for cell in header.split("|")[2:-1]]
    assert cells == ["text to image", "image to text", "siblings: caption", "winoground: group"]


def test_equal_token_counts_are_named_as_they_were_counted(whole, params):
    text, _ = whole
    section = text[text.index("### Equal token count") : text.index("### Spatial")]
    assert row(section, "`regions` − `vit_9` (14.0 and 9.0 tokens)")[0].startswith("**+25.0")
    named = re.findall(r"^\| (`.*) tokens\)", section, re.MULTILINE)
    assert len(named) == 7 and "regions_16" not in params.variants


def test_equal_flops_are_between_the_rungs(params, tmp_path):
    """14 tokens lie between 9 and 16; the rungs find 20 and 40 % of the images."""
    shares = {"vit": 0.4, "vit_9": 0.2, "vit_16": 0.4, "regions": 0.6, "regions_4": 0.3}
    text = written(make(params, shares), tmp_path)
    share = np.log(14 / 9) / np.log(16 / 9)
    expected = 100 * (0.6 - (1 - share) * 0.2 - share * 0.4)
    found = row(text, "`regions` − patches of equal FLOPs")[0]
    assert float(found.strip("*").split(" ")[0]) == pytest.approx(expected, abs=0.051)
    assert "`regions_4` − patches" not in text  # cheaper than any patch variant that was trained
    assert "every rung that was trained, and so without a row: `regions_4`." in text


@pytest.mark.parametrize("size", ["small", "full"])
def test_the_ladder_reaches_from_the_cheapest_regions_to_the_dearest(size):
    """By what the encoder itself counts, of 2 to 12 regions and up to 16 relations."""
    params = study.settings(REPO, size)

    def cost(name, tokens, intangible=0):
        variant = params.variants[name]
        tokenizer = params.tokenizers[variant.tokenizer]
        side = variant.patch_size or tokenizer["crop_size"]
        features = side**2 * (3 if variant.patch_size else 4)
        vision = VisionConfig(
            features,
            tokens if variant.patch_size else None,
            not variant.patch_size,
            ("on",),
            variant.intangible,
            variant.relation_bias,
            variant.neighbour_bias,
        )
        with torch.device("meta"):
            encoder = VisualTokenEncoder(vision, params.encoder)
        return encoder.flops(tokens, intangible)

    rungs = {}
    for name in questions.LADDER:
        variant = params.variants[name]
        side = params.tokenizers[variant.tokenizer]["image_size"] // variant.patch_size
        rungs[name] = cost(name, side**2)
    assert min(rungs.values()) < cost("regions_4", 2)
    assert cost("semantic", 12 + 16, 16) < max(rungs.values())


def test_what_nobody_trained_stands_below_all_variants(params, tmp_path):
    text = written(make(params, {"vit": 0.75, "regions": 0.9}), tmp_path)
    assert row(text, "*chance*")[:5] == ["2.0", "2.0", "50.0", "16.7", ""]
    assert "no better than chance" not in text


def test_a_baseline_at_chance_is_told_before_anything_is_gained_over_it(params, tmp_path):
    text = written(make(params, {"vit": 1 / 60, "regions": 0.5}), tmp_path)
    told = text[text.index("## In short") : text.index("## What earned")]
    assert (
        "**`vit` does no better than chance** at text to image (2.0), image to text (2.0)" in told
    )


def test_words_alone_are_told_where_they_are_worth_as_much(params, tmp_path):
    published = make(params, {"vit": 0.7, "regions": 0.9})
    task = Task("siblings", "test", "caption")
    blind = np.where(np.arange(IMAGES) < 42, 1, 2)
    scores = {
        name: {**tasks, task: replace(tasks[task], blind=blind)}
        for name, tasks in published.scores.items()
    }
    text = written(replace(published, scores=scores), tmp_path)
    assert row(text, "*words alone*")[2] == "70.0"
    assert "`vit` does no better than the words alone, without a picture, at siblings: cap" in text


def test_in_short_is_the_first_comparison_that_the_settings_ask(params, tmp_path):
    def short(scored: dict[str, float], *variants: str) -> list[str]:
        few = replace(params, variants={name: params.variants[name] for name in variants})
        text = written(make(few, scored), tmp_path)
        told = text[: text.index("## What earned")].splitlines()
        return [line.split(" |")[0] for line in told if line.startswith("| Predicted extraction")]

    scored = {"vit": 0.2, "regions_predicted": 0.4}
    assert short(scored, *scored) == ["| Predicted extraction: `regions_predicted` − `vit`"]
    assert short(scored, *scored, "regions_relations_predicted") == []


def test_questions_that_settings_do_not_ask_are_listed_by_title_alone(params, tmp_path):
    few = {name: params.variants[name] for name in ("vit", "regions", "regions_bias")}
    text = written(make(replace(params, variants=few), {"vit": 0.2, "regions": 0.5}), tmp_path)
    missing = text[text.index("## Not run") :]
    assert "- Relations as bias: `regions_bias` − `regions`.\n" in missing
    (line,) = (each for each in missing.splitlines() if "do not have" in each)
    titles = line.removesuffix(".").partition(": ")[2].split("; ")
    assert "Relations as bias (in part)" in titles and "Without pixels" in titles
    assert "vit_bias" not in missing and "graph_only" not in missing


@pytest.mark.parametrize(("more", "named"), [((), True), (("vit_bias", "vit_4", "vit_9"), False)])
def test_few_variants_are_all_named_over_flops(params, monkeypatch, tmp_path, more, named):
    texts, annotate = [], Axes.annotate

    def kept(panel, text, *arguments, **options):
        texts.append(text)
        return annotate(panel, text, *arguments, **options)

    monkeypatch.setattr(Axes, "annotate", kept)
    shares = {"vit": 0.2, "regions": 0.5, "regions_superpixels": 0.3, "regions_bias": 0.4}
    written(make(params, shares | dict.fromkeys(more, 0.1)), tmp_path)
    assert {"vit", "regions"} <= set(texts)
    # Regions score more and cost less, so that of many variants these are not named.
    assert ({"regions_superpixels", "regions_bias"} <= set(texts)) == named


def test_what_was_not_run_is_left_out_and_listed(params, tmp_path):
    text = written(make(params, {"vit": 0.2, "regions": 0.5}, seeds=2), tmp_path)
    assert "**Smoke run (2 seeds; a claim needs 5); partial: 2 of " in text
    assert "`regions` − `vit`" in text and "Spatial neighbours" not in sections(text)
    assert "Permuted at test alone" not in sections(text)
    assert "Where it breaks" not in sections(text)
    missing = text[text.index("## Not run") :]
    assert "- The variant `regions_neighbours`, by these settings." in missing
    assert "- Spatial neighbours: `regions_neighbours` − `regions`" in missing
    assert "regions` − `vit`," not in missing
    for line in ("Corrupted pictures", "Novel combinations", "Photographs: all of this is of drawn",
                 "A frozen CLIP text tower", "Sizes other than `small`"):  # fmt: skip
        assert f"- {line}" in missing
    assert {each.name for each in (tmp_path / "study").iterdir()} == {
        "variants.png", "curves.png", "flops.png",
    }  # fmt: skip


def test_a_page_of_few_photographs_says_so_and_has_its_own_pictures(params, tmp_path):
    few = {"train": 235, "val": 51, "test": 61}
    coco = replace(params, data=replace(params.data, format="coco"))
    published = replace(make(coco, {"vit": 0.1, "regions": 0.3}), images=few)
    page.write(published, tmp_path / "study_coco.md")
    text = (tmp_path / "study_coco.md").read_text()
    assert "**Caution: 235 images to learn from, 61 to test on.**" in text
    assert "train images 235" in row(text, "data")[0] and "Photographs:" not in text
    shown = re.findall(r"\]\((.*?\.png)\)", text)
    assert shown and all((tmp_path / each).exists() for each in shown)
    assert {str(Path(each).parent) for each in shown} == {"study_coco"}
    assert "Caution" not in written(make(params, {"vit": 0.1, "regions": 0.3}), tmp_path)


def test_rates_at_the_edge_of_the_grid_are_named(params, tmp_path):
    found = make(params, dict.fromkeys(("vit", "regions", "vit_bias"), 0.5))
    low, high = params.train.rates[0], params.train.rates[-1]
    found.costs["vit"] = replace(found.costs["vit"], learning_rate=low)
    found.costs["vit_bias"] = replace(found.costs["vit_bias"], learning_rate=high)
    text = written(found, tmp_path)
    expected = (
        "2 of 3 chose one at the edge; their best may lie beyond: the lowest (`vit`) and the "
    )
    assert f"{expected}highest (`vit_bias`)." in text
    inside = written(make(params, {"vit": 0.5}), tmp_path)
    assert "0 of 1 chose one at the edge." in inside


def test_what_was_scored_is_not_said_to_be_missing(params, tmp_path):
    tasks = TASKS | {Task("retrieval_corrupted", "test", "text_to_image_any_true"): 50}
    tower = replace(params, text=replace(params.text, tower="some/clip"))
    text = written(make(tower, {"vit": 0.5}, tasks), tmp_path)
    assert "- Corrupted pictures" not in text and "- A frozen CLIP" not in text


def test_without_the_baseline_what_needs_it_is_left_out(params, tmp_path):
    text = written(make(params, {"regions": 0.5, "regions_bias": 0.6}), tmp_path)
    assert "`regions_bias` − `regions`" in text
    assert row(text, "text to image") == ["+47", "", "not run", "not run"]
    assert not (tmp_path / "study/variants.png").exists()


def test_a_single_variant_is_a_page(params, tmp_path):
    assert "| `vit` |" in written(make(params, {"vit": 0.5}), tmp_path)


def test_permuted_at_test_compares_each_training_with_itself(params, tmp_path):
    shares = {"vit": 0.2, "regions_relations": 0.5, "regions_permuted": 0.5}
    found = make(params, shares)
    task = Task("retrieval_permuted", "test", "text_to_image_any_true")
    found.scores["regions_relations"][task] = ranks(0.3, 50)
    text = written(found, tmp_path)
    table = text[text.index("### Permuted at test alone") :]
    assert row(table[: table.index("\n\n", 400)], "`regions_relations`")[0].startswith(
        "**-20.0 [-3"
    )
    assert "| `regions_permuted` |" not in table[: table.index("##", 5)]


def test_where_it_breaks_shows_what_was_scored(params, tmp_path):
    """A benchmark under a condition, a split of its own, and predicted extraction."""
    tasks = TASKS | {
        Task("retrieval_corrupted", "test", "text_to_image_any_true"): 50,
        Task("retrieval", "novel", "text_to_image_any_true"): 50,
    }
    shards = dict(params.token_shards)
    for split in ("train", "val", "test"):
        reads = f"extraction/predicted-{split}"
        shards[f"found-{split}"] = replace(shards[f"semantic-{split}"], reads=reads)
    with_predicted = replace(
        params,
        token_shards=shards,
        tokenizers={**params.tokenizers, "found": params.tokenizers["semantic"]},
        variants={**params.variants, "regions_predicted": VariantSettings("found")},
    )
    shares = {"vit": 0.2, "regions": 0.5, "regions_predicted": 0.4}
    found = make(with_predicted, shares, tasks)
    for scores, share in zip(found.scores.values(), (0.1, 0.5, 0.4), strict=True):
        others = replace(ranks(share, 50), case_ids=np.arange(IMAGES) + 1000)
        scores[Task("retrieval", "novel", "text_to_image_any_true")] = others
    text = written(found, tmp_path)
    assert {
        "Where it breaks",
        "Predicted extraction against the oracle",
        "The split novel",
        "Corrupted",
    } < set(sections(text))
    assert row(text, "`regions_predicted` − `regions`")[0].startswith("**-10.0")
    assert row(text, "`regions_predicted` − `vit`")[0].startswith("**+20.0")
    values, drops, beyond = text[
        text.index("### The split novel") : text.index("### Corrupted")
    ].split("| R@1, ")[1:]
    assert row(values, "`vit`")[0].startswith("10.0 [")
    assert row(drops, "`vit`")[0].startswith("-10.0 [-")
    assert row(beyond, "`regions`")[0].startswith("+10.0 [")
    assert "| `vit` |" not in beyond
    # Other images: their luck is not shared.
    assert re.fullmatch(r"\+0.0 \[-\d.*, \+\d.*\]", row(drops, "`regions`")[0])


def test_a_condition_that_asks_of_each_image_more_often_is_paired_by_image(params, tmp_path):
    """Three corruptions of each image: what is as hard for the same images is no loss at all."""
    found = make(params, {"vit": 0.2, "regions": 0.5}, TASKS)
    task = Task("retrieval_corrupted", "test", "text_to_image_any_true")
    for variant, share in (("vit", 0.2), ("regions", 0.3)):
        once = ranks(share, 50)
        thrice = {name: np.repeat(getattr(once, name), 3) for name in ("candidates", "answers")}
        found.scores[variant][task] = replace(
            once,
            ranks=np.repeat(once.ranks, 3, axis=1),
            case_ids=np.arange(3 * IMAGES),
            clusters=np.repeat(once.clusters, 3),
            **thrice,
        )
    text = written(found, tmp_path)
    assert (
        "### Corrupted\n\nMasks and relations that models find, and superpixels, come from" in text
    )
    table = text[text.index("Minus the same variant") : text.index("The drop, minus that of")]
    assert row(table, "`vit`")[0] == "+0.0 [+0.0, +0.0]"
    assert row(table, "`regions`")[0].startswith("**-20.0 [-3")


def test_extraction_under_corruption_stands_on_the_page_or_under_not_run(
    params, make_extraction_scores, tmp_path
):
    found = make(params, {"vit": 0.2, "regions": 0.5})
    without = written(found, tmp_path)
    assert "### Extraction under corruption" not in without
    assert "- Extraction under corruption: `predicted-test`, `predicted-novel`." in without

    test, novel = make_extraction_scores(0.6), make_extraction_scores(0.5)
    text = written(replace(found, extraction={"predicted-test": test}), tmp_path)
    assert row(text, "clean") == ["60.0", "30.0"]
    assert row(text, "noise 4") == ["48.0", "24.0"]
    assert "- Extraction under corruption: `predicted-novel`." in text
    both = {"predicted-test": test, "predicted-novel": novel}
    text = written(replace(found, extraction=both), tmp_path)
    header = "| % | predicted-test: AP50 | predicted-test: R@20 | predicted-novel: AP50 | "
    assert header in text
    assert row(text, "jpeg 2") == ["58.0", "29.0", "48.0", "24.0"]
    assert "- Extraction under corruption" not in text
    assert text.index("## Where it breaks") < text.index("### Extraction under corruption")


def test_the_luck_of_seeds_is_no_drop_on_other_images(params, tmp_path):
    """Seeds find 12, 24, ... 60 % of test and of novel alike; other images, the same trainings."""
    novel = Task("retrieval", "novel", "text_to_image_any_true")
    found = make(params, {"vit": 0.5})
    each = [ranks(0.12 * (seed + 1), 50, 1).ranks for seed in range(5)]
    test = replace(ranks(0, 50), ranks=np.tile(np.concatenate(each), 10))
    many = np.arange(10 * IMAGES)
    columns = {"candidates": np.full(many.size, 50), "answers": np.ones_like(many)}
    test = replace(test, case_ids=many, clusters=many, **columns)
    found.scores["vit"][novel._replace(split="test")] = test
    found.scores["vit"][novel] = replace(test, case_ids=many + 1000)
    text = written(found, tmp_path)
    drops = text[text.index("Minus the same variant") : text.index("## Beside")]
    drop = row(drops, "`vit`")[0]
    low, high = map(float, re.findall(r"[-+][\d.]+", drop)[1:])
    assert -6.5 < low < -2 and 2 < high < 6.5


def test_variants_that_lose_the_same_images_lose_equally_beyond_any_doubt(params, tmp_path):
    """Both find the same images of test, and the same ones of novel: luck has no part in it."""
    task = Task("retrieval", "novel", "text_to_image_any_true")
    found = make(params, {"vit": 0.5, "regions": 0.5})
    for scores in found.scores.values():
        scores[task] = replace(ranks(0.3, 50), case_ids=np.arange(IMAGES) + 1000)
    text = written(found, tmp_path)
    beyond = text[text.index("The drop, minus that of `vit`") : text.index("## Beside")]
    assert row(beyond, "`regions`")[0] == "+0.0 [+0.0, +0.0]"


def test_gains_stand_beside_the_papers_under_both_readings(params, tmp_path):
    tasks = TASKS | {Task("aro", "test", name): 2 for name in ("relation", "relation_micro")}
    text = written(make(params, {"vit": 0.25, "semantic": 0.5}, tasks), tmp_path)
    points, relative = row(text, "text to image, R@1")[2:]
    assert points.startswith("+25.0 [") and relative.startswith("+100 [")
    assert row(text, "ARO, relation, R@1")[0] == "+18"
    assert row(text, "Winoground, group, R@1")[1] == "`semantic` *oracle*"
    assert row(text, "ARO, relation_micro, R@1")[0] == "+18"


def test_aro_shows_the_mean_over_rows_and_how_few_groups_a_macro_average_has(params, tmp_path):
    tasks = TASKS | {Task("aro", "test", name): 2 for name in ("relation", "relation_micro")}
    found = make(params, {"vit": 0.25, "regions": 0.5}, tasks)
    groups = np.repeat([0, 1, 2], (4, 26, 30))
    for scores in found.scores.values():
        task = Task("aro", "test", "relation")
        scores[task] = replace(scores[task], groups=groups)
    text = written(found, tmp_path)
    assert row(text, "ARO's relation, macro") == ["3 groups of 4 to 30 cases, 60 in all"]
    header = next(line for line in text.splitlines() if line.startswith("| R@1, points"))
    assert "| aro: relation micro |" in header and "aro: relation |" not in header
    assert "a group of a few cases weighs as much as one of hundreds" in text
    assert "ARO's" not in written(make(params, {"vit": 0.25, "regions": 0.5}), tmp_path)


def test_the_same_scores_give_the_same_bytes(params, tmp_path):
    found = make(params, {"vit": 0.2, "regions": 0.5, "regions_bias": 0.6, "vit_bias": 0.3})
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        written(found, tmp_path / folder)
    stale = tmp_path / "other/study/tokens.png"
    stale.write_bytes(b"of another day")
    written(found, tmp_path / "other")
    assert not stale.exists()
    one, other = ({each.relative_to(folder): each.read_bytes() for each in folder.rglob("*.*")}
                  for folder in (tmp_path / "one", tmp_path / "other"))  # fmt: skip
    assert one == other


def test_a_page_that_cannot_be_written_leaves_the_old_one_whole(params, tmp_path):
    found = make(params, {"vit": 0.2, "regions": 0.5})
    written(found, tmp_path)
    before = {each: each.read_bytes() for each in tmp_path.rglob("*.*")}
    broken = replace(make(params, {"vit": 0.2}), trainings={"vit": [{"device": "no threads"}]})
    with pytest.raises(KeyError):
        written(broken, tmp_path)
    assert {each: each.read_bytes() for each in tmp_path.rglob("*.*")} == before


def test_a_study_without_scores_is_refused(params, tmp_path):
    with pytest.raises(SemtokError, match="no variant of the study small was scored; run make st"):
        published.read(Workspace(tmp_path, "scenes_small"), params, "small")
