"""Writes docs/reference/facts.md from the row models of the facts."""

from pathlib import Path

from server.facts.catalogue import FACTS, SEALED, FactKind
from server.facts.field_kinds import FieldKind, choices_of, field_kind
from server.facts.fields import Fact
from server.facts.resolved import RESOLVED, Resolved

PAGE = Path(__file__).parent / "reference" / "facts.md"
_HEAD = """# Facts

Written by `python docs/generate_facts.py` from `server/facts/`; a test holds the two together.

Each fact is a table `fact_NAME`, unique by `source` and `source_key`. Money is whole minor units (fen) with an ISO
currency, instants are UTC with whole seconds, days are the company's local days. A field without **bold** may be empty:
that means "not known", never 0.

Keys that join systems are one namespace for the whole company: `customer_key`, `tracking_no`, `post_key`, `page_key`,
`campaign`, and `order_key` of parcels, damage reports and complaints, which is the `order_no`. Where two systems
number their customers by themselves, put the system's name before the number in the map (`join`). All other keys,
such as `order_key` of lines and refunds, `invoice_key` or `requisition_key`, are the `source_key` of a row of the same
source.

Under *settled by other rows* are attributes that no source sends: they follow from other rows, and are worked out
again in the transaction that brings, changes or deletes one of them, whichever comes last.
"""
_NAMES: dict[FieldKind, str] = {
    "text": "text",
    "whole": "whole number",
    "number": "number",
    "minor": "minor units",
    "flag": "yes or no",
    "day": "day",
    "instant": "instant",
}


def page() -> str:
    """The whole page."""
    parts = [_HEAD, "\n## Fields of every fact\n", _table(Fact, frozenset(Fact.model_fields), frozenset())]
    for kind in FACTS.values():
        parts += _section(kind)
    return "".join(parts)


def _section(kind: FactKind) -> list[str]:
    own = frozenset(kind.row.model_fields) - frozenset(Fact.model_fields)
    needed = sorted((kind.required & frozenset(Fact.model_fields)) - {"source_key"})
    times = [f"`{name}`" for name in kind.times if name != "occurred_at"]
    about = (kind.row.__doc__ or "").strip().replace("``", "`")
    head = [f"\n## {kind.name}\n{about}\n", f"\n`source_key`: {kind.key}."]
    head += [f" It happened at the first of {', '.join(times)} that is set."] if times else []
    head += [f" Needs {', '.join(f'`{name}`' for name in needed)} too."] if needed else []
    return [*head, "\n", _table(kind.row, own, frozenset(SEALED.get(kind.name, ()))), *_settled(kind)]


def _settled(kind: FactKind) -> list[str]:
    resolved = RESOLVED.get(kind.name)
    if resolved is None:
        return []
    return ["\nSettled by other rows:\n", _table(resolved, frozenset(resolved.model_fields), frozenset())]


def _table(row: type[Fact | Resolved], fields: frozenset[str], sealed: frozenset[str]) -> str:
    lines = ["\n| field | what | |\n|---|---|---|\n"]
    for name, info in row.model_fields.items():
        if name in fields:
            shown = f"**{name}**" if info.is_required() else name
            about = (info.description or "").replace("\n", " ").replace("``", "`")
            about = "kept encrypted only" if name in sealed and not about else about
            lines.append(f"| {shown} | {_kind(row, name)} | {about} |\n")
    return "".join(lines)


def _kind(row: type[Fact | Resolved], name: str) -> str:
    kind = field_kind(row, name)
    return " ".join(f"`{value}`" for value in choices_of(row, name)) if kind == "choice" else _NAMES[kind]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
