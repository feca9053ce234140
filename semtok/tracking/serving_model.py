"""The served model. MLflow copies this file beside the checkpoint and runs it (models from code).

A request's rows hold `image` (base64 of a JPEG or PNG), `texts` (a list of captions) and, for
variants whose tokenizer reads masks, `masks` and `relations` (as `semtok.predict.predict`); a model
that takes its extractor along finds them itself where they are missing. A column may be missing; in
a row, null stands for no image and [] for no captions. An answer's row holds `image_embedding`
(null without an image), `text_embeddings` and `similarities` (cosines of the row's image with each
of its captions, empty without an image).
"""

import base64
from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from numpy import ndarray
from pandas import DataFrame  # type: ignore[import-untyped]

from semtok.errors import SemtokError
from semtok.extract.raw import RawExtractor
from semtok.predict import Predictor


class ServedModel(PythonModel):
    """Images and captions -> embeddings and similarities."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the checkpoint, and the extractor where it takes one along, once."""
        packed = context.artifacts.get("extractor")
        extractor = RawExtractor.unpack(Path(packed)) if packed else None
        self._predictor = Predictor(Path(context.artifacts["checkpoint"]), extractor)

    def predict(
        self,
        context: PythonModelContext,
        model_input: DataFrame,
        params: dict[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Embed a table of images and captions.

        Raises:
            MlflowException: the request is at fault (HTTP 400); says which row and why.
        """
        try:
            return self._predict([_present(row) for row in model_input.to_dict("records")])
        except SemtokError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from None

    def _predict(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if not any(rows):
            raise SemtokError("the request holds neither an image nor texts; give `image`, `texts`")
        pictured = [number for number, row in enumerate(rows) if "image" in row]
        images = self._predictor.embed_images(
            [_image(number, rows[number]["image"]) for number in pictured],
            [rows[number].get("masks") for number in pictured],
            [rows[number].get("relations") for number in pictured],
            [f"row {number}" for number in pictured],
        )
        image_of = dict(zip(pictured, images, strict=True))
        captions = [_texts(number, row.get("texts", [])) for number, row in enumerate(rows)]
        texts = self._predictor.embed_texts([text for each in captions for text in each])
        answers, start = [], 0
        for number, each in enumerate(captions):
            own, start = texts[start : start + len(each)], start + len(each)
            image = image_of.get(number)
            answers.append(
                {
                    "image_embedding": None if image is None else image.tolist(),
                    "text_embeddings": own.tolist(),
                    "similarities": [] if image is None else (own @ image).tolist(),
                }
            )
        return answers


def _present(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what it leaves out: pandas fills that in with None or NaN."""
    return {
        name: value
        for name, value in row.items()
        if value is not None and not (isinstance(value, float) and value != value)
    }


def _image(number: int, text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError):
        raise SemtokError(
            f"row {number}: image: give the bytes of a JPEG or PNG file as base64"
        ) from None


def _texts(number: int, texts: Any) -> list[str]:
    listed = isinstance(texts, list | tuple | ndarray)
    if not listed or not all(isinstance(each, str) for each in texts):
        raise SemtokError(f"row {number}: texts: give a list of strings")
    return list(texts)


set_model(ServedModel())
