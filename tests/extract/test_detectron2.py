"""detectron2 as a mask backend, wherever it is importable: tiny models with random weights."""

from pathlib import Path

import pytest
import torch

from semtok.errors import SemtokError
from semtok.extract import detectron2, trained
from semtok.extract.backends import find_backend
from semtok.extract.corruptions import CLEAN, Corruption
from tests.extract.conftest import Extraction
from tests.extract.looked_at import assert_alike, by_image, look, overlaps, sizes

pytest.importorskip(
    "detectron2",
    reason="detectron2 is not on the package registry; docs/extractors.md says how to install it",
    exc_type=ImportError,
)

MASK_RCNN = "COCO-InstanceSegmentation/mask_rcnn_R_50_FPN_1x.yaml"
PANOPTIC = "COCO-PanopticSegmentation/panoptic_fpn_R_50_1x.yaml"

#: Random weights are sure of nothing.
LAX = {"score": 0.0, "same": 1.0}


def written(folder: Path, base: str) -> dict[str, str]:
    """The config of a zoo's model made narrow, and random weights."""
    from detectron2 import model_zoo
    from detectron2.modeling import build_model

    config = model_zoo.get_config(base)
    config.MODEL.DEVICE = "cpu"
    config.MODEL.RESNETS.WIDTH_PER_GROUP = 8
    config.MODEL.RESNETS.RES2_OUT_CHANNELS = 32
    config.MODEL.RESNETS.STEM_OUT_CHANNELS = 8
    config.MODEL.FPN.OUT_CHANNELS = 8
    config.MODEL.ROI_BOX_HEAD.FC_DIM = 16
    config.MODEL.ROI_MASK_HEAD.CONV_DIM = 8
    config.MODEL.ROI_MASK_HEAD.NUM_CONV = 1
    config.MODEL.RPN.POST_NMS_TOPK_TEST = 20
    config.MODEL.SEM_SEG_HEAD.CONVS_DIM = 32
    config.MODEL.ROI_HEADS.SCORE_THRESH_TEST = 0.0
    config.MODEL.PANOPTIC_FPN.COMBINE.INSTANCES_CONFIDENCE_THRESH = 0.0
    config.MODEL.PANOPTIC_FPN.COMBINE.STUFF_AREA_LIMIT = 1
    config.INPUT.MIN_SIZE_TEST, config.INPUT.MAX_SIZE_TEST = 64, 96
    config.TEST.DETECTIONS_PER_IMAGE = 10
    torch.manual_seed(0)
    network = build_model(config)
    with torch.no_grad():
        for name, each in network.named_parameters():
            if name.endswith("cls_score.weight"):
                each.mul_(0.05)  # or it is sure of all
            if name.endswith("mask_head.predictor.bias"):
                each.fill_(0.1)  # or half of a box is on the edge of its mask
    config.MODEL.WEIGHTS = ""
    folder.mkdir()
    (folder / "config.yaml").write_text(config.dump())
    torch.save({"model": network.state_dict(), "iteration": 3}, folder / "model.pth")
    return {"config": str(folder / "config.yaml"), "weights": str(folder / "model.pth")}


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, dict[str, str]]:
    folder = tmp_path_factory.mktemp("detectron2")
    return {
        "instance": written(folder / "instance", MASK_RCNN),
        "panoptic": written(folder / "panoptic", PANOPTIC),
    }


@pytest.mark.parametrize("task", ["instance", "panoptic"])
def test_a_batch_finds_what_its_images_do_alone(tiny, models, task):
    settings = {**models[task], "task": task, **LAX}
    alone, together = (
        by_image(tiny, look(tiny, "detectron2", **settings, batch_size=size)) for size in (1, 4)
    )
    assert_alike(alone, together)


def test_masks_are_those_of_the_library_image_by_image(tiny, models):
    """By its own predictor, which looks at one image at a time."""
    import cv2
    from detectron2.config import get_cfg
    from detectron2.data import MetadataCatalog
    from detectron2.engine import DefaultPredictor

    config = get_cfg()
    config.merge_from_file(models["instance"]["config"])
    config.MODEL.WEIGHTS = models["instance"]["weights"]
    predictor = DefaultPredictor(config)
    names = MetadataCatalog.get("coco_2017_val").thing_classes
    seen = by_image(tiny, look(tiny, "detectron2", **models["instance"], **LAX))
    for image_id, masks in seen.items():
        found = predictor(cv2.imread(str(tiny.root / f"train2017/{image_id:012d}.jpg")))[
            "instances"
        ]
        wanted = {
            (names[number], round(score, 4), int(mask.sum()))
            for score, number, mask in zip(
                found.scores.tolist(), found.pred_classes.tolist(), found.pred_masks, strict=True
            )
            if mask.any()
        }
        ours = {(name, round(score, 4), area(string)) for name, score, string in masks}
        assert ours and len(ours & wanted) >= 0.9 * len(ours)


def area(string: dict) -> int:
    from pycocotools import mask as pycocotools_mask

    return int(pycocotools_mask.area(string))


def test_limits_and_corruptions(tiny: Extraction, models):
    settings = {**models["instance"], **LAX}
    everything = look(tiny, "detectron2", **settings)
    scores = sorted(everything.masks["score"].to_pylist())
    sure = look(tiny, "detectron2", **{**settings, "score": scores[len(scores) // 2]})
    assert 0 < len(sure.masks) < len(everything.masks)
    for masks in by_image(tiny, look(tiny, "detectron2", **{**settings, "same": 0.5})).values():
        assert (overlaps(masks) < 0.5).all()
    clean, noisy = (
        look(tiny, "detectron2", each, **settings).masks["score"].to_pylist()
        for each in (CLEAN, Corruption("noise", 5))
    )
    assert clean != noisy


def test_panoptic_masks_leave_each_other_alone(tiny, models):
    seen = look(tiny, "detectron2", **models["panoptic"], task="panoptic", **LAX)
    assert set(seen.masks["category"].to_pylist()) - {"person"}
    for image_id, masks in by_image(tiny, seen).items():
        height, width = sizes(tiny)[image_id]
        assert sum(area(string) for *_, string in masks) <= height * width
        assert not overlaps(masks).any()
    ids = {(mask["category_id"], mask["category"]) for mask in seen.masks.to_pylist()}
    assert len(ids) == len({number for number, _ in ids})


def test_what_it_costs(models):
    backend = find_backend("masks", "detectron2", {"detectron2": models["instance"]})
    assert backend.cost is not None
    cost = backend.cost(backend.settings, Path())
    assert cost["parameters"] > 1000 and cost["flops_per_image"] > 1e6


def test_any_name_of_the_zoo_is_known_and_its_weights_must_fit(tiny, models):
    with pytest.raises(
        SemtokError, match=r"detectron2.weights: .* are of another model than COCO-I"
    ):
        look(tiny, "detectron2", config=MASK_RCNN, weights=models["instance"]["weights"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"config": "COCO-InstanceSegmentation/none.yaml"}, "config: .*: no config of detectron2"),
        ({"weights": "none.pth"}, "weights: none.pth: no weights that can be read"),
        ({"weights": "none.onnx"}, "weights: none.onnx: is no .safetensors, .pth"),
        ({"task": "panoptic"}, "task: .* does not answer panoptic; it answers instances"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(tiny, models, change, said):
    with pytest.raises(SemtokError, match=rf"settings.detectron2.{said}") as refused:
        look(tiny, "detectron2", **{**models["instance"], **change})
    assert "\n" not in str(refused.value)


def test_a_model_that_it_does_not_know_is_refused_in_one_line(tiny, models, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(f"_BASE_: {models['instance']['config']}\nMODEL: {{META_ARCHITECTURE: Own}}\n")
    with pytest.raises(
        SemtokError, match=r"config: .*: no config of detectron2 \(.*Own"
    ) as refused:
        look(tiny, "detectron2", **{**models["instance"], "config": str(path)})
    assert "\n" not in str(refused.value)


def test_a_config_that_runs_code_is_refused(tiny, models, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(f"OUTPUT_DIR: !!python/object/apply:os.mkdir [{tmp_path / 'made'}]\n")
    with pytest.raises(SemtokError, match=r"config: .*: no config of plain values"):
        look(tiny, "detectron2", **{**models["instance"], "config": str(path)})
    assert not (tmp_path / "made").exists()


def test_masks_are_told_apart_by_the_model_and_not_by_the_device(models, monkeypatch):
    settings = find_backend("masks", "detectron2", {"detectron2": models["instance"]}).settings
    told = [detectron2.Detectron2(settings, Path()).identity]
    monkeypatch.setattr(trained, "device", lambda: torch.device("cpu:0"))
    told.append(detectron2.Detectron2(settings, Path()).identity)
    monkeypatch.setattr("detectron2.__version__", "0.0")
    told.append(detectron2.Detectron2(settings, Path()).identity)
    assert told[0] == told[1] != told[2]
