"""Scores of a past month that the running server leaves alone: what couriers are told about damage."""

from sqlalchemy import create_engine

from server.store import tables
from tests.web.company import Company

MONTH = "2026-03"
_AT_MS = 1_775_000_000_000
_QUERY = {"first": "2026-03-01", "last": "2026-03-31", "from_ms": 1_772_294_400_000, "to_ms": 1_774_972_800_000}


def add_scores(company: Company) -> None:
    """97 % on time, 3 % damaged, of which 1.8 % had been found before parcels came back (docs/mission-story.md)."""
    kept: dict[str, object] = {"rule_version": "score-2/2015-01-01", "weight_sets": ["logistics/2015-01-01"], "denominator": 1_000}
    kept |= {"watermarks": {"cut_ms": _AT_MS}, "input_hash": "ab" * 32}
    kept["query"] = {"level": "person", "unit": company.me.id, "cut_ms": _AT_MS, **_QUERY}
    on_time = {"weight": [40, 65], "numerator": 970, "value": "97/1", "target": "97"}
    damage = {"weight": [25, 65], "numerator": 30, "value": "3/1", "target": "1.5", "beside": {"without_returns": "9/5"}}
    rows = [
        {
            "employee": company.me.id,
            "period": MONTH,
            "indicator": name,
            "sample": 1_000,
            "score_micro": micro,
            "lineage": {**kept, **own},
            "computed_ms": _AT_MS,
        }
        for name, own, micro in (
            ("log_on_time_delivery_rate", on_time, 100_000_000),
            ("log_damage_rate", damage, 40_000_000),
        )
    ]
    card = {"employee": company.me.id, "period": MONTH, "status": "scored", "total_centi": 7692, "computed_ms": _AT_MS}
    with create_engine(f"sqlite:///{company.database}").begin() as connection:
        connection.execute(tables.scores.insert(), rows)
        connection.execute(tables.scorecards.insert().values(**card, coverage_num=1, coverage_den=1))
