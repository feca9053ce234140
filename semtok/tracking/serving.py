"""Put a checkpoint into MLflow as a model that can be served: files and code, nothing pickled."""

import base64
import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import semtok

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

#: What `semtok.predict` and the served model import, whatever the model.
_NEEDS = (
    "mlflow",
    "numpy",
    "opencv-python-headless",
    "pandas",
    "pillow",
    "pyarrow",
    "pycocotools",
    "pydantic",
    "pyyaml",
    "safetensors",
    "simplejpeg",
    "tokenizers",
    "torch",
)

_VECTOR = {"type": "array", "items": {"type": "float"}}
_INPUTS = [
    {"name": "image", "type": "string", "required": False},
    # Not a list of strings: of one MLflow would make the word "None" of null.
    {"name": "texts", "type": "any", "required": False},
    {"name": "masks", "type": "any", "required": False},
    {"name": "relations", "type": "any", "required": False},
]
_OUTPUTS = [
    {"name": "image_embedding", **_VECTOR, "required": False},
    {"name": "text_embeddings", "type": "array", "items": _VECTOR, "required": True},
    {"name": "similarities", **_VECTOR, "required": True},
]


def log_model(
    server: str, run_id: str, checkpoint: Path, name: str, extractor: Path | None = None
) -> str:
    """Log a checkpoint as a model of a run.

    Args:
        server: address of the tracking server.
        run_id: the run that the model belongs to.
        checkpoint: `seed-S` of a checkpoint artifact; its files are taken as they are.
        name: for people.
        extractor: as `semtok.extract.raw.pack` wrote it, of a model that is to find masks itself.

    Returns:
        The model's id.
    """
    import mlflow

    artifacts = {"checkpoint": str(checkpoint)}
    if extractor:
        artifacts["extractor"] = str(extractor)
    mlflow.set_tracking_uri(server)
    mlflow.set_registry_uri(server)
    with mlflow.start_run(run_id=run_id):
        logged = mlflow.pyfunc.log_model(
            name=name,
            python_model=str(Path(__file__).with_name("serving_model.py")),
            artifacts=artifacts,
            code_paths=[str(Path(semtok.__file__).parent)],
            signature=signature(),
            input_example=example(checkpoint),
            pip_requirements=[f"{package}=={version(package)}" for package in needs(checkpoint)],
        )
    return str(logged.model_id)


def needs(checkpoint: Path) -> list[str]:
    """The packages that a checkpoint's model is served with, by their names on PyPI.

    Args:
        checkpoint: `seed-S` of a checkpoint artifact.

    Raises:
        SemtokError: its `config.json` is not what training writes.
    """
    from semtok.models.image_text import ModelConfig
    from semtok.models.text import ClipText

    path = checkpoint / "config.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    config = ModelConfig.from_json(raw["model"], f"{path}: model")
    # Its reader fills tokens from a frozen backbone.
    borrowed = raw["tokens"]["scheme"] == "semantic_features"
    borrowed |= config.vision.encoder == "clip_vision" or isinstance(config.text, ClipText)
    return [*_NEEDS, "transformers"] if borrowed else [*_NEEDS]


def signature() -> "ModelSignature":
    """The columns of a request and of its answer; `serving_model` says what they hold."""
    from mlflow.models import ModelSignature

    columns = {"inputs": json.dumps(_INPUTS), "outputs": json.dumps(_OUTPUTS)}
    made: ModelSignature = ModelSignature.from_dict(columns)
    return made


def example(checkpoint: Path) -> Any:
    """A request that every variant answers: one grey image, its one mask, two captions.

    Args:
        checkpoint: `seed-S` of a checkpoint artifact; of a classifier captions are its classes.
    """
    import cv2
    import numpy as np
    import pandas as pd  # type: ignore[import-untyped]

    from semtok.train.text_tokenizer import TextTokenizer

    classes = TextTokenizer.load(checkpoint / "text_tokenizer.json").classes
    _, png = cv2.imencode(".png", np.full((32, 32, 3), 128, np.uint8))
    row = {
        "image": base64.b64encode(png.tobytes()).decode(),
        "texts": [*classes[:2]] or ["a grey square", "a cat on a mat"],
        "masks": [{"size": [32, 32], "counts": [0, 32 * 32]}],
        "relations": [],
    }
    return pd.DataFrame([row])
