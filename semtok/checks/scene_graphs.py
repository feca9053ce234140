"""The gate of `scene_graphs`: the ends, predicates and scores of relations; for what a model found,
also whether it says what it has learned from."""

from dataclasses import dataclass

import polars as pl

from semtok.checks import corrupted
from semtok.checks.drift import predicate_drift
from semtok.checks.rejected import REJECTED_RULE, count_rejected
from semtok.checks.rules import Rule, Suite, at_least, at_most, beside, count, none, share
from semtok.checks.subject import Subject
from semtok.extract.scene_graphs import SCENE_GRAPHS
from semtok.sharding import CORRUPTED
from semtok.tables import read_table

_RELATION = ["image_id", "subject", "predicate", "object"]


@dataclass(frozen=True)
class Settings:
    """Limits of the gate."""

    share_without_relations: float = 0.5  # of the images with two masks or more (0..1)
    distinct_predicates: int = 2  # at least
    predicate_drift: float = 0.5  # of a model, from the relations it has learned from (0..1)


_OF_A_RELATION = (
    Rule(
        "dangling_ends",
        "subject and object of every relation are masks of its image",
        ~(pl.col("subject_found") & pl.col("object_found")),
    ),
    Rule("self_relations", "no mask relates to itself", pl.col("subject") == pl.col("object")),
    Rule("duplicate_relations", "every relation occurs once", pl.struct(_RELATION).is_duplicated()),
    Rule(
        "unnamed_predicates",
        "every predicate has a name",
        pl.col("predicate").str.strip_chars() == "",
    ),
    Rule("scores_out_of_range", "scores lie in 0..1", ~pl.col("score").is_between(0, 1)),
    Rule(
        "relations_out_of_order",
        "a shard is ordered by image_id",
        (pl.col("image_id").diff().over("shard") < 0).fill_null(False),
    ),
)


def summarise(subject: Subject) -> dict[str, pl.DataFrame]:
    """Count the faults of one partition."""
    found = subject.input("masks")
    masks = pl.read_parquet(sorted(found.glob("[0-9]*.parquet")), columns=["image_id", "mask_id"])
    relations = pl.concat(
        pl.DataFrame(read_table(path, SCENE_GRAPHS)).with_columns(shard=pl.lit(path.name))
        for path in subject.shards(".parquet")
    )
    for end in ("subject", "object"):
        known = masks.select(
            "image_id", pl.col("mask_id").alias(end), pl.lit(True).alias(f"{end}_found")
        )
        relations = relations.join(
            known, on=["image_id", end], how="left", maintain_order="left"
        ).with_columns(pl.col(f"{end}_found").fill_null(False))
    able = masks.group_by("image_id", maintain_order=True).agg(masks=pl.len())
    able = able.filter(pl.col("masks") > 1)
    without = able.join(relations, on="image_id", how="anti", maintain_order="left")
    predicates = relations["predicate"].unique(maintain_order=True)
    return {
        "relations": beside(
            count(relations, _OF_A_RELATION, [*_RELATION, "shard"]),
            count_rejected(subject, relations.height),
            corrupted.missing(subject, upstream=(found / CORRUPTED).is_dir()),
            share("share_without_relations", without, len(able)),
        ),
        "predicates": pl.DataFrame(
            {"distinct_predicates": [len(predicates)], "names": [predicates.to_list()]}
        ),
        "drift": predicate_drift(subject.artifact, relations["predicate"]),
    }


def suite(settings: Settings) -> Suite:
    """What must hold."""
    return {
        "relations": [
            *none(*_OF_A_RELATION, REJECTED_RULE, corrupted.RULE),
            at_most(
                "share_without_relations",
                settings.share_without_relations,
                "among several masks of an image some relation was found",
            ),
        ],
        "predicates": [
            at_least("distinct_predicates", settings.distinct_predicates, "predicates tell apart")
        ],
        "drift": [
            at_most(
                "predicate_drift",
                settings.predicate_drift,
                "a model says each predicate about as often as the annotations it learned from",
            )
        ],
    }
