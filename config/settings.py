"""Every setting of Tocsin: read once, from the environment, with its meaning and default beside it."""

from datetime import timedelta
from pathlib import Path

import environ

from config import embedded, secret

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# --- Where it runs -----------------------------------------------------------------------------

# Instance directory of the embedded servers and of generated secrets (default: var/ in the checkout).
TOCSIN_HOME = embedded.home()
# Django's debug pages. Never in production.
DEBUG = env.bool("DEBUG", default=False)
# Signs sessions and tokens. Unset: one is generated and kept in TOCSIN_HOME.
SECRET_KEY = env.str("SECRET_KEY", default="") or secret.generated("secret-key")
# Key from which every webhook signing secret is derived. Changing it changes all of them.
WEBHOOK_SIGNING_KEY = env.str("WEBHOOK_SIGNING_KEY", default="") or secret.generated("webhook-signing-key")
# Host names that the web process answers to beside localhost, comma separated.
ALLOWED_HOSTS = [*env.list("ALLOWED_HOSTS", default=[]), "localhost", "127.0.0.1", "[::1]"]
# Origins with scheme that may post forms when TLS ends at a proxy, comma separated.
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# True behind a proxy that ends TLS and sets X-Forwarded-Proto: secure cookies, HSTS, https links.
BEHIND_TLS_PROXY = env.bool("BEHIND_TLS_PROXY", default=False)
# PostgreSQL 18 or later. Unset: the embedded one of TOCSIN_HOME.
DATABASE_URL = env.str("DATABASE_URL", default="") or embedded.database_url()
# Redis 6.2 or later, or Valkey. Unset: the embedded one of TOCSIN_HOME.
REDIS_URL = env.str("REDIS_URL", default="") or embedded.redis_url()
# Requests that one web process answers at once; each of these threads keeps a connection to PostgreSQL.
WEB_THREADS = env.int("WEB_THREADS", default=16)
# Lowest level that is logged: DEBUG, INFO, WARNING or ERROR.
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO")
# "json" for machines, "console" for people.
LOG_FORMAT = env.str("LOG_FORMAT", default="json")

# --- What is accepted ----------------------------------------------------------------------------

# Largest request body in bytes; more gets 413.
REQUEST_MAX_BYTES = env.int("REQUEST_MAX_BYTES", default=1_000_000)
# Deepest nesting of a JSON body; deeper gets 400.
REQUEST_MAX_DEPTH = env.int("REQUEST_MAX_DEPTH", default=20)
# Log-in attempts per minute and address.
LOGIN_RATE = env.str("LOGIN_RATE", default="10/min")
# Test sends of contact points per minute and person.
TEST_SEND_RATE = env.str("TEST_SEND_RATE", default="10/min")

# --- Who is contacted, and how ---------------------------------------------------------------------

# Third party that is told about users with no contact point of their own.
THIRD_PARTY_URL = env.str("THIRD_PARTY_URL", default="http://localhost:5000/webhook/notifications/")
# SMTP server for the email channel.
SMTP_HOST = env.str("SMTP_HOST", default="localhost")
SMTP_PORT = env.int("SMTP_PORT", default=25)
SMTP_USERNAME = env.str("SMTP_USERNAME", default="")
SMTP_PASSWORD = env.str("SMTP_PASSWORD", default="")
# "none", "starttls" or "tls".
SMTP_SECURITY = env.str("SMTP_SECURITY", default="none")
# Sender address of every mail.
MAIL_FROM = env.str("MAIL_FROM", default="tocsin@localhost")
# Networks (CIDR, comma separated) within private or loopback space that users' webhooks may reach all the same.
WEBHOOK_ALLOWED_NETWORKS = env.list("WEBHOOK_ALLOWED_NETWORKS", default=[])
# For how long the previous signing secret is still used beside the new one after a rotation, in hours.
WEBHOOK_ROTATION_H = env.float("WEBHOOK_ROTATION_H", default=24.0)
# At most this much of an answer is read, in bytes.
RESPONSE_MAX_BYTES = env.int("RESPONSE_MAX_BYTES", default=65_536)
# Attempts in all, and seconds between them, unless a channel has its own (next line).
RETRY_ATTEMPTS = env.int("RETRY_ATTEMPTS", default=3)
RETRY_WAIT_S = env.float("RETRY_WAIT_S", default=3.0)
# Per channel, as JSON: {"email": {"attempts": 5, "wait_s": 60, "timeout_s": 15, "concurrency": 10}}.
CHANNEL_POLICIES = env.json("CHANNEL_POLICIES", default={})
# Seconds that one send may take in all, connecting included.
SEND_TIMEOUT_S = env.float("SEND_TIMEOUT_S", default=10.0)
# Longest Retry-After that is honoured, in seconds; a longer one is cut to this.
RETRY_AFTER_MAX_S = env.float("RETRY_AFTER_MAX_S", default=3600.0)
# Age in hours at which a delivery that was never possible expires.
DELIVERY_MAX_AGE_H = env.float("DELIVERY_MAX_AGE_H", default=24.0)

# --- The engine ------------------------------------------------------------------------------------

# Sends under way at once, in one worker, to all destinations together and to one of them.
SENDER_CONCURRENCY = env.int("SENDER_CONCURRENCY", default=1024)
LANE_CONCURRENCY = env.int("LANE_CONCURRENCY", default=64)
# Seconds that a claimed delivery stays with a worker that says nothing; must exceed every channel's timeout.
LEASE_S = env.float("LEASE_S", default=30.0)
# Seconds between two writes of outcomes.
FLUSH_S = env.float("FLUSH_S", default=0.04)
# The circuit breaker opens for a destination after so many failures in a row over at least so many seconds…
BREAKER_FAILURES = env.int("BREAKER_FAILURES", default=20)
BREAKER_AFTER_S = env.float("BREAKER_AFTER_S", default=30.0)
# …and probes it again after so many seconds, doubling up to the maximum.
BREAKER_PROBE_S = env.float("BREAKER_PROBE_S", default=5.0)
BREAKER_PROBE_MAX_S = env.float("BREAKER_PROBE_MAX_S", default=60.0)
# Members that one statement fans out to; a larger shop takes several, so that sending starts at once.
FANOUT_CHUNK = env.int("FANOUT_CHUNK", default=5_000)

# --- Django ------------------------------------------------------------------------------------------

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
WSGI_APPLICATION = "config.wsgi.application"
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = True
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("fr", "Français")]
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "var" / "static"
FIXTURE_DIRS = [BASE_DIR / "fixtures"]
LOGIN_URL = "/admin/login/"
DATA_UPLOAD_MAX_MEMORY_SIZE = REQUEST_MAX_BYTES

INSTALLED_APPS = [
    "notifications",
    "accounts",
    "escalation",
    "tracing",
    "dating",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework_simplejwt.token_blacklist",
    "django_htmx",
    "django_rq",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {"default": environ.Env.db_url_config(DATABASE_URL)}
# Kept for as long as its thread, and looked at before each request: PostgreSQL may have restarted.
DATABASES["default"]["CONN_MAX_AGE"] = None
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# For the engine's own statements, whose planning costs more than running them; Django's are never prepared.
DATABASES["default"]["OPTIONS"] = {**DATABASES["default"].get("OPTIONS", {}), "prepare_threshold": 2}
DATABASES["default"]["TEST"] = {"NAME": "test_tocsin"}

CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Serves static files straight from the packages that carry them, so that no collectstatic step is needed.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = BEHIND_TLS_PROXY
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS_PROXY else None
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_TLS_PROXY else 0
# Probes come from beside the process, not through the proxy.
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics"]

# --- REST ----------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api.authentication.ApiKeyAuthentication",
        "rest_framework_simplejwt.authentication.JWTAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["config.api.BoundedJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "config.api.NewestFirst",
    "PAGE_SIZE": 50,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_RATES": {"login": LOGIN_RATE, "test-send": TEST_SEND_RATE},
    "EXCEPTION_HANDLER": "config.api.exception_handler",
    # Whose address throttles count: the proxy's word for it is taken only where there is a proxy.
    "NUM_PROXIES": 1 if BEHIND_TLS_PROXY else 0,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=14),
    "USER_ID_FIELD": "uuid",
    "USER_ID_CLAIM": "sub",
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Tocsin",
    "DESCRIPTION": "Makes sure the right people are told, by the right channel, at the right time, and can prove it.",
    "VERSION": "0.1.0",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {},
}

# --- RQ --------------------------------------------------------------------------------------------------

RQ_QUEUES = {
    "default": {
        "URL": REDIS_URL,
        "DEFAULT_TIMEOUT": 300,
        "DEFAULT_RESULT_TTL": 300,
        "REDIS_CLIENT_KWARGS": {"socket_connect_timeout": 2},
    }
}
RQ = {
    "WORKER_CLASS": "notifications.engine.worker.Worker",
    "SCHEDULER_CLASS": "config.schedule.Scheduler",
    "COMMIT_MODE": "on_db_commit",
}

# --- The admin -----------------------------------------------------------------------------------------------

UNFOLD = {
    "SITE_TITLE": "Tocsin",
    "SITE_HEADER": "Tocsin",
    "SITE_SYMBOL": "notifications_active",
    "SHOW_VIEW_ON_SITE": False,
}

# --- Logging ---------------------------------------------------------------------------------------------------

LOGGING_CONFIG = "config.logs.configure"
LOGGING = {"level": LOG_LEVEL, "format": LOG_FORMAT}
