"""Tests of live frames run against the seeded company."""

from tests.server.api.fixtures import any_world, migrated_cluster, migrated_file, migrated_url, world

__all__ = ["any_world", "migrated_cluster", "migrated_file", "migrated_url", "world"]
