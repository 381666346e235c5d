"""Settings: every value a deployment may change comes from the environment (docs/operations.md lists them)."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from common.crypto import new_key
from zerg_site import env

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env.text("ZERG_DATA_DIR", str(BASE_DIR / "var"))).resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)

DEBUG = env.flag("ZERG_DEBUG")
SECRET_KEY = env.secret("ZERG_SECRET_KEY", DATA_DIR / "secret_key")
# The first key encrypts; all of them decrypt, so that keys can be rotated.
ENCRYPTION_KEYS = env.secret("ZERG_ENCRYPTION_KEYS", DATA_DIR / "encryption_keys", new_key).split(",")

PUBLIC_ORIGIN = env.text("ZERG_PUBLIC_ORIGIN", "http://localhost:8000").rstrip("/")
_origin = urlsplit(PUBLIC_ORIGIN)
LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"]
ALLOWED_HOSTS = [*env.words("ZERG_ALLOWED_HOSTS"), _origin.hostname or "localhost", *LOOPBACK_NAMES]
CSRF_TRUSTED_ORIGINS = [PUBLIC_ORIGIN]
HTTPS = _origin.scheme == "https"

INSTALLED_APPS = [
    "zerg_site.apps.ZergAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "common",
    "accounts",
    "agents",
    "threads",
    "runs",
    "triggers",
    "api",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "zerg_site.static.static_files",
    "zerg_site.middleware.compressed_pages",
    "csp.middleware.CSPMiddleware",
    "zerg_site.middleware.api_trailing_slash",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.own_timezone",
    "django_htmx.middleware.HtmxMiddleware",
    "zerg_site.middleware.htmx_manners",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "zerg_site.middleware.expected_errors",
]

ROOT_URLCONF = "zerg_site.urls"
ASGI_APPLICATION = "zerg_site.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["common.templatetags.quick_url"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "runs.context.rail",
            ],
        },
    }
]

DATABASES = {"default": env.database(env.text("DATABASE_URL"), DATA_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
# The first administrator, made by ``manage setup``; without a password one is generated and shown once.
ADMIN_EMAIL = env.text("ZERG_ADMIN_EMAIL", "admin@localhost")
ADMIN_PASSWORD = env.text("ZERG_ADMIN_PASSWORD")
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign_in"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
DATETIME_FORMAT = "j M Y, H:i"
DATE_FORMAT = "j M Y"

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "zerg_site.static.VersionedFiles"},
}

# Cookies, transport, headers. Behind a proxy the public origin says https and the proxy sets X-Forwarded-Proto.
SESSION_COOKIE_NAME = "__Host-zerg" if HTTPS else "zerg"
CSRF_COOKIE_NAME = "__Host-zerg-csrf" if HTTPS else "zerg-csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz)$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'", PUBLIC_ORIGIN.replace("http", "ws", 1)],
        "font-src": ["'self'"],
        "manifest-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

# The broker and the live bus: one Redis-compatible server, which `./zerg up` brings along.
REDIS_URL = env.text("REDIS_URL", "redis://127.0.0.1:6379/0")

# E-mail about the ends of runs.
_mail = env.mail(env.text("ZERG_EMAIL_URL"))
EMAIL_IS_SET_UP = bool(_mail.backend)
EMAIL_BACKEND = _mail.backend or "django.core.mail.backends.dummy.EmailBackend"
EMAIL_HOST, EMAIL_PORT = _mail.host, _mail.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail.user, _mail.password
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.tls, _mail.ssl
EMAIL_FILE_PATH = _mail.folder
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("ZERG_EMAIL_FROM", f"zerg@{_origin.hostname or 'localhost'}")

# Models.
OPENAI_BASE_URL = env.text("OPENAI_BASE_URL")
OPENAI_API_KEY = env.text("OPENAI_API_KEY")
LOCAL_MODEL_URL = env.text("ZERG_LOCAL_MODEL_URL")
LOCAL_MODEL_NAME = env.text("ZERG_LOCAL_MODEL_NAME", "smollm2-135m-instruct")
DEFAULT_MODEL = env.text("ZERG_DEFAULT_MODEL")
EGRESS_ALLOW = env.words("ZERG_EGRESS_ALLOW")
# Python modules with tools of the operator's own.
TOOL_MODULES = env.words("ZERG_TOOLS")

# Seconds, but for FLUSH_MS. The model's timeouts are those of engine.Limits unless set here.
TICK_SECONDS = env.number("ZERG_TICK_SECONDS", 2, least=0.2, most=60)
# Nobody may save a schedule that comes more often.
LEAST_INTERVAL_SECONDS = int(env.number("ZERG_LEAST_INTERVAL_SECONDS", 60, least=60, most=86_400))
FLUSH_MS = env.number("ZERG_FLUSH_MS", 40, least=0, most=1000)
LEASE_SECONDS = env.number("ZERG_LEASE_SECONDS", 30, least=1, most=600)
CHECKPOINT_SECONDS = env.number("ZERG_CHECKPOINT_SECONDS", 1, least=0.1, most=10)
# How many runs one worker process works on at the same time.
WORKER_RUNS = int(env.number("ZERG_WORKER_RUNS", 250, least=1, most=10_000))
DRAIN_SECONDS = env.number("ZERG_DRAIN_SECONDS", 20, least=0, most=600)
MODEL_TIMEOUT_CONNECT = env.number("ZERG_MODEL_TIMEOUT_CONNECT", 5, least=0.1, most=600)
MODEL_TIMEOUT_FIRST_BYTE = env.number("ZERG_MODEL_TIMEOUT_FIRST_BYTE", 120, least=0.1, most=3600)
MODEL_TIMEOUT_BETWEEN_CHUNKS = env.number("ZERG_MODEL_TIMEOUT_BETWEEN_CHUNKS", 60, least=0.1, most=3600)
MODEL_TIMEOUT_TOTAL = env.number("ZERG_MODEL_TIMEOUT_TOTAL", 600, least=0.1, most=86_400)
# Days. Runs are kept for ever with 0.
KEEP_OCCURRENCES_DAYS = int(env.number("ZERG_KEEP_OCCURRENCES_DAYS", 400, least=1, most=36_500))
KEEP_RUNS_DAYS = int(env.number("ZERG_KEEP_RUNS_DAYS", 0, least=0, most=36_500))
MESSAGE_MAX_BYTES = 256 * 1024

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.text("ZERG_LOG_LEVEL", "INFO")},
    "loggers": {
        "daphne.http_protocol": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},
        "openai": {"level": "WARNING"},
    },
}
