"""Django settings of the mock: the product's, cut down to what pages need, nothing on disk."""

from oms_project.settings import *  # noqa: F403

ROOT_URLCONF = "orders.tests.pages.mock_urls"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": "file:mock?mode=memory&cache=shared",
    }
}
DATABASE_ROUTERS: list[str] = []
MIGRATION_MODULES = {name: None for name in ("access", "auth", "contenttypes", "sessions")}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "csp",
    "django_htmx",
    "oms_project.access.apps.AccessConfig",
]
OWN_SESSIONS = "oms_project.access.sessions.Middleware"  # ends sessions of a table the mock has not
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware" if name == OWN_SESSIONS else name
    for name in MIDDLEWARE  # noqa: F405
    if "axes" not in name
]
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
# A log-in costs nothing here: ours gives way to everything else on a busy machine and is tested itself.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
