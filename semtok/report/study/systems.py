"""What a study of classification asks: each system against `vit` and its own controls."""

from collections.abc import Sequence

from semtok.params import CLASSES, Params
from semtok.report.study.questions import QUESTIONS, SQUARE_QUESTIONS, Question, pairs

SYSTEMS = (
    Question(
        "Semantic tokens (S1)",
        "What do masks and their relations earn as tokens, true ones beside permuted ones, and "
        "does it matter who shares the weights of the bias?",
        pairs(
            "semantic vit",
            "semantic semantic_permuted",
            "semantic_fixed semantic",
            "semantic_scalar semantic",
            "semantic_head semantic",
            "semantic_predicate semantic",
        ),
    ),
    Question(
        "Superpixel tokens (S2)",
        "What do regions that follow colours earn, beside patches and as many random regions?",
        pairs(
            "superpixels vit",
            "superpixels superpixels_voronoi",
            "superpixels superpixels_shape",
            "superpixels_3 superpixels",
            "superpixels_5 superpixels",
        ),
    ),
    Question(
        "Registers (S4)",
        "What do tokens earn that stand for nothing and are thrown away?",
        pairs("vit_registers vit"),
    ),
    Question(
        "Adaptive selection (S5)",
        "What does it cost to have learned to drop tokens, where all of them may be kept?",
        pairs("vit_gates vit"),
    ),
    Question(
        "Masked attention (S6)",
        "What does it cost or earn to read objects alone, beside a model of the same tokens that "
        "reads all?",
        pairs("vit_foreground vit_objects", "vit_objects vit"),
    ),
    Question(
        "Semantic equitable clustering (S7)",
        "What does attention within clusters cost or earn, and is it what the clusters are cut by?",
        pairs(
            "vit_clusters vit",
            "vit_clusters vit_clusters_random",
            "vit_clusters vit_clusters_spatial",
            "vit_clusters vit_clusters_principal",
        ),
    ),
)


def questions(params: Params) -> Sequence[Question]:
    """The questions of a study, by what it trains."""
    return SYSTEMS if params.text.tower == CLASSES else QUESTIONS


def square_questions(params: Params) -> Sequence[Question]:
    """Those of a 2 x 2, likewise."""
    return () if params.text.tower == CLASSES else SQUARE_QUESTIONS
