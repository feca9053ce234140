"""Pages to turn: one HTML file, and beside it pictures and data that it loads when they are seen.

The browser may have opened the page from a folder, where scripts read no files: data lie in scripts
that call `take`. The same artifacts give the same bytes.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semtok.errors import SemtokError
from semtok.events import Emit, Progress, ignore
from semtok.remote import AnyPath
from semtok.report.explorer import outlines
from semtok.report.explorer.captions import Captions
from semtok.report.explorer.extractions import Extraction
from semtok.report.explorer.pictures import Pictures
from semtok.report.explorer.set_aside import SetAside
from semtok.report.explorer.told import COLOURS, KINDS, Teller
from semtok.report.explorer.views import View
from semtok.report.style import PALETTE

#: What a folder has in its page that this module wrote.
MARK = '<meta name="generator" content="semtok explore">'

#: Images in a file of data: few enough to load at once, enough for few files.
TOGETHER = 16

_FOLDER = "data"

#: All that may lie in the folder of a page.
ENTRIES = frozenset({"index.html", _FOLDER, "pictures", "thumbnails"})


@dataclass(frozen=True)
class Image:
    """An image of the page.

    Attributes:
        image_id: None where it is not of the data set.
        source: its file.
        name: that file, as people know it.
        pixels: width and height, as stored.
    """

    image_id: int | None
    source: AnyPath
    name: str
    pixels: tuple[int, int]


class Page:
    """A page in the making: images first, then what each variant makes of them, then the rest."""

    def __init__(
        self, folder: Path, title: str, images: Sequence[Image], emit: Emit = ignore
    ) -> None:
        """Begin a page.

        Args:
            folder: an empty one. Of one image everything is in `index.html`.
            title: of the page.
            images: at least one.
            emit: told of progress.
        """
        self._folder, self._title, self._images, self._emit = folder, title, images, emit
        self._inside: dict[str, list[Any]] | None = {} if len(images) == 1 else None
        self._words: list[list[str]] = [[] for _ in images]
        self._marks: list[list[str]] = [[] for _ in images]
        self._readable = [True] * len(images)
        self._extractions: Mapping[str, Extraction] = {}
        self._captions: Captions | None = None
        self._variants: list[dict[str, Any]] = []
        self._without_page: list[tuple[str, str]] = []

    def add_images(
        self, extractions: Mapping[str, Extraction], captions: Captions, aside: SetAside
    ) -> None:
        """Add the images with all that was found in them.

        Args:
            extractions: by name of the partition.
            captions: of these images.
            aside: what was set aside of them.
        """
        self._extractions, self._captions = extractions, captions
        self._without_page = aside.without_page
        pictures = Pictures(None if self._inside is not None else self._folder)

        def told(place: int, image: Image) -> dict[str, Any]:
            number = image.image_id
            found = {} if number is None else {n: e.of(number) for n, e in extractions.items()}
            addresses = pictures.add(image.source, number or 0)
            own = [] if number is None else captions.of_image(number)
            reasons = [] if number is None else aside.of_images.get(number, [])
            self._readable[place] = bool(addresses["picture"])
            names = {mask["name"] for each in found.values() for mask in each.masks}
            self._words[place] += [*own, *sorted(names)]
            self._marks[place] += ["set-aside"] if reasons else []
            width, height = outlines.size(*image.pixels)
            return {
                "name": image.name,
                "pixels": image.pixels,
                "width": width,
                "height": height,
                **addresses,
                "captions": own,
                "found": {name: vars(each) for name, each in found.items()},
                "aside": reasons,
            }

        self._write("images", "images", lambda some: [told(*each) for each in some])

    def add_variant(
        self,
        name: str,
        tokenizer: str,
        reads: str,
        view: Callable[[Sequence[Image]], Sequence[View | None]],
    ) -> None:
        """Add what a variant makes of the images.

        Args:
            name: of the variant.
            tokenizer: which it reads.
            reads: the extraction that its tokens are made of; empty: none, or it is not here.
            view: looks at some images; None where one has no tokens.

        Raises:
            SemtokError: what `view` raises; nothing of the variant is left on the page.
        """
        teller = Teller(reads, self._extractions.get(reads))

        marks: list[tuple[int, str]] = []

        def told(some: Sequence[tuple[int, Image]]) -> list[Any]:
            views = view([image for _, image in some])
            for (place, _), each in zip(some, views, strict=True):
                if each is not None and each.near.rank is not None:
                    right = each.near.rank == 1
                    marks.append((place, f"{name}:{'right' if right else 'wrong'}"))
            return [
                None if each is None else teller.tell(image.image_id, image.pixels, each)
                for (_, image), each in zip(some, views, strict=True)
            ]

        part = f"variant{len(self._variants)}"
        try:
            self._write(part, name, told)
        except SemtokError:
            for path in (self._folder / _FOLDER).glob(f"{part}-*.js"):
                path.unlink()
            raise
        for place, mark in marks:
            self._marks[place].append(mark)
        told_of = {"name": name, "part": part, "tokenizer": tokenizer, "reads": reads}
        self._variants.append(told_of)

    def finish(self, notes: Sequence[str]) -> None:
        """Write the page itself.

        Args:
            notes: what people are to know of it.
        """
        captions = self._captions
        contents = {
            "images": [
                [
                    image.name if image.image_id is None else image.image_id,
                    " ".join(words),
                    readable,
                    words[0] if captions and image.image_id in captions.own else "",
                    marks,
                ]
                for image, words, readable, marks in zip(
                    self._images, self._words, self._readable, self._marks, strict=True
                )
            ],
            "together": TOGETHER,
            "inside": self._inside,
            "extractions": list(self._extractions),
            "variants": self._variants,
            "texts": len(captions.texts) if captions else 0,
            "kinds": KINDS,
            "colours": COLOURS,
            "palette": PALETTE,
        }
        html = _render(
            title=self._title,
            mark=MARK,
            notes=notes,
            alone=len(self._images) == 1,
            variants=[each["name"] for each in self._variants],
            without_page=self._without_page,
            contents=_json(contents),
        )
        (self._folder / "index.html").write_text(html, encoding="utf-8")

    def _write(
        self, part: str, what: str, tell: Callable[[Sequence[tuple[int, Image]]], list[Any]]
    ) -> None:
        numbered = list(enumerate(self._images))
        for start in range(0, len(numbered), TOGETHER):
            self._emit(Progress(what, start, len(numbered)))
            rows = tell(numbered[start : start + TOGETHER])
            if self._inside is not None:
                self._inside[part] = rows
                continue
            number = start // TOGETHER
            path = self._folder / _FOLDER / f"{part}-{number}.js"
            path.parent.mkdir(exist_ok=True)
            path.write_text(f'take("{part}", {number}, {_json(rows)});\n', encoding="utf-8")
        self._emit(Progress(what, len(numbered), len(numbered)))


def _json(value: Any) -> str:
    """JSON that may stand in a script, and between its tags: captions are anybody's words."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for each in ("<", "\u2028", "\u2029"):
        text = text.replace(each, f"\\u{ord(each):04x}")
    return text


def _render(**values: Any) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader(str(__package__), "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    here = Path(__file__).parent
    script = "".join((here / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    hashed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    written = {name: Markup(values.pop(name)) for name in ("mark", "contents")}
    return environment.get_template("page.html.jinja").render(
        **values, **written, script=Markup(script), script_hash=hashed
    )


_SCRIPTS = ("drawing.js", "page.js")
