"""Who is asking: one signed-in user with what the role allows and whose rows it allows it for."""

from dataclasses import dataclass

from server.access.roles import Permission, Role, permissions_of, sees_everyone
from server.access.scope import Scope


@dataclass(frozen=True, slots=True)
class Viewer:
    """A signed-in user as of this request: grants are read anew each time, so a change acts on the next one."""

    user: int
    login: str
    name: str
    role: Role
    employee: str | None
    departments: frozenset[str]
    """A manager's departments, those below them included."""
    session: bytes
    """SHA-256 of the session's token."""

    @property
    def permissions(self) -> frozenset[Permission]:
        """What the role may do."""
        return permissions_of(self.role)

    @property
    def scope(self) -> Scope:
        """Whose rows the viewer may see."""
        if sees_everyone(self.role):
            return Scope(everyone=True, employee=self.employee)
        departments = self.departments if self.role == "manager" else frozenset()
        return Scope(departments=departments, employee=self.employee)

    def may(self, permission: Permission) -> bool:
        """Whether the role has the permission."""
        return permission in self.permissions

    def may_see(self, employee: str, others: Permission) -> bool:
        """Whether the role may ask about this employee at all: its own by ``me.read``, others by ``others``."""
        return self.may("me.read" if employee == self.employee else others)
