"""The pipeline: one short function a stage; `runner.py` runs them."""

from collections.abc import Callable

from semtok.context import Context
from semtok.report.summary import Summary
from semtok.stages import data, extraction, scoring, training

WORK: dict[str, Callable[[Context], Summary]] = {
    "images": data.images,
    "index": data.index,
    "detector": extraction.detector,
    "masks": extraction.masks,
    "relation_model": extraction.relation_model,
    "scene_graphs": extraction.scene_graphs,
    "extraction_scores": extraction.extraction_scores,
    "token_shards": extraction.token_shards,
    "checkpoint": training.checkpoint,
    "scores": scoring.scores,
    "outside_scores": scoring.outside_scores,
    "remote_scores": scoring.remote_scores,
    "transmission": scoring.transmission,
    "leaderboard": scoring.leaderboard,
}
