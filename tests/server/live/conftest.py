"""Tests of live frames run against the seeded company."""

from tests.server.api.fixtures import any_world, world

__all__ = ["any_world", "world"]
