"""Class folders and image-text models: zero-shot by templates, kNN and probe, through the line."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from sklearn.metrics import accuracy_score, cohen_kappa_score
from sklearn.neighbors import KNeighborsClassifier
from transformers import AutoImageProcessor, AutoTokenizer, SiglipModel

from semtok import params_file, pipeline
from semtok.train import checkpoint
from semtok.workspace import Workspace
from tests import small_line
from tests.bench import tiny_clip

pytestmark = pytest.mark.slow

#: Short: the tiny SigLIP reads a dozen letters.
TEMPLATES = ["a {}.", "{} sits"]
_SAMPLE = Path(__file__).parents[1] / ".." / "shared" / "samples" / "tiny_imagenet"


def imagenette(root: Path) -> Path:
    """Folders of a class as imagenette has them: noise around a colour of each."""
    random = np.random.default_rng(0)
    for number, name in enumerate(("church", "golf ball", "tench")):
        for split, count in (("train", 16), ("val", 14)):
            folder = root / split / name
            folder.mkdir(parents=True)
            for picture in range(count):
                pixels = random.integers(0, 200, (36, 48, 3)).astype(np.uint8)
                pixels[..., number] += 55
                Image.fromarray(pixels).save(folder / f"{picture}.jpg")
    return root


def tiny_imagenet(root: Path) -> Path:
    """Tiny-imagenet's own layout of the sample's pictures, 20 of each class to train on."""
    sample = Path(os.environ.get("SEMTOK_TINY_IMAGENET_SAMPLE", _SAMPLE)).resolve()
    if not (sample / "words.txt").is_file():
        pytest.skip(f"no sample at {sample}; set SEMTOK_TINY_IMAGENET_SAMPLE to one")
    lines = []
    for folder in sorted((sample / "train").iterdir()):
        for place, picture in enumerate(sorted(folder.iterdir())):
            target = root / "val/images"
            if place < 20:
                target = root / "train" / folder.name / "images"
            else:
                lines.append(f"{picture.name}\t{folder.name}\t0\t0\t31\t31")
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(picture, target)
    (root / "val/val_annotations.txt").write_text("\n".join(lines))
    shutil.copy(sample / "words.txt", root)
    return root


@pytest.fixture(scope="module", params=[imagenette, tiny_imagenet])
def line(request, tmp_path_factory) -> Workspace:
    """A variant with a text side and a SigLIP of transformers, both scored."""
    base = tmp_path_factory.mktemp("folders")
    pictures = request.param(base / "pictures")
    (pictures / "classification").mkdir()
    (pictures / "classification/templates.json").write_text(json.dumps(TEMPLATES))
    document = small_line.shrunk(small_line.own())
    folders = {"name": "own", "format": "class_folders", "source": str(pictures), "settings": {}}
    document["data"] |= folders
    document |= {"extractors": {}, "extraction": {}}
    document["tokenizers"] = {"grid": {"scheme": "grid", "image_size": 32}}
    document["token_shards"] = {
        f"grid-{split}": {"tokenizer": "grid", "reads": "images"}
        for split in ("train", "val", "test")
    }
    document["variants"] = {"vit": {"tokenizer": "grid", "patch_size": 8}}
    document["train"]["seeds"] = [0]
    document["bench"]["benchmarks"] = ["classification", "knn", "linear_probe"]
    document["promotion"] = {
        "metric": ["classification/class/R@1"],
        "minimum_gain": 0.0,
        "guards": {},
    }
    document["models"] = {"own": {"folder": str(tiny_clip.siglip(base / "siglip"))}}
    workspace = small_line.start(base / "line", document)
    params = params_file.load(workspace.root / "params.yaml")
    for key in pipeline.upstream(params, ("leaderboard", None)):
        small_line.run(workspace.root, *key)
    return workspace


def cases(line: Workspace, name: str, benchmark: str) -> pl.DataFrame:
    """The cases on test, in the order of their ids."""
    found = pl.read_parquet(line.input("scores", name) / "cases.parquet")
    return found.filter(benchmark=benchmark, split="test").sort("case_id")


def listed(line: Workspace, split: str) -> pl.DataFrame:
    """Each image with its file and the name of its class, in the order of ids."""
    tables = [pl.read_parquet(line.input("index") / f"{n}.parquet") for n in ("images", "captions")]
    splits = pl.read_parquet(line.input("index") / "splits.parquet").filter(split=split)
    return splits.join(tables[0], on="image_id").join(tables[1], on="image_id").sort("image_id")


def classes(line: Workspace) -> list[str]:
    file = line.input("index") / "benchmarks/classification/classes.json"
    return list(json.loads(file.read_text())["classes"])


def by_transformers(
    line: Workspace, rows: pl.DataFrame, texts: list[str]
) -> tuple[np.ndarray, ...]:
    """Unit vectors of images and texts, as the model itself makes them."""
    folder = params_file.load(line.root / "params.yaml").models["own"].folder
    root = params_file.load(line.root / "params.yaml").data.source
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    pixels = [
        processor(images=Image.open(Path(root) / each).convert("RGB"), return_tensors="pt")
        for each in rows["path"]
    ]
    words = AutoTokenizer.from_pretrained(folder)(
        texts,
        padding="max_length",
        truncation=True,
        max_length=tiny_clip.CONTEXT,
        return_tensors="pt",
    )
    with torch.inference_mode():
        found = SiglipModel.from_pretrained(folder).eval()(
            input_ids=words["input_ids"],
            pixel_values=torch.cat([each["pixel_values"] for each in pixels]),
        )
    return found.image_embeds.double().numpy(), found.text_embeds.double().numpy()


def by_hand(line: Workspace, rows: pl.DataFrame, texts: list[str]) -> tuple[np.ndarray, ...]:
    """The same of the variant."""
    made = checkpoint.load(line.input("checkpoint", "vit") / "seed-0")
    split = rows["split"][0]
    shards = made.open_shards(line.input("token_shards", f"grid-{split}"))
    with torch.inference_mode():
        images = made.model.encode_image(made.collate(shards.rows(np.arange(len(shards)))))
        words = made.model.encode_text(made.text_tokenizer.encode(texts))
    order = np.argsort(shards.image_ids)
    assert shards.image_ids[order].tolist() == rows["image_id"].to_list()
    return images.double().numpy()[order], words.double().numpy()


@pytest.mark.parametrize(("name", "embed"), [("own", by_transformers), ("vit", by_hand)])
def test_accuracies_and_kappas_are_those_of_scikit_learn(line: Workspace, name, embed) -> None:
    names = classes(line)
    texts = [each.replace("{}", name) for each in TEMPLATES for name in names]
    rows, train = listed(line, "test"), listed(line, "train")
    images, words = embed(line, rows, texts)
    means = words.reshape(len(TEMPLATES), len(names), -1).mean(axis=0)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    assert (means @ means.T < 1 - 1e-9).sum() == len(names) * (len(names) - 1)  # all are told apart
    neighbours = KNeighborsClassifier(
        20, metric="cosine", algorithm="brute", weights=lambda far: np.exp((1 - far) / 0.07)
    )
    neighbours.fit(embed(line, train, ["a"])[0], train["caption"].to_list())
    metrics = json.loads((line.root / f"metrics/own/{name}.json").read_text())
    own = rows["caption"].to_list()
    for benchmark, said in (
        ("classification", [names[each] for each in (images @ means.T).argmax(axis=1)]),
        ("knn", neighbours.predict(images).tolist()),
    ):
        found = cases(line, name, benchmark)
        assert found["case_id"].to_list() == rows["image_id"].to_list()
        assert [names[each] for each in found["label"]] == own
        assert [names[each] for each in found["chosen"]] == said
        scored = metrics[benchmark]["test"]["class"]
        assert scored["R@1"] == pytest.approx(100 * accuracy_score(own, said), abs=1e-6)
        assert scored["kappa"] == pytest.approx(100 * cohen_kappa_score(own, said), abs=1e-6)


def test_all_three_stand_on_the_leaderboard(line: Workspace) -> None:
    board = (line.input("leaderboard") / "leaderboard.md").read_text(encoding="utf-8")
    for benchmark in ("classification", "knn", "linear_probe"):
        assert f"{benchmark}, test: class" in board
    probe = cases(line, "own", "linear_probe")
    assert set(probe["candidates"]) == {len(classes(line))}
