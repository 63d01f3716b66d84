"""YAML with the line of every value: plain data and safe tags only."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import yaml

from server.connectors.errors import Problem, SourceFileError

Place: TypeAlias = tuple[str | int, ...]
"""Keys and positions from the top of the document."""
_PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp")}
_AS_TEXT = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")
"""As in YAML 1.2: a field may be called ``no``, and a day is text until somebody says what it is."""
LARGEST = 1_000_000
"""Characters of a file."""
DEEPEST = 30


def load(text: str, name: str) -> tuple[Any, Mapping[Place, int]]:
    """The document, and the line of each of its values; SourceFileError for what is no YAML or names a key twice."""
    if len(text) > LARGEST:
        raise SourceFileError(name, [Problem(1, "", f"more than {LARGEST} characters")])
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines: dict[Place, int] = {}
        return (None if node is None else _value(node, (), lines, name)), lines
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SourceFileError(name, [Problem(line, "", f"no YAML: {error.problem}")]) from error
    except yaml.YAMLError as error:
        raise SourceFileError(name, [Problem(1, "", f"no YAML: {error}")]) from error


def where(place: Place) -> str:
    """A place as people write it, such as ``streams[0].map.status``."""
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _value(node: yaml.Node, place: Place, lines: dict[Place, int], name: str) -> Any:
    line = node.start_mark.line + 1
    lines[place] = line
    if len(place) > DEEPEST:
        raise SourceFileError(name, [Problem(line, where(place), f"deeper than {DEEPEST} levels")])
    if isinstance(node, yaml.MappingNode):
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            _scalar(key_node, place, name)  # refuses what is none
            key = str(key_node.value)  # as it is written: 1 and true are two keys
            if key in found:
                raise SourceFileError(name, [Problem(key_node.start_mark.line + 1, where(place), f"{key!r} twice")])
            found[key] = _value(value_node, (*place, key), lines, name)
            lines[(*place, key)] = key_node.start_mark.line + 1
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*place, number), lines, name) for number, item in enumerate(node.value)]
    return _scalar(node, place, name)


def _scalar(node: yaml.Node, place: Place, name: str) -> Any:
    if not isinstance(node, yaml.ScalarNode) or node.tag not in _PLAIN:
        problem = Problem(node.start_mark.line + 1, where(place), "expected a plain value")
        raise SourceFileError(name, [problem])
    if node.tag in _AS_TEXT and node.value.lower() not in ("true", "false"):
        return node.value
    return yaml.SafeLoader("").construct_object(node)
