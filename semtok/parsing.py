"""YAML files and plain mappings -> dataclasses, strictly, with errors for people."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from semtok.errors import SemtokError

T = TypeVar("T")

#: How a value is written, by its type; what is not named here pydantic takes as it is. YAML reads
#: 5e-4, which has no dot, as words.
_WRITTEN_AS: Mapping[type, tuple[str, tuple[type, ...]]] = {
    bool: ("true or false", (bool,)),
    int: ("a number", (int, float)),
    float: ("a number", (float, int, str)),
}

#: The kinds of pydantic's errors that speak of tuples, which stand in YAML as lists.
_OF_TUPLES = ("tuple_type", "too_short", "too_long")


def parse(settings: type[T], raw: Any, where: str) -> T:
    """Turn a plain mapping into the dataclass `settings`, strictly.

    Args:
        settings: the dataclass, possibly of further dataclasses.
        raw: what YAML gave.
        where: the place in the file, for the error message, e.g. `params.yaml: tokenizers.grid`.

    Raises:
        SemtokError: names every offending field and what was expected of it.
    """
    from pydantic import TypeAdapter, ValidationError, with_config

    _forbid_unknown_keys(settings, with_config)
    try:
        found: T = TypeAdapter(settings).validate_python(raw)
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(part) for part in fault['loc']) or 'the whole block'}: "
            f"{_expected(fault['type'], fault['msg'])}"
            for fault in error.errors()
        ]
        raise SemtokError(f"{where}: {'; '.join(faults)}") from None
    if taken := list(_taken_for_another(raw, found)):
        raise SemtokError(f"{where}: {'; '.join(taken)}")
    return found


def read(path: Path) -> Any:
    """Read a YAML file as it is.

    Raises:
        SemtokError: it is missing, no YAML, or says a thing twice.
    """
    import yaml

    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        if fault := _fault(node):
            raise SemtokError(f"{path}: {fault}")
        return loader.construct_document(node) if node else None
    except FileNotFoundError:
        raise SemtokError(f"{path}: no such file; run inside a semtok project") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SemtokError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None


def _fault(node: Any, place: str = "", above: tuple[Any, ...] = ()) -> str | None:
    """What YAML takes, and no settings can be: a key twice, or a block within itself.

    Of keys it takes the last, and forgets the others.

    Args:
        node: what the file was composed to.
        place: of the node in the file.
        above: the nodes around it.
    """
    from yaml.nodes import MappingNode, SequenceNode

    if node in above:
        return f"{place}: is a block that holds itself; write out what it is to hold"
    parts: list[tuple[object, Any]] = []
    if isinstance(node, MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in lines:
                return (
                    f"{_below(place, name)}: stands there twice, in lines {lines[name]} and "
                    f"{line}; make one of them"
                )
            lines[name] = line
            parts.append((name, value))
    elif isinstance(node, SequenceNode):
        parts += enumerate(node.value)
    faults = (_fault(each, _below(place, name), (*above, node)) for name, each in parts)
    return next(filter(None, faults), None)


def _taken_for_another(raw: Any, found: Any, place: str = "") -> Iterator[str]:
    """What pydantic has taken for a number or a boolean, though it was written as another thing.

    Its strict mode would refuse lists for tuples, too.
    """
    if dataclasses.is_dataclass(found) and isinstance(raw, Mapping):
        for name, each in raw.items():
            yield from _taken_for_another(each, getattr(found, name), _below(place, name))
    elif isinstance(found, Mapping) and isinstance(raw, Mapping):
        for name, each in raw.items():
            yield from _taken_for_another(each, found.get(name), _below(place, name))
    elif isinstance(found, list | tuple) and isinstance(raw, list | tuple):
        for number, (each, other) in enumerate(zip(raw, found, strict=False)):
            yield from _taken_for_another(each, other, _below(place, number))
    elif type(found) in _WRITTEN_AS:
        wanted, kinds = _WRITTEN_AS[type(found)]
        if type(raw) not in kinds:
            yield f"{place}: input should be {wanted}, not {raw!r}"


def _below(place: str, name: object) -> str:
    return f"{place}.{name}" if place else str(name)


def _expected(kind: str, message: str) -> str:
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        return "unknown key; remove it or check its spelling"
    if kind in ("missing", "missing_argument"):
        return "missing; add it"
    # In the words of YAML, not of Python.
    message = message.partition(" or an instance of ")[0].partition(" after validation")[0]
    message = message[0].lower() + message[1:]
    return re.sub(r"\btuple\b", "list", message) if kind in _OF_TUPLES else message


def _forbid_unknown_keys(settings: Any, with_config: Any) -> None:
    """pydantic ignores unknown keys of standard dataclasses unless each one says otherwise."""
    if dataclasses.is_dataclass(settings) and isinstance(settings, type):
        if "__pydantic_config__" not in vars(settings):
            with_config(extra="forbid", strict=False)(settings)
        for each in dataclasses.fields(settings):
            _forbid_unknown_keys(each.type, with_config)
    for argument in getattr(settings, "__args__", ()):
        _forbid_unknown_keys(argument, with_config)
