"""Writes the tables of docs/reference/indicators.md from the indicators and weights that ship."""

from collections.abc import Iterator
from pathlib import Path

from server.scoring.catalogue import default_catalogue
from server.scoring.family import facts_needed
from server.scoring.indicator import Indicator

PAGE = Path(__file__).parent / "reference" / "indicators.md"
_LIBRARY = ("<!-- indicators -->", "<!-- end of indicators -->")
_WEIGHTS = ("<!-- weights -->", "<!-- end of weights -->")
_DEPARTMENTS = {
    "logistics": "物流发展部 / Logistics development",
    "business": "业务发展部 / Business development",
    "finance": "财务部 / Finance",
    "hr": "人力资源部 / Human resources",
    "operations": "运营部 / Operations",
    "customer_service": "客服部 / Customer service",
    "design": "设计部 / Design",
    "new_media": "新媒体发展部 / New media development",
    None: "考勤 / Attendance",
}


def page(text: str) -> str:
    """The page with its tables as they are now."""
    return _between(_between(text, _LIBRARY, "".join(_indicators())), _WEIGHTS, "".join(_sets()))


def _between(text: str, marks: tuple[str, str], inner: str) -> str:
    head, rest = text.split(marks[0], 1)
    return f"{head}{marks[0]}\n{inner}{marks[1]}{rest.split(marks[1], 1)[1]}"


def _indicators() -> Iterator[str]:
    for department, title in _DEPARTMENTS.items():
        yield f"\n### {title}\n\n| id | name | unit | target | curve: value → points | least | read from |\n"
        yield "|---|---|---|---|---|---|---|\n"
        yield from (_row(one) for one in default_catalogue().indicators if one.department == department)


def _row(one: Indicator) -> str:
    target = one.target or ("each their own" if one.target_needed else "–")
    facts = ", ".join(f"`{fact}`" for fact in sorted(facts_needed(one)))
    name = f"{one.name_zh} / {one.name_en}"
    return f"| `{one.id}` | {name} | {one.unit} | {target} | {_curve(one)} | {one.min_sample} | {facts} |\n"


def _curve(one: Indicator) -> str:
    if one.curve.kind == "ratio":
        return f"100 × value ÷ target, up to {one.curve.cap}"
    over = " of value ÷ target" if one.curve.kind == "ratio_pts" else ""
    return ", ".join(f"{value} → {points}" for value, points in one.curve.points) + over


def _sets() -> Iterator[str]:
    yield "\n| set | for | weights |\n|---|---|---|\n"
    for one in default_catalogue().sets:
        whom = one.department or "everybody else"
        whom += f", position {one.position}" if one.position else ""
        yield f"| `{one.id}` | {whom} | {', '.join(f'`{name}` {weight}' for name, weight in one.weights.items())} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
