"""Definitions of indicators as somebody writes them into a TOML file."""


def definition(
    name: str = "own_rate",
    *,
    target: str = '"95"',
    starts: str = "2026-03-01",
    pair: str = "att_punctuality_rate",
) -> str:
    """One that fits, unless ``target``, which is put in as it is, makes it wrong; what its source says is no table."""
    return f"""\
[[indicator]]
id = "{name}"
name_zh = "准点 {name}"
name_en = "On time {name}"
unit = "%"
better = "up"
family = "ratio"
scale = "100"
target = {target}
source = \"\"\"
Agreed with the depots.
[[indicator]]
target = 1
\"\"\"
curve = {{ kind = "pts", points = [["90", "0"], ["95", "100"]] }}
starts = {starts}
pair = "{pair}"
[[indicator.numerator]]
fact = 'attendance_day'
date = 'date'
[[indicator.denominator]]
fact = 'attendance_day'
date = 'date'

"""


BETTER, TARGET, STARTS = 6, 9, 16
"""Lines of these keys in a definition, from 1."""
LINES = definition().count("\n")
"""Lines of one definition."""
