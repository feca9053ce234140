"""A classifier: its text side is a table of classes, and its loss goes over all of them."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from semtok.errors import SemtokError
from semtok.models.class_table import ClassTable, ClassText
from semtok.tables import read_table
from semtok.train import checkpoint, validation
from semtok.train.batches import Data
from semtok.train.captions import Captions
from semtok.train.history import HISTORY
from semtok.train.loss import over_classes
from semtok.train.text_tokenizer import TextTokenizer, of_classes
from semtok.train.train import train

NAMES = ("a red one", "Blue", "blue", "zebra, standing")


def test_each_name_has_a_number_and_nothing_else_has(tmp_path):
    tokenizer = of_classes([*NAMES, *NAMES])
    assert tokenizer.classes == tuple(sorted(NAMES))
    path = tmp_path / "text_tokenizer.json"
    path.write_text(tokenizer.as_json())
    loaded = TextTokenizer.load(path)
    assert loaded.classes == tokenizer.classes
    assert loaded.encode(tokenizer.classes).tolist() == [[place] for place in range(4)]
    for unknown in ("green", "a red", "BLUE", "", " blue"):
        with pytest.raises(SemtokError, match=r"is no class that training has shown; there are 4"):
            loaded.encode(["blue", unknown])


def test_the_loss_is_the_cross_entropy_over_all_classes():
    torch.manual_seed(0)
    table = ClassTable(ClassText(5), 3).double()
    images = torch.nn.functional.normalize(torch.randn(7, 3, dtype=torch.float64), dim=1)
    own = torch.tensor([0, 4, 4, 2, 1, 1, 1])
    vectors = table.table.detach().numpy()
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    logits = 9 * images.numpy() @ vectors.T
    each = [np.log(np.exp(row).sum()) - row[place] for row, place in zip(logits, own, strict=True)]
    found = over_classes(images, table.vectors, own, torch.tensor(9.0))
    assert found.item() == pytest.approx(np.mean(each))
    assert torch.equal(table(own[:, None]), table.vectors[own])

    def loss(images, weights):
        vectors = torch.nn.functional.normalize(weights, dim=-1)
        return over_classes(images, vectors, own, torch.tensor(9.0, dtype=torch.float64))

    inputs = (images.requires_grad_(), table.table.detach().requires_grad_())
    assert torch.autograd.gradcheck(loss, inputs)


@pytest.fixture(scope="module")
def given(arguments):
    """Arguments of `train` on the first colour that each caption names."""
    made = arguments("grid", steps=60, learning_rate=1e-2)
    rows = made["captions"].to_pylist()
    named = [row | {"caption": row["caption"].split()[1]} for row in rows]
    kept = [row for row in named if row["caption_id"] % 10 == 0]
    return made | {
        "captions": pa.Table.from_pylist(kept, schema=made["captions"].schema),
        "text": replace(made["text"], tower="classes"),
    }


def test_a_classifier_learns_and_comes_back_from_its_checkpoint(given, tmp_path):
    train(**given, staging=tmp_path / "made", resume=tmp_path / "resume")
    loaded = checkpoint.load(tmp_path / "made")
    assert loaded.text_tokenizer.classes == ("blue", "green", "red", "white")
    assert loaded.model.parameters_by_role()["text"] == 4 * 8
    history = read_table(tmp_path / "made/history.parquet", HISTORY).to_pylist()
    accuracy = [row["value"] for row in history if row["name"] == "val/accuracy"]
    assert accuracy[-1] > 0.8
    assert not [row for row in history if row["name"].endswith("_r1")]

    shards = loaded.open_shards(given["val_shards"])
    captions = Captions(given["captions"], shards.image_ids)
    data = Data(shards, captions, loaded.collate, loaded.text_tokenizer)
    found = validation.validate(loaded.model, data, batch_size=8)
    with torch.no_grad():
        images = loaded.model.encode_image(data.collate(shards.rows(np.arange(20))))
        names = loaded.model.encode_text(
            loaded.text_tokenizer.encode(["blue", "green", "red", "white"])
        )
    chosen = [("blue", "green", "red", "white")[each] for each in (images @ names.T).argmax(1)]
    own = captions.first(shards.image_ids)
    wanted = np.mean([a == b for a, b in zip(chosen, own, strict=True)])
    assert found["val/accuracy"] == pytest.approx(wanted)
    assert accuracy[-1] == pytest.approx(wanted)


def test_a_class_of_val_that_training_has_not_shown_is_named(given, tmp_path):
    rows = given["captions"].to_pylist()
    changed = [row | {"caption": "violet"} if row["image_id"] == 905 else row for row in rows]
    captions = pa.Table.from_pylist(changed, schema=given["captions"].schema)
    with pytest.raises(SemtokError, match="'violet': is no class that training has shown"):
        train(**given | {"captions": captions}, staging=tmp_path, resume=tmp_path / "resume")
