"""Real business systems, each with a copy of its fresh database in a folder and on a port of its own.

``deploy/install-test-peers`` makes them ready. Where MUSTER_PEERS names their folder, one that is missing is an error;
elsewhere its tests are skipped.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.support.loopback import free_port, wait_for_listener

ROOT = Path(__file__).parents[2]
TOLD = os.environ.get("MUSTER_PEERS")
PEERS = Path(TOLD) if TOLD else ROOT / ".peers"
RT_SERVER = Path("/usr/share/request-tracker5/libexec/rt-server")
START_S = 60
"""Request Tracker compiles itself first, on a busy machine."""


def needs(*paths: Path) -> None:
    """Skip, or fail where peers were made ready, unless all of these are there."""
    for path in paths:
        if not path.exists():
            reason = f"no {path}: run make test-peers"
            if TOLD:
                pytest.fail(reason)
            pytest.skip(reason)


class System:
    """A server as a process; it keeps its port and its data over a restart."""

    def __init__(self, folder: Path, port: int, command: Sequence[str | Path], environ: Mapping[str, str]) -> None:
        self.folder, self.port, self.environ = folder, port, dict(environ)
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Return when it accepts connections; AssertionError with what it said when it does not."""
        assert self._process is None, "it runs"
        # Nothing of ours on its path: the peer has an environment of its own.
        ours = {"PYTHONPATH", "VIRTUAL_ENV", "PYTEST_ADDOPTS"}
        environ = {name: value for name, value in os.environ.items() if name not in ours} | self.environ
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self.folder, env=environ, stdout=log, stderr=log, start_new_session=True
            )
        try:
            wait_for_listener(self.port, lambda: self._process is not None and self._process.poll() is None, START_S)
        except TimeoutError as error:
            self.kill()
            said = (self.folder / "log").read_text(errors="replace")[-4_000:]
            raise AssertionError(f"{self._command[0]} did not start:\n{said}") from error

    def kill(self) -> None:
        """Kill -9, with the processes that it began."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
            self._process = None


def tryton(folder: Path) -> System:
    """Tryton 8.2 with a company; the administrator's password is in it."""
    home = PEERS / "tryton"
    needs(home / "stamp", home / "venv/bin/trytond", home / "db/erp.sqlite")
    port = free_port()
    shutil.copy(home / "db/erp.sqlite", folder / "erp.sqlite")
    (folder / "trytond.conf").write_text(
        f"[database]\nuri = sqlite://\npath = {folder}\n[web]\nlisten = 127.0.0.1:{port}\n"
    )
    return System(folder, port, [home / "venv/bin/trytond", "-c", "trytond.conf", "-d", "erp"], {})


def helpdesk(folder: Path) -> System:
    """django-helpdesk 2.6 with one queue and one agent."""
    home = PEERS / "helpdesk"
    needs(home / "stamp", home / "venv/bin/gunicorn", home / "desk.sqlite")
    port = free_port()
    shutil.copy(home / "desk.sqlite", folder)
    bound = ["-w", "1", "--threads", "4", "-b", f"127.0.0.1:{port}", "--no-control-socket"]
    command: list[str | Path] = [
        home / "venv/bin/gunicorn",
        *bound,
        "--chdir",
        ROOT / "deploy/peers",
        "desk:application",
    ]
    return System(folder, port, command, {"DESK_FOLDER": str(folder), "PYTHONDONTWRITEBYTECODE": "1"})


def request_tracker(folder: Path) -> System:
    """Debian's Request Tracker 5, as it is after its installation."""
    home = PEERS / "rt"
    needs(RT_SERVER, home / "rt.sqlite")
    port = free_port()
    shutil.copy(home / "rt.sqlite", folder)
    for name in ("conf.d", "mason", "session"):
        (folder / name).mkdir()
    settings = {
        "rtname": "peer",
        "Organization": "peer.example",
        "DatabaseType": "SQLite",
        "DatabaseName": f"{folder}/rt.sqlite",
        "WebDomain": "127.0.0.1",
        "WebPort": str(port),
        "WebPath": "",
        "WebBaseURL": f"http://127.0.0.1:{port}",
        "Timezone": "UTC",
        "LogToSyslog": "",
        "LogToSTDERR": "warning",
        "MailCommand": "testfile",  # mail stays in a file
        "MasonDataDir": f"{folder}/mason",
        "MasonSessionDir": f"{folder}/session",
    }
    (folder / "site.pm").write_text("".join(f"Set(${name}, '{value}');\n" for name, value in settings.items()) + "1;\n")
    environ = {"RT_SITE_CONFIG": f"{folder}/site.pm", "RT_SITE_CONFIG_DIR": f"{folder}/conf.d", "TMPDIR": str(folder)}
    return System(folder, port, ["perl", RT_SERVER, "--host", "127.0.0.1", "--port", str(port)], environ)


def make_rt_token(system: System, user: str) -> str:
    """A token of a user, as the page of tokens makes them: the API has no call for it."""
    return _perl(
        system,
        f"""
        my $user = RT::User->new(RT->SystemUser); $user->Load('{user}');
        my $made = RT::AuthToken->new(RT::CurrentUser->new($user));
        my ($ok, $said, $token) = $made->Create(Owner => $user->id, Description => 'Muster');
        die $said unless $ok; print $token;
        """,
    )


def write_as_rt_customer(system: System, ticket: str, customer: str) -> None:
    """A mail of the customer to a ticket of theirs, as the mail gateway takes it in: they have no password."""
    _perl(
        system,
        f"""
        my $everyone = RT::Group->new(RT->SystemUser); $everyone->LoadSystemInternalGroup('Everyone');
        $everyone->PrincipalObj->GrantRight(Right => $_, Object => $RT::System)
            for grep {{ !$everyone->PrincipalObj->HasRight(Right => $_, Object => $RT::System) }}
                qw(ReplyToTicket ShowTicket SeeQueue);
        my $ticket = RT::Ticket->new(RT::CurrentUser->new('{customer}')); $ticket->Load({ticket});
        my ($ok, $said) = $ticket->Correspond(Content => 'Where is it?'); die $said unless $ok;
        """,
    )


def _perl(system: System, code: str) -> str:
    program = f"use lib '/usr/share/request-tracker5/lib'; use RT -init; {code}"
    environ = os.environ | system.environ
    done = subprocess.run(["perl", "-e", program], env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
