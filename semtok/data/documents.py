"""Annotation files of JSON, read and checked row by row, with words for what is wrong in them."""

import gc
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import filterfalse
from typing import Any

from semtok.errors import SemtokError
from semtok.remote import AnyPath

#: Bytes of JSON up to which orjson reads it: it needs three times as many besides, for a while.
_QUICK = 1 << 27

#: A field's name -> the types that it may have.
Fields = Mapping[str, type | tuple[type, ...]]


def read_json(path: AnyPath, kind: type[dict[str, Any]] | type[list[Any]] = dict) -> Any:
    """Parse a JSON file that holds an object, or a list where `kind` says so.

    Raises:
        SemtokError: the file is missing, cut off, no JSON or of another kind.
    """
    try:
        document = _parsed(path.read_bytes())
    except FileNotFoundError:
        raise SemtokError(f"{path}: missing; put it there or choose another extractor") from None
    except IsADirectoryError:
        raise SemtokError(f"{path}: is a folder; put the file in its place") from None
    except (ValueError, RecursionError) as error:
        raise SemtokError(f"{path}: no complete JSON ({error}); download it again") from None
    if not isinstance(document, kind):
        wanted = "an object" if kind is dict else "a list"
        raise SemtokError(f"{path}: holds no {wanted.split()[1]}; expected {wanted}")
    return document


@contextmanager
def collector_paused() -> Iterator[None]:
    """No garbage collection in this block.

    A parsed document is millions of objects and no cycle among them: the collector finds nothing
    and walks over them, and whatever else there is, again and again.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _parsed(content: bytes) -> Any:
    """JSON by orjson, which is quick; what is large, or what it refuses, by `json`.

    It refuses what `json` takes (NaN, half a surrogate pair, UTF-16), and `json` says better what
    is wrong. Where it is missing, as beside a training alone, `json` does it all.
    """
    if len(content) <= _QUICK:
        try:
            import orjson

            return orjson.loads(content)
        except (ImportError, ValueError):
            pass
    text = content.decode(json.detect_encoding(content), "surrogatepass")
    del content  # as `json` does, so that what is large is held once
    return json.loads(text)


def columns(
    path: AnyPath, document: Mapping[str, Any], table: str, fields: Fields
) -> list[list[Any]]:
    """The named fields of every row of one of a document's lists, checked.

    Args:
        path: the document's file, for messages.
        table: key of the list, e.g. `annotations`.

    Returns:
        One list per field, each as long as the table.

    Raises:
        SemtokError: names the file, the row and the field that is missing or of a wrong type.
    """
    rows = document.get(table)
    if not isinstance(rows, list):
        raise SemtokError(f"{path}: {table}: expected a list; is this the file that its name says?")
    return check_rows(path, table, rows, fields)


def check_rows(path: AnyPath, table: str, rows: list[Any], fields: Fields) -> list[list[Any]]:
    """`columns` of rows at hand; `table` says where in the file they stand.

    No text in them has half of a surrogate pair, which JSON can say, and no table can hold.
    """
    kinds = {name: each if isinstance(each, tuple) else (each,) for name, each in fields.items()}
    try:
        found = [[row[name] for row in rows] for name in fields]
    except (KeyError, TypeError, IndexError):
        raise SemtokError(_blame(path, table, rows, kinds)) from None
    for name, values in zip(fields, found, strict=True):
        if not _all_fit(values, kinds[name]):
            raise SemtokError(_blame(path, table, rows, kinds))
    return found


def integers(path: AnyPath, document: Mapping[str, Any], table: str, width: int) -> list[list[int]]:
    """The rows of one of a document's lists, each a list of `width` integers.

    Raises:
        SemtokError: names the file and the row that is something else.
    """
    rows = document.get(table)
    if not isinstance(rows, list):
        raise SemtokError(f"{path}: {table}: expected a list; is this the file that its name says?")
    for number, row in enumerate(rows):
        if type(row) is not list or len(row) != width or not all(_fits(x, (int,)) for x in row):
            raise SemtokError(
                f"{path}: {table}[{number}]: {repr(row)[:40]} is not {width} integers of 64 bits; "
                "correct it or the file"
            )
    return rows


def categories(path: AnyPath, document: Mapping[str, Any]) -> dict[int, str]:
    """The names of a document's categories by their ids, which masks keep in 32 bits.

    Raises:
        SemtokError: as `columns`, or an id has more.
    """
    ids, names = columns(path, document, "categories", {"id": int, "name": str})
    for number, each in enumerate(ids):
        if not -(2**31) <= each < 2**31:
            raise SemtokError(
                f"{path}: categories[{number}].id: {each} is not an integer of 32 bits; "
                "renumber the categories"
            )
    return dict(zip(ids, names, strict=True))


def _all_fit(values: list[Any], kinds: tuple[type, ...]) -> bool:
    """Whether each value `_fits`, found without a call for each."""
    found = set(map(type, values))
    numbers, texts = (_of(kind, values, found) for kind in (int, str))
    in_range = not numbers or -(2**63) <= min(numbers) <= max(numbers) < 2**63
    # Most are ASCII, which is quickly seen.
    return found <= set(kinds) and in_range and is_utf8("".join(filterfalse(str.isascii, texts)))


def _of(kind: type, values: list[Any], found: set[type]) -> list[Any]:
    """Those of the values that are of a kind; looked for only where there are others besides."""
    if kind not in found:
        return []
    return values if len(found) == 1 else [each for each in values if type(each) is kind]


def is_utf8(text: str) -> bool:
    """Whether a text can be written: it has no half of a surrogate pair in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _fits(value: Any, kinds: tuple[type, ...]) -> bool:
    # A bool is an int to isinstance, and no column holds more than 64 bits.
    in_range = type(value) is not int or -(2**63) <= value < 2**63
    return type(value) in kinds and in_range and (type(value) is not str or is_utf8(value))


def _blame(
    path: AnyPath, table: str, rows: list[Any], fields: Mapping[str, tuple[type, ...]]
) -> str:
    """The message for the first row that does not fit."""
    for number, row in enumerate(rows):
        where = f"{path}: {table}[{number}]"
        if not isinstance(row, dict):
            return f"{where}: expected an object"
        for name, kinds in fields.items():
            wanted = " or ".join(_NAMES[kind] for kind in kinds)
            if name not in row:
                return f"{where}.{name}: missing; expected {wanted}"
            if not _fits(row[name], kinds):
                found = repr(row[name])
                half = str in kinds and type(row[name]) is str
                fault = "has half of a surrogate pair in it" if half else f"is not {wanted}"
                return f"{where}.{name}: {found[:40]} {fault}; correct it or the file"
    raise AssertionError("every row fits")


_NAMES: dict[type, str] = {
    int: "an integer of 64 bits",
    float: "a number",
    str: "a text",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    type(None): "null",
}
