"""Files of definitions: each definition for itself, its fault with field and line."""

import tomllib
from importlib.resources import files

import pytest

from server.scoring.definition_file import DefinitionFile
from server.scoring.toml_lines import line_of
from server.store.counted_facts import shapes
from shared.errors import DataError
from tests.support.definition_text import BETTER, LINES, TARGET, definition

GOOD = definition()
NUMERATOR, DENOMINATOR = "[[indicator.numerator]]\nfact", "[[indicator.denominator]]\nfact"


def second(before: str, after: str) -> DefinitionFile:
    """A file of two, the second with a change."""
    assert before in GOOD
    return DefinitionFile((GOOD + definition("own_other").replace(before, after)).encode(), shapes())


def shipped() -> str:
    folder = files("server.scoring") / "defaults" / "indicators"
    return "\n".join(file.read_text("utf-8") for file in sorted(folder.iterdir(), key=lambda one: one.name))


def test_what_ships_is_read_whole_and_each_definition_found_on_its_line() -> None:
    text = shipped()
    lines = text.splitlines()
    found = DefinitionFile(text.encode(), shapes()).definitions
    assert [one.id for one in found] == [one["id"] for one in tomllib.loads(text)["indicator"]]
    assert all(one.fault is None and one.indicator is not None for one in found)
    for one in found:
        assert lines[one.line - 1] == "[[indicator]]"
        assert lines[line_of(text, f"indicator[{one.number}].id") - 1] == f'id = "{one.id}"'


@pytest.mark.parametrize(
    ("before", "after", "code", "field", "line"),
    [
        ('target = "95"', "target = 95", "indicator_invalid", "target", TARGET),
        ('better = "up"', 'better = "more"', "indicator_invalid", "better", BETTER),
        ('unit = "%"\n', "", "indicator_invalid", "", 1),
        ('unit = "%"', 'units = "%"\nunit = "%"', "indicator_invalid", "units", 5),
        ('"95", "100"', '"95", 100', "indicator_invalid", "curve.points[1][1]", 15),
        ('"95", "100"', '"90", "100"', "curve_points", "curve.points", 15),
        (f"{DENOMINATOR} = 'attendance_day'", f"{DENOMINATOR} = 'ship'", "part_fact", "denominator[0]", 21),
        (f"{NUMERATOR} = 'attendance_day'", f"{NUMERATOR} = 1", "indicator_invalid", "numerator[0].fact", 19),
        ("date = 'date'", "date = 'due'", "formula_field", "numerator[0]", 18),
        ('family = "ratio"', 'family = "composite"', "indicator_family", "family", 7),
    ],
)
def test_a_fault_is_named_with_field_and_line(before: str, after: str, code: str, field: str, line: int) -> None:
    first, other = second(before, after).definitions
    assert first.fault is None
    assert other.id == "own_other"
    assert other.fault is not None
    assert " - at `" not in other.fault.reason, "the field is told beside it"
    assert (other.fault.code, other.fault.field, other.fault.line) == (code, field, LINES + line)


@pytest.mark.parametrize(
    ("toml", "line"),
    [
        (GOOD.encode() + b"[[indicator]]\nid = \n", LINES + 2),
        (b"", 1),
        (b"# nothing\n[indicator]\nid = 'x'\n", 2),
        (GOOD.encode() + b"[[set]]\nid = 'x'\n", LINES + 1),
        (b"\xff\xfe", 1),
        (b"indicator = " + b"[" * 5000, 1),
        (b"[[indicator]]\n" * 201, 201),
    ],
)
def test_what_is_no_file_of_definitions_is_refused_with_its_line(toml: bytes, line: int) -> None:
    with pytest.raises(DataError) as refused:
        DefinitionFile(toml, shapes())
    assert (refused.value.code, refused.value.parameters["line"]) == ("draft_file", str(line))


def test_lines_of_windows_and_its_mark_are_read() -> None:
    [found] = DefinitionFile(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode(), shapes()).definitions
    assert (found.fault, found.line) == (None, 1)


def test_something_that_is_no_table_has_its_fault() -> None:
    [found] = DefinitionFile(b"indicator = [1]", shapes()).definitions
    assert found.fault is not None
    assert (found.id, found.fault.code) == ("", "indicator_invalid")
