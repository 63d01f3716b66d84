"""All rules, and what has to be known of a row of each fact to follow them."""

from functools import cache

from server.facts.resolve import commerce, finance, logistics, media, people
from server.facts.resolve.rule import Rule

RULES: tuple[Rule, ...] = (*commerce.RULES, *finance.RULES, *logistics.RULES, *media.RULES, *people.RULES)


OWN_KEY = ("source", "source_key")


@cache
def keys_joined(fact: str) -> tuple[tuple[str, ...], ...]:
    """Keys by which rules look for rows of a fact, beside its own, in a fixed order."""
    own = {rule.key for rule in RULES if rule.fact == fact}
    as_cause = {cause.key for rule in RULES for cause in rule.causes if cause.fact == fact}
    return tuple(sorted((own | as_cause | _MERGES.get(fact, set())) - {OWN_KEY}))


@cache
def key_columns(fact: str) -> tuple[str, ...]:
    """What has to be known of a row to tell whom it may decide about; none for a fact without rules."""
    own = {rule.fact for rule in RULES} | {cause.fact for rule in RULES for cause in rule.causes}
    columns = {name for key in keys_joined(fact) for name in key} | _MARKS.get(fact, set())
    return tuple(sorted(columns.union(OWN_KEY))) if fact in own else ()


_MERGES = {"customer": {("merged_into",)}}
"""Chains of merged customers are followed both ways."""
_MARKS = {"sales_order": {"customer", "first_valid", "paid_at_ms", "status", "is_test"}}
"""What tells whether a customer's first order has changed."""
