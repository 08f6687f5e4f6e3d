"""Django's settings. No `if` on the environment's name: every difference is a variable of env.py."""

from datetime import timedelta
from pathlib import Path

from csp.constants import NONE, SELF

from oms_project import databases, log
from oms_project import env as environment

BASE_DIR = Path(__file__).resolve().parent.parent
ENV = environment.load()

SECRET_KEY = environment.secret_key(ENV)
SECRET_KEY_FALLBACKS = list(ENV.secret_keys_old)
DEBUG = ENV.debug
ALLOWED_HOSTS = list(ENV.allowed_hosts)
CSRF_TRUSTED_ORIGINS = list(ENV.trusted_origins)
ROOT_URLCONF = "oms_project.urls"
ASGI_APPLICATION = "oms_project.asgi.application"
WSGI_APPLICATION = "oms_project.wsgi.application"
AUTH_USER_MODEL = "access.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

INSTALLED_APPS = [
    "django.contrib.admin.apps.SimpleAdminConfig",  # urls.py finds the admins: roles need none
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "channels",
    "csp",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "oms_project.apps.FrameConfig",
    "oms_project.access.apps.AccessConfig",
    "marketdata.apps.MarketDataConfig",
    "risk.apps.RiskConfig",
    "orders.apps.OrdersConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "oms_project.rest.middleware.problems",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "oms_project.access.sessions.Middleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": ["orders.pages.filters"],
        },
    }
]

# ------------------------------------------------------------------ databases
# `default` holds Django's own tables and reference data; `store` what the projector writes, in a
# file of its own so that a page's session and a batch of orders never wait for one write lock.
# The store is rebuilt from the log, so it may lose its last commits in a power cut (NORMAL). Every
# thread has a connection, and each may keep its cache full: 4 MB; the one writer takes itself more.
_SQLITE = "PRAGMA journal_mode=WAL; PRAGMA busy_timeout=5000; PRAGMA synchronous="


def _sqlite(name: str, synchronous: str) -> dict[str, object]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": ENV.data_dir / name,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "init_command": f"{_SQLITE}{synchronous}; PRAGMA cache_size=-4096; "
            "PRAGMA wal_autocheckpoint=16384;",
        },
        "TEST": {"NAME": ENV.data_dir / f"test_{name}"},
    }


def _database() -> dict[str, object]:
    if not ENV.database_url:
        return _sqlite("django.sqlite3", "FULL")
    return databases.server(ENV.database_url, ENV.database_pool)


# With DATABASE_URL the projection lives there too: one server, one backup.
STORE_ALIAS = "default" if ENV.database_url else "store"
DATABASES = {"default": _database()} | (
    {} if ENV.database_url else {"store": _sqlite("store.sqlite3", "NORMAL")}
)
DATABASE_ROUTERS = ["orders.adapters.router.StoreRouter"]

# ------------------------------------------------------------------ sockets, tasks, cache
CHANNEL_LAYERS = {
    "default": (
        {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [ENV.redis_url], "prefix": "oms:push"},
        }
        if ENV.redis_url
        else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    )
}
CELERY_BROKER_URL = ENV.redis_url or f"filesystem://{ENV.data_dir / 'celery'}"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Remote control needs a broker that broadcasts; a folder of files would only fill up.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = bool(ENV.redis_url)
CELERY_BEAT_SCHEDULER = "oms_project.celery:StaticScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
# expires: what a stopped worker did not get to is not worth doing late; the next one is due anyway.
CELERY_BEAT_SCHEDULE = {
    name: {
        "task": name,
        "schedule": timedelta(seconds=every_s),
        "options": {"expires": every_s},
    }
    for name, every_s in (
        ("orders.trim_log", 60),
        ("orders.forget_claims", 300),
        ("orders.check_integrity", 60),
        ("orders.heal_reference", 60),
        ("access.purge", 3_600),
        ("marketdata.roll_up", 60),
        ("marketdata.forget_candles", 3_600),
    )
}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# ------------------------------------------------------------------ who may come in
AUTHENTICATION_BACKENDS = [
    "oms_project.access.throttle.ThrottleBackend",
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "oms_project.access.throttle.address_of"
AXES_SENSITIVE_PARAMETERS: list[str] = []  # who and from where is what the lines are evidence of
AXES_LOCKOUT_TEMPLATE = "registration/locked.html"
PASSWORD_HASHERS = [
    "oms_project.access.hashing.BoundedScrypt",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"
SESSION_ENGINE = "oms_project.access.sessions"
SESSION_COOKIE_AGE = 12 * 60 * 60  # the longest; access/sessions.py ends most of them earlier
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = ENV.secure_cookies
_HOST = "__Host-" if ENV.secure_cookies else ""  # taken by browsers from this very host only
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{_HOST}sessionid", f"{_HOST}csrftoken"
SECURE_HSTS_SECONDS = 31_536_000 if ENV.secure_cookies else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = ENV.secure_cookies
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ENV.secure_cookies else None
# TLS ends at the proxy, which also turns http away; the preload list of browsers is the owner's to ask for.
SILENCED_SYSTEM_CHECKS = ["security.W008", "security.W021"]
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
CSRF_FAILURE_VIEW = "oms_project.rest.problem.csrf_failure"

# ------------------------------------------------------------------ REST
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["oms_project.rest.auth.DoorAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["oms_project.rest.throttling.QuotaThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["oms_project.rest.renderers.JsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["oms_project.rest.parsers.StrictJsonParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "oms_project.rest.negotiation.JsonNegotiation",
    "DEFAULT_METADATA_CLASS": None,
    "URL_FORMAT_OVERRIDE": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "oms_project.rest.problem.exception_handler",
    "UNAUTHENTICATED_USER": None,
}
TOKENS = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=30),
    "REFRESH_TOKEN_LIFETIME": timedelta(hours=12),
    "ALGORITHM": "HS256",
    "SIGNING_KEY": ENV.jwt_key or f"jwt:{SECRET_KEY}",
    "OLD_KEYS": ENV.jwt_keys_old or tuple(f"jwt:{key}" for key in ENV.secret_keys_old),
    "ISSUER": "crypto-oms",
    "AUDIENCE": "crypto-oms-api",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Crypto OMS",
    "DESCRIPTION": "Orders, durable before acknowledged. Decimals are strings; times are UTC.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "orders.rest.contract.add",
        "orders.rest.tidy.tidy",
    ],
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": False, "displayRequestDuration": True},
    "ENUM_NAME_OVERRIDES": {
        "OutcomeEnum": "oms_project.codes.Outcome",
        "MoveOutcomeEnum": [
            (one, one) for one in ("apply", "absorb", "refuse", "set aside", "by the open request")
        ],
        "FeedStateEnum": "marketdata.domain.feed_state.FeedState",
        "ApiKeyStateEnum": [(one, one) for one in ("active", "expired", "revoked")],
        "SideEnum": [("buy", "buy"), ("sell", "sell")],
        "OrderStatusEnum": "oms_project.kernel.words.Status",
        "AccountStateEnum": "oms_project.kernel.words.AccountState",
        "InstrumentStateEnum": "oms_project.kernel.words.InstrumentState",
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# ------------------------------------------------------------------ files and logs
STATIC_URL = "/static/"
STATIC_ROOT = Path(ENV.static_dir) if ENV.static_dir else ENV.data_dir / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "oms_project.delivery.HashedFiles"},
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
LOGGING_CONFIG = None
log.configure(ENV.log_level, ENV.log_format)
