"""Whose rows a viewer may see; every query takes one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """People a viewer may see: everyone, the people of some departments, and always themselves."""

    everyone: bool = False
    departments: frozenset[str] = frozenset()
    employee: str | None = None

    @classmethod
    def system(cls) -> "Scope":
        """For engines and ingest, which work for everybody and say so openly."""
        return cls(everyone=True)
