"""What a partition of each stage reads, by the settings."""

from semtok.params import Params
from semtok.stage import Key


def of_indexed_images(params: Params, partition: str | None) -> list[Key]:
    """The images and what the index says of them, whatever the settings."""
    return [("images", None), ("index", None)]


def of_masks(params: Params, partition: str | None) -> list[Key]:
    """The images, and the detector where the extractor runs one."""
    reads = params.extraction[str(partition)].masks
    return [*of_indexed_images(params, partition), *_model(reads)]


def of_scene_graphs(params: Params, partition: str | None) -> list[Key]:
    """The images, the masks of the same partition, and the relation model where one is run."""
    reads = params.extraction[str(partition)].scene_graphs
    return [*of_indexed_images(params, partition), ("masks", partition), *_model(reads)]


def of_extraction_scores(params: Params, partition: str | None) -> list[Key]:
    """The images, the models that are judged, and the annotated extraction to judge by."""
    reads = params.extraction_scores[str(partition)]
    truth = reads.truth.removeprefix("extraction/")
    return [
        *of_indexed_images(params, partition),
        *_model(reads.masks),
        *_model(reads.scene_graphs),
        ("masks", truth),
        ("scene_graphs", truth),
    ]


def of_token_shards(params: Params, partition: str | None) -> list[Key]:
    """The images, or what the partition reads of an extraction; that knows its images."""
    reads = params.token_shards[str(partition)].reads
    if reads == "images":
        return [("index", None), ("images", None)]
    extraction = reads.removeprefix("extraction/")
    return [("index", None), ("masks", extraction), ("scene_graphs", extraction)]


def of_checkpoint(params: Params, partition: str | None) -> list[Key]:
    """The tokens of train and val."""
    tokenizer = params.variants[str(partition)].tokenizer
    return [
        ("index", None),
        ("token_shards", f"{tokenizer}-train"),
        ("token_shards", f"{tokenizer}-val"),
    ]


def of_scores(params: Params, partition: str | None) -> list[Key]:
    """The trainings, and the tokens of every split; those of train some benchmarks learn from."""
    tokenizer = params.variants[str(partition)].tokenizer
    return [
        ("index", None),
        ("checkpoint", partition),
        *(("token_shards", f"{tokenizer}-{split}") for split in params.data.splits),
    ]


def of_transmission(params: Params, partition: str | None) -> list[Key]:
    """The variant that ranks patches, and the tokens of train and test."""
    sent = params.transmission[str(partition)]
    return [
        ("index", None),
        ("checkpoint", sent.variant),
        ("token_shards", f"{sent.tokenizer}-train"),
        ("token_shards", f"{sent.tokenizer}-test"),
    ]


def _model(reads: str) -> list[Key]:
    """The stage and partition that trained what an extractor reads; none where that is `images`."""
    stage, _, name = reads.partition("/")
    return [(stage, name)] if name else []
