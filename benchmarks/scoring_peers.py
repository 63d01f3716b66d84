"""Five counts of a year written by hand, in SQL for DuckDB and in pandas, beside our definitions of the same."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.scoring_world import indicators
from server.scoring.family import parts_of
from server.scoring.formula import read_operand
from server.scoring.part import Part
from server.store.counted_facts import shapes
from server.store.lake_register import fields_of, read_register

Counted: TypeAlias = tuple[str, str, str, str, int]
"""Name, month, person, twice the total (a median may be a half), rows or keys."""
SOME = ("biz_sales_amount", "biz_gross_margin_rate", "cs_first_response_seconds", "cs_resolution_rate")
OFFSET_MS = 8 * 3_600_000
"""Shanghai has no summer time."""
_VALID = "paid_at IS NOT NULL AND status <> 'cancelled' AND is_test IS NOT true"
_MONTH = "strftime(make_timestamp(({at} + 28800000) * 1000), '%Y-%m')"
_YEAR = "{at} BETWEEN 1767196800000 AND 1798732799999"
_OF = "coalesce(owner, employee)"


def parts_by_name() -> Iterator[tuple[str, Part]]:
    """Those of our parts that are counted by hand too."""
    known = {one.id: parts_of(one) for one in indicators() if one.id in SOME}
    yield "sales", next(part for part in known["biz_sales_amount"] if part.fact == "sales_order")
    yield "net", next(p for p in known["biz_gross_margin_rate"] if p.fact == "sales_order" and len(p.sum) == 1)
    yield "margin", next(p for p in known["biz_gross_margin_rate"] if p.fact == "sales_order" and len(p.sum) == 2)
    yield "response", known["cs_first_response_seconds"][0]
    yield "tickets", known["cs_resolution_rate"][-1]


def by_hand(folder: Path) -> tuple[float, list[Counted]]:
    """Each fact read once, a year at a time; seconds and what came out."""
    import duckdb

    start = time.perf_counter()
    found: list[Counted] = []
    with duckdb.connect(config={"threads": 2, "memory_limit": "256MB"}) as duck:
        for fact, at, person, where, columns in (
            (
                "sales_order",
                "paid_at",
                _OF,
                _VALID,
                "2 * sum(coalesce(amount_net_minor, 0)) AS sales_2, count(*) AS sales_n, "
                "2 * sum(coalesce(amount_net_minor, 0)) FILTER (cost_minor IS NOT NULL) AS net_2, "
                "count(cost_minor) AS net_n, "
                "2 * sum(coalesce(amount_net_minor, 0) - cost_minor) FILTER (cost_minor IS NOT NULL) AS margin_2, "
                "count(cost_minor) AS margin_n",
            ),
            (
                "ticket",
                "created_at",
                "employee",
                "true",
                "quantile_cont(coalesce(first_reply_business_seconds, first_reply_seconds), 0.5) * 2 AS response_2, "
                "count(coalesce(first_reply_business_seconds, first_reply_seconds)) AS response_n, "
                "2 * count(*) FILTER (status <> 'deleted') AS tickets_2, "
                "count(*) FILTER (status <> 'deleted') AS tickets_n",
            ),
        ):
            month, year = _MONTH.format(at=at), _YEAR.format(at=at)
            rows = duck.execute(
                f"SELECT {month} AS month, {person} AS unit, {columns} FROM read_parquet({_paths(folder, fact)}) "  # noqa: S608
                f"WHERE {year} AND {where} AND {person} IS NOT NULL GROUP BY ALL"
            )
            names = [column[0] for column in rows.description]
            for row in rows.fetchall():
                found += _told(dict(zip(names, row, strict=True)))
    return time.perf_counter() - start, found


def bare(folder: Path) -> tuple[float, list[Counted]]:
    """Rows of each fact by person and month of its first date, nothing else: what is left when rules are taken away."""
    import duckdb

    start = time.perf_counter()
    with duckdb.connect(config={"threads": 2, "memory_limit": "256MB"}) as duck:
        for fact in sorted({part.fact for one in indicators() for part in parts_of(one)}):
            at = next(part.date for one in indicators() for part in parts_of(one) if part.fact == fact and part.date)
            field = next(iter(fields_of(read_operand(at, shapes()[fact]).operand)))
            month = {"instant": _MONTH.format(at=field), "day": f"{field} // 31"}.get(shapes()[fact][field], field)
            duck.execute(
                f"SELECT {month} AS month, employee, count(*) "  # noqa: S608
                f"FROM read_parquet({_paths(folder, fact)}) GROUP BY ALL"
            ).fetchall()
    return time.perf_counter() - start, []


def with_pandas(folder: Path) -> tuple[float, list[Counted]]:
    """The same in pandas, with each fact in memory; reading the files is not counted."""
    import duckdb

    orders: Any = duckdb.execute(
        f"SELECT paid_at, employee, owner, status, is_test, amount_net_minor, cost_minor "  # noqa: S608
        f"FROM read_parquet({_paths(folder, 'sales_order')})"
    ).df()
    tickets: Any = duckdb.execute(
        "SELECT created_at, employee, status, first_reply_business_seconds AS business, "  # noqa: S608
        f"first_reply_seconds AS seconds FROM read_parquet({_paths(folder, 'ticket')})"
    ).df()
    start = time.perf_counter()
    found = [*_orders(orders), *_tickets(tickets)]
    return time.perf_counter() - start, found


def _orders(frame: Any) -> Iterator[Counted]:
    valid = frame["paid_at"].notna() & frame["status"].notna() & (frame["status"] != "cancelled")
    frame = _in_year(frame[valid & ~frame["is_test"].fillna(value=False).astype(bool)], "paid_at")
    frame["unit"] = frame["owner"].fillna(frame["employee"])
    net = frame["amount_net_minor"].fillna(0)
    with_cost = frame["cost_minor"].notna()
    frame["sales_2"], frame["sales_n"] = 2 * net, 1
    frame["net_2"], frame["net_n"] = 2 * net.where(with_cost, 0), with_cost
    frame["margin_2"], frame["margin_n"] = (2 * (net - frame["cost_minor"])).where(with_cost, 0), with_cost
    sums = [f"{name}_{what}" for name in ("sales", "net", "margin") for what in ("2", "n")]
    yield from _each(frame.groupby(["month", "unit"])[sums].sum())


def _tickets(frame: Any) -> Iterator[Counted]:
    frame = _in_year(frame, "created_at")
    frame["unit"] = frame["employee"]
    frame["reply"] = frame["business"].fillna(frame["seconds"])
    frame["tickets_n"] = frame["status"].notna() & (frame["status"] != "deleted")
    groups = frame.groupby(["month", "unit"])
    made = groups[["tickets_n"]].sum()
    made["tickets_2"] = 2 * made["tickets_n"]
    made["response_n"] = groups["reply"].count()
    made["response_2"] = 2 * groups["reply"].median().fillna(0)
    yield from _each(made)


def _in_year(frame: Any, at: str) -> Any:
    import pandas

    local = pandas.to_datetime(frame[at] + OFFSET_MS, unit="ms")
    frame = frame[local.dt.year == 2026].copy()
    frame["month"] = local.dt.strftime("%Y-%m")
    return frame


def _each(frame: Any) -> Iterator[Counted]:
    for values in frame.reset_index().to_dict("records"):
        yield from _told(values)


def _told(values: dict[str, Any]) -> Iterator[Counted]:
    for name in ("sales", "net", "margin", "response", "tickets"):
        if values.get(f"{name}_n"):
            yield name, values["month"], values["unit"], str(int(values[f"{name}_2"])), int(values[f"{name}_n"])


def _paths(folder: Path, fact: str) -> list[str]:
    return [str(file.path(folder)) for file in read_register(folder).of(fact).values()]
