"""Why a row waits: stable codes, with words for whoever has to put it right."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Code: TypeAlias = Literal[
    "bad_encoding",
    "missing_column",
    "missing_key",
    "missing_field",
    "missing_time",
    "bad_date",
    "bad_time",
    "bad_number",
    "out_of_range",
    "unknown_value",
    "unknown_department",
    "unknown_employee",
    "future_date",
    "conflict",
    "too_large",
    "schema_changed",
]

SOFT: frozenset[Code] = frozenset(("out_of_range", "future_date"))
"""A person may accept the row as it is; with any other code it has to be mended or refused."""

WORDS: dict[Code, tuple[str, str]] = {
    "bad_encoding": ("编码无法识别", "The text encoding can not be read"),
    "missing_column": ("缺少列", "A column is missing"),
    "missing_key": ("缺少主键", "The key is missing"),
    "missing_field": ("缺少必填字段", "A required field is missing"),
    "missing_time": ("缺少发生时间", "The time of the event is missing"),
    "bad_date": ("日期无法识别", "The date can not be read"),
    "bad_time": ("时间无法识别", "The time can not be read"),
    "bad_number": ("数字无法识别", "The number can not be read"),
    "out_of_range": ("数值超出合理范围", "The value is out of range"),
    "unknown_value": ("取值不在对照表中", "The value is not in the table of values"),
    "unknown_department": ("部门不存在", "The department does not exist"),
    "unknown_employee": ("员工不存在", "The employee does not exist"),
    "future_date": ("日期在未来", "The date lies in the future"),
    "conflict": ("同一主键已有不同内容", "The same key is stored with other values"),
    "too_large": ("内容过长", "The content is too long"),
    "schema_changed": ("来源结构已变化", "The source has changed its structure"),
}
"""In Chinese and in English."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field of a row."""

    field: str
    code: Code
    value: str = ""
    """As it came, cut to 200 characters; empty for what must not be shown."""
