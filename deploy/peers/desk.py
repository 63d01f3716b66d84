"""django-helpdesk as a site of one file, for tests: settings, addresses, WSGI application, management commands.

``DESK_FOLDER`` is where its database is. Runs in django-helpdesk's own environment.
"""

import os
import sys
from pathlib import Path

import django
from django.conf import settings

FOLDER = Path(os.environ["DESK_FOLDER"])
PROCESSORS = [
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
]
settings.configure(
    SECRET_KEY="of a site that lives for one test run",  # noqa: S106
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        *(
            f"django.contrib.{app}"
            for app in ("admin", "auth", "contenttypes", "sessions", "messages", "staticfiles", "sites", "humanize")
        ),
        "helpdesk",
        "rest_framework",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {"context_processors": PROCESSORS},
        }
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "desk.sqlite"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    USE_TZ=True,
    TIME_ZONE="UTC",
    SITE_ID=1,
    STATIC_URL="/static/",
    MEDIA_ROOT=FOLDER / "media",
    EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend",
    HELPDESK_ACTIVATE_API_ENDPOINT=True,
    HELPDESK_TEAMS_MODE_ENABLED=False,
    REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.BasicAuthentication"]},
)
django.setup()

from django.core.management import execute_from_command_line  # noqa: E402  (only after setup)
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import include, path  # noqa: E402

urlpatterns = [path("", include("helpdesk.urls", namespace="helpdesk"))]
application = get_wsgi_application()


def first_queue():
    """Make the one queue that tickets are put in; it has number 1."""
    from helpdesk.models import Queue  # only after setup

    Queue.objects.create(title="Returns", slug="returns")


if __name__ == "__main__":
    if sys.argv[1:] == ["first_queue"]:
        first_queue()
    else:
        execute_from_command_line(sys.argv)
