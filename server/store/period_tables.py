"""Closed periods of scores: what was published, what people added or limited, what came late, who appealed."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from server.store.metadata import id_column, metadata, only_where

score_settings = Table(
    "score_settings",
    metadata,
    Column("name", Text, primary_key=True),  # appeal_days | veto_cap_centi | cycle:<department>
    Column("value", JSON, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("set_ms", BigInteger, nullable=False),
)

score_closings = Table(
    "score_closings",
    metadata,
    id_column(),
    Column("period", Text, nullable=False),  # YYYY-MM or YYYY-Qn
    Column("department", Text, nullable=False),  # with those below it; '' for everybody
    Column("closed_ms", BigInteger, nullable=False),
    Column("closed_by", Text, nullable=False),
    Column("appeal_until_ms", BigInteger, nullable=False),
    Column("summary", JSON, nullable=False),  # the checklist as it stood, what was accepted, how many people
    Index("ix_score_closings_period", "period"),
)

closed_cards = Table(  # what was published; a row is never changed, a later version stands beside it
    "closed_cards",
    metadata,
    Column("employee", Text, ForeignKey("employees.id"), nullable=False),
    Column("period", Text, nullable=False),
    Column("version", Integer, nullable=False),  # 1, 2 ...
    Column("newest", Boolean, nullable=False),
    Column("closing", BigInteger, ForeignKey("score_closings.id"), nullable=False),
    Column("cause", Text, nullable=False),  # closing | appeal/<id> | veto/<id>
    Column("status", Text, nullable=False),  # as in scorecards
    Column("computed_centi", Integer),
    Column("coverage_num", BigInteger, nullable=False),
    Column("coverage_den", BigInteger, nullable=False),
    Column("calibration", BigInteger),  # the approved one
    Column("adjustment_centi", Integer, nullable=False),
    Column("vetoes", JSON, nullable=False),  # ids of the confirmed ones
    Column("veto_cap_centi", Integer),  # the lowest
    Column("final_centi", Integer),
    Column("grade", Text),
    Column("provisional", JSON, nullable=False),  # indicators that were not final: published early by a decision
    Column("rewards", JSON, nullable=False),  # each with its rule and steps
    Column("parts", JSON, nullable=False),  # each post as it was and its scores with their lineage (KS-16)
    Column("published_ms", BigInteger, nullable=False),
    Column("sealed", LargeBinary),  # what the rewards come to, then base and amount of each; none without rewards
    PrimaryKeyConstraint("employee", "period", "version"),
    Index("ix_closed_cards_newest", "period", "employee", unique=True, **only_where("newest")),
)

score_calibrations = Table(
    "score_calibrations",
    metadata,
    id_column(),
    Column("employee", Text, ForeignKey("employees.id"), nullable=False),
    Column("period", Text, nullable=False),
    Column("points_centi", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("appeal", BigInteger),  # that it answers
    Column("state", Text, nullable=False),  # waiting | approved | refused | withdrawn | replaced
    Column("proposed_by", Text, nullable=False),
    Column("proposed_ms", BigInteger, nullable=False),
    Column("decided_by", Text),  # never who proposed
    Column("decided_ms", BigInteger),
    Column("note", Text, nullable=False),
    Index("ix_score_calibrations_card", "period", "employee"),
)

score_vetoes = Table(
    "score_vetoes",
    metadata,
    id_column(),
    Column("employee", Text, ForeignKey("employees.id"), nullable=False),
    Column("period", Text, nullable=False),
    Column("kind", Text, nullable=False),  # fraud | tax_penalty | safety_accident | data_leak
    Column("evidence", Text, nullable=False),
    Column("cap_centi", Integer, nullable=False),
    Column("state", Text, nullable=False),  # waiting | confirmed | refused | withdrawn | lifted
    Column("reported_by", Text, nullable=False),
    Column("reported_ms", BigInteger, nullable=False),
    Column("decided_by", Text),  # never who reported
    Column("decided_ms", BigInteger),
    Column("note", Text, nullable=False),
    Index("ix_score_vetoes_card", "period", "employee"),
)

reward_tiers = Table(
    "reward_tiers",
    metadata,
    Column("indicator", Text, nullable=False),
    Column("starts", Date, nullable=False),
    Column("step", Text, nullable=False),  # exact parts of 1
    Column("gain", Text, nullable=False),
    Column("max_steps", Integer, nullable=False),
    Column("gates", JSON, nullable=False),  # {indicator: least, null for its target}
    Column("set_by", Text, nullable=False),
    Column("set_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("indicator", "starts"),
)

reward_bases = Table(
    "reward_bases",
    metadata,
    Column("indicator", Text, nullable=False),
    Column("kind", Text, nullable=False),  # person | position
    Column("unit", Text, nullable=False),
    Column("starts", Date, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("set_ms", BigInteger, nullable=False),
    Column("sealed", LargeBinary),  # the amount; none: nothing any more
    PrimaryKeyConstraint("indicator", "kind", "unit", "starts"),
)

score_adjustments = Table(  # what closed periods would say now (KS-12)
    "score_adjustments",
    metadata,
    Column("employee", Text, ForeignKey("employees.id"), nullable=False),
    Column("period", Text, nullable=False),  # the closed one
    Column("indicator", Text, nullable=False),
    Column("part", Integer, nullable=False),  # of a period with several posts: 0, 1 ... by date
    Column("posted_to", Text, nullable=False),  # the period that was open
    Column("cause", Text, nullable=False),  # fact/source/key, where one row tells; else the indicator's facts
    Column("numerator", BigInteger, nullable=False),  # as counted now
    Column("denominator", BigInteger, nullable=False),
    Column("sample", Integer, nullable=False),
    Column("no_score", Text),
    Column("before", JSON, nullable=False),  # value, points, total
    Column("after", JSON, nullable=False),
    Column("total_centi", Integer),  # difference
    Column("computed_ms", BigInteger, nullable=False),
    Column("sealed", LargeBinary),  # money: the difference, before, after; none where no money is in it
    PrimaryKeyConstraint("employee", "period", "indicator", "part", "posted_to"),
    Index("ix_score_adjustments_posted_to", "posted_to", "employee"),
)

score_appeals = Table(
    "score_appeals",
    metadata,
    id_column(),
    Column("employee", Text, ForeignKey("employees.id"), nullable=False),
    Column("period", Text, nullable=False),
    Column("version", Integer, nullable=False),  # of the card that it is about
    Column("indicator", Text),  # none: the whole card
    Column("text", Text, nullable=False),
    Column("filed_ms", BigInteger, nullable=False),
    Column("state", Text, nullable=False),  # open | changing | upheld | changed | refused | withdrawn
    Column("decided_by", Text),
    Column("decided_ms", BigInteger),
    Column("note", Text, nullable=False),
    Index("ix_score_appeals_state", "state"),
    Index("ix_score_appeals_card", "period", "employee"),
)
