"""Signing in."""

from typing import Annotated

from pydantic import Field

from server.access.roles import Permission, Role
from server.api.views.base import Id, NameView, View


class MeView(View):
    """Who is signed in and what the menu may show."""

    login: str
    name: str
    role: Role
    employee: str | None
    permissions: list[Permission]
    departments: list[NameView]
    """Departments in the viewer's scope."""
    zone: str
    """Zone of the viewer's site, for times on the page."""


class LoginBody(View):
    """Credentials."""

    login: Id
    password: Annotated[str, Field(min_length=1, max_length=128)]
