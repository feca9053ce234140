"""The stages that find masks and relations, train networks for it, and make tokens of them."""

from semtok.context import Context
from semtok.json_files import read_json
from semtok.params import ANNOTATED
from semtok.report.summary import Summary, flat, preview
from semtok.sharding import CORRUPTED


def detector(context: Context) -> Summary:
    """Train the networks that find masks, one a fold."""
    from semtok.extract.detector import stage
    from semtok.report import extraction

    settings = context.params.detectors[context.partition]
    val = context.images("val")
    extractor = context.params.extractors[ANNOTATED]
    found = stage.build(context.images("train"), val, context.files(), extractor, settings)
    numbers = _measured(context)
    return extraction.draw_found(val, found, None, numbers)


def relation_model(context: Context) -> Summary:
    """Train the networks that relate masks, one a fold."""
    from semtok.extract.relation_model import stage
    from semtok.report import extraction

    settings = context.params.relation_models[context.partition]
    val = context.images("val")
    extractor, train = context.params.extractors[ANNOTATED], context.images("train")
    masks, relations = stage.build(train, val, context.files(), extractor, settings)
    numbers = _measured(context)
    return extraction.draw_found(val, masks, relations, numbers)


def masks(context: Context) -> Summary:
    """Find masks in the images of a split."""
    from semtok.extract import annotated_categories, corrupted, cost, masks
    from semtok.report import extraction

    partition = context.images()
    extractor = context.params.extractors[context.name]
    model = context.model("masks")
    files = context.files()
    masks.build(partition, files, extractor, model)
    if masks.reads_pixels(extractor):
        corrupted.build(
            partition,
            context.severities,
            lambda again, each: masks.build(again, files, extractor, model, each),
        )
    elsewhere = masks.cost(extractor, partition.project)
    cost.hand_down({"masks": model}, context.staging, elsewhere)
    if elsewhere:
        kept = context.workspace.state("annotated_categories")
        annotated_categories.hand_down(context.root, files, context.staging, kept)
    return extraction.draw(partition, context.staging, scene_graphs=None)


def scene_graphs(context: Context) -> Summary:
    """Find relations among the masks of a split."""
    from semtok.extract import annotated_predicates, corrupted, cost, scene_graphs
    from semtok.report import extraction

    partition, masks = context.images(), context.extraction("masks", context.partition)
    extractor = context.params.extractors[context.name]
    model = context.model("scene_graphs")
    files = context.files()
    scene_graphs.build(partition, files, masks, extractor, model)
    if (masks / CORRUPTED).is_dir() or scene_graphs.reads_pixels(extractor):
        corrupted.build(
            partition,
            context.severities,
            lambda again, each: scene_graphs.build(
                again, files, corrupted.of(masks, each), extractor, model, each
            ),
        )
    cost.hand_down({"scene_graphs": model}, context.staging)
    annotated_predicates.hand_down(model, context.staging)
    return extraction.draw(partition, masks, context.staging)


def extraction_scores(context: Context) -> Summary:
    """Judge an extractor by annotations, on clean and on corrupted images."""
    from semtok.extract import extraction_scores
    from semtok.extract.corruptions import CLEAN
    from semtok.report import severity_curves

    params = context.params
    truth = params.extraction_scores[context.partition].truth.removeprefix("extraction/")
    table = extraction_scores.build(
        context.images(),
        context.files(),
        params.extractors[context.name],
        (context.model("masks"), context.model("scene_graphs")),
        (context.input("masks", truth), context.input("scene_graphs", truth)),
        params.corruption.severities,
    )
    severity_curves.draw(table, context.staging / "preview.png")
    clean = extraction_scores.metrics(table)[str(CLEAN)]
    return Summary(clean, preview(table), ("preview.png",))


def token_shards(context: Context) -> Summary:
    """Make tokens of the images of a split."""
    from semtok.extract import cost
    from semtok.report import tokens
    from semtok.tokens import tokenize
    from semtok.tokens.shards import TokenShards

    reads = context.params.token_shards[context.partition].reads
    extraction = None
    if reads != "images":
        found = reads.removeprefix("extraction/")
        extraction = (
            context.extraction("masks", found),
            context.extraction("scene_graphs", found),
        )
    tokenizer = context.params.tokenizers[context.name]
    partition = context.images()
    tokenize.build(partition, tokenizer, extraction, context.severities)
    sources = zip(("masks", "scene_graphs"), extraction or (), strict=False)
    cost.hand_down(dict(sources), context.staging, tokenize.cost(tokenizer, partition.project))
    shards = TokenShards(context.staging)
    tokens.draw(shards, context.staging / "preview.png")
    return Summary({"images": len(shards)}, pictures=("preview.png",))


def _measured(context: Context) -> dict[str, float]:
    """How good and how dear the model is that the stage has just trained."""
    quality, cost = (read_json(context.staging / f"{name}.json") for name in ("quality", "cost"))
    return flat({**quality, **cost})
