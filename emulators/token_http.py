"""The HTTP server inside a terminal that logs in once and wants its token with every question."""

import secrets

from emulators.digest_http import DigestLogin, Request, Response, TerminalWeb


class _NoHttpLogin(DigestLogin):
    """HTTP itself asks for nothing."""

    def check(self, method: str, target: str, header: str | None) -> str | None:  # noqa: ARG002 - as of its parent
        """Everybody may knock."""
        return None


class TokenWeb(TerminalWeb):
    """A server on the loopback interface; a family answers in ``answer`` and logs in with ``log_in``.

    ``token_uses`` is how many questions a token serves; ``expire`` ends all sessions at once.
    """

    def __init__(self, user: str, password: str, port: int = 0, *, token_uses: int = 10_000, seed: int = 1) -> None:
        super().__init__(_NoHttpLogin(user=user, password=password), port, seed=seed)
        self.logins = 0
        """Logins that were taken."""
        self.wrong = 0
        """Logins that were refused."""
        self.bodies: list[bytes] = []
        """Body of every request."""
        self.token_uses = token_uses
        self._tokens: dict[str, int] = {}

    def public(self, request: Request) -> Response | None:  # noqa: ARG002 - as of its parent
        """Nothing is answered before a token was looked for."""
        return None

    def expire(self) -> None:
        """End all sessions."""
        self._tokens.clear()

    def log_in(self, user: object, password: object) -> str | None:
        """A new token; None for a wrong password."""
        if (user, password) != (self.login.user, self.login.password):
            self.wrong += 1
            return None
        self.logins += 1
        token = secrets.token_urlsafe(12)
        self._tokens[token] = self.token_uses
        return token

    def holds(self, token: str | None) -> bool:
        """Whether a token still serves; this is one of its uses."""
        if token is None or self._tokens.get(token, 0) <= 0:
            return False
        self._tokens[token] -= 1
        return True

    async def respond(self, request: Request) -> Response:
        """The family's answer, and a note of the question."""
        self.bodies.append(request.body)
        return await self.answer(request)

    async def answer(self, request: Request) -> Response:
        """The family's answer."""
        raise NotImplementedError
