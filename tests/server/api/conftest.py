"""Tests of the HTTP API run against the seeded company."""

from tests.server.api.asking import any_office, office
from tests.server.api.fixtures import any_world, world

__all__ = ["any_office", "any_world", "office", "world"]
