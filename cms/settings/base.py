"""Everything that is configurable, declared once; dev, test and production only override.

Values come from the environment through the typed readers of `cms.settings.readers`; `.env.example`
explains each variable.
"""

from pathlib import Path

from cms.run.services import running_urls
from cms.settings.readers import (
    env_bool,
    env_int,
    env_list,
    env_str,
    parse_database_url,
    parse_email_url,
)

BASE_DIR = Path(__file__).resolve().parent.parent.parent
VAR_DIR = Path(env_str("VAR", "var"))
if not VAR_DIR.is_absolute():
    VAR_DIR = BASE_DIR / VAR_DIR

SECRET_KEY = env_str("SECRET_KEY", "")
SECRET_KEY_FALLBACKS = env_list("SECRET_KEY_FALLBACKS", [])
DEBUG = env_bool("DEBUG", False)
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", [])
BASE_URL = env_str("BASE_URL", "http://127.0.0.1:8000").rstrip("/")
# Where stations fetch firmware and hand over their files; often people's address, sometimes a plainer one.
PUBLIC_URL = (env_str("PUBLIC_URL", "") or BASE_URL).rstrip("/")
CSRF_TRUSTED_ORIGINS = [BASE_URL] if BASE_URL.startswith(("http://", "https://")) else []

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "channels",
    "django_htmx",
    "drf_spectacular",
    "rest_framework",
    "cms.base",
    "accounts",
    "stations",
    "billing",
    "cms.drivers",
    "cms.portal",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "cms.api.middleware.PageLocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "cms.portal.middleware.ContentSecurityPolicyMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "cms.urls"
ASGI_APPLICATION = "cms.asgi.application"
APPEND_SLASH = True

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
        },
    },
]

# --- PostgreSQL and Redis -------------------------------------------------------------------

_urls = running_urls(VAR_DIR)
DATABASE_URL = env_str("DATABASE_URL", "") or (_urls.database if _urls else "")
REDIS_URL = env_str("REDIS_URL", "") or (_urls.redis if _urls else "")

DATABASES = {"default": parse_database_url(DATABASE_URL)}
# The psycopg pool and persistent connections exclude each other (Django refuses both).
DATABASES["default"]["CONN_MAX_AGE"] = 0
DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {
    "min_size": 1,
    "max_size": env_int("DATABASE_POOL_SIZE", 8),
    "timeout": 10,
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "magetsi"},
    }
}

# --- Celery -----------------------------------------------------------------------------------

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_TIME_LIMIT = 300
CELERY_TIMEZONE = "UTC"
# The outbox rows are the truth; the broker only wakes a worker. Every second one task looks for work.
CELERY_BEAT_SCHEDULE = {
    "outbox": {
        "task": "cms.base.tasks.work_outbox",
        "schedule": 1.0,
        "options": {"expires": 1, "queue": "urgent"},
    },
    "commands": {
        "task": "stations.tasks.sweep_commands",
        "schedule": 5.0,
        "options": {"expires": 5, "queue": "urgent"},
    },
    "presence": {
        "task": "stations.tasks.sweep_presence",
        "schedule": 5.0,
        "options": {"expires": 5, "queue": "urgent"},
    },
    "reservations": {
        "task": "stations.tasks.expire_reservations",
        "schedule": 5.0,
        "options": {"expires": 5, "queue": "urgent"},
    },
    "stuck_transactions": {
        "task": "stations.tasks.close_stuck_transactions",
        "schedule": 300.0,
        "options": {"expires": 300, "queue": "slow"},
    },
    "upkeep": {
        "task": "stations.tasks.sweep_upkeep",
        "schedule": 30.0,
        "options": {"expires": 30, "queue": "slow"},
    },
    "files": {
        "task": "stations.tasks.clean_files",
        "schedule": 3600.0,
        "options": {"expires": 3600, "queue": "slow"},
    },
    "ledger": {
        "task": "billing.tasks.post_missing",
        "schedule": 3600.0,
        "options": {"expires": 3600, "queue": "slow"},
    },
    "clean_up": {
        "task": "cms.base.tasks.clean_up",
        "schedule": 3600.0,
        "options": {"queue": "slow"},
    },
    "partitions": {
        "task": "stations.tasks.maintain_partitions",
        "schedule": 3600.0,
        "options": {"queue": "slow"},
    },
}
CELERY_TASK_DEFAULT_QUEUE = "default"

# --- People ---------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# --- Mail -------------------------------------------------------------------------------------

vars().update(parse_email_url(env_str("EMAIL_URL", "")))
DEFAULT_FROM_EMAIL = env_str("DEFAULT_FROM_EMAIL", "Magetsi <noreply@localhost>")

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("fr", "Français")]
LANGUAGE_COOKIE_AGE = 31_536_000
LANGUAGE_COOKIE_SAMESITE = "Lax"
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True

# --- REST -----------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["cms.api.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["cms.api.permissions.RolePermission"],
    "DEFAULT_RENDERER_CLASSES": ["cms.api.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["cms.api.parsers.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "cms.api.pagination.NewestFirstPagination",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "cms.api.errors.exception_handler",
    "DEFAULT_THROTTLE_RATES": {"key": env_str("API_THROTTLE", "") or None},
    "DEFAULT_THROTTLE_CLASSES": ["cms.api.throttling.ApiKeyThrottle"],
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Magetsi",
    "DESCRIPTION": "Charging management for public EV charging.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "CommandStatusEnum": "stations.choices.CommandStatus.values",
        "HandshakeRefusalEnum": "stations.choices.HandshakeRefusal.values",
        "IdTokenStatusEnum": "accounts.api.serializers.TOKEN_STATUSES",
        "IdTokenTypeEnum": "accounts.choices.IdTokenType.values",
        "LogKindEnum": "stations.choices.LogKind.values",
        "RepairKindEnum": "stations.choices.RepairKind.values",
        "SessionStatusEnum": "billing.choices.SessionStatus.values",
        "TransactionStatusEnum": "stations.choices.TransactionStatus.values",
    },
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
}

# --- OCPP -----------------------------------------------------------------------------------

OCPP_ALLOW_PROFILE_0 = env_bool("OCPP_ALLOW_PROFILE_0", False)
OCPP_HEARTBEAT_INTERVAL_S = env_int("OCPP_HEARTBEAT_INTERVAL_S", 300)
OCPP_CALL_TIMEOUT_S = env_int("OCPP_CALL_TIMEOUT_S", 30)
OCPP_PING_INTERVAL_S = env_int("OCPP_PING_INTERVAL_S", 20)
OCPP_QUEUE_LIMIT = env_int("OCPP_QUEUE_LIMIT", 256)
OCPP_MAX_FRAME_BYTES = 1024 * 1024
OCPP_GATEWAY_LEASE_S = env_int("OCPP_GATEWAY_LEASE_S", 10)
# Failed handshakes allowed per address and minute before further failures are answered with 429.
OCPP_FAILED_HANDSHAKES_PER_MINUTE = env_int("OCPP_FAILED_HANDSHAKES_PER_MINUTE", 600)
TRUSTED_PROXIES = env_list("TRUSTED_PROXIES", [])
TIME_SERIES_RETENTION_MONTHS = env_int("TIME_SERIES_RETENTION_MONTHS", 24)

# --- Files: firmware for stations, logs from stations -----------------------------------------

FILES_DIR = Path(env_str("FILES_DIR", "") or VAR_DIR / "files")
LOG_UPLOAD_MAX_BYTES = env_int("LOG_UPLOAD_MAX_BYTES", 64 * 1024 * 1024)
FIRMWARE_MAX_BYTES = env_int("FIRMWARE_MAX_BYTES", 512 * 1024 * 1024)

# --- Maps -----------------------------------------------------------------------------------

MAP_TILE_URL = env_str("MAP_TILE_URL", "")
MAP_ATTRIBUTION = env_str("MAP_ATTRIBUTION", "© OpenStreetMap contributors")

# --- Money ----------------------------------------------------------------------------------

STRIPE_SECRET_KEY = env_str("STRIPE_SECRET_KEY", "")
STRIPE_WEBHOOK_SECRET = env_str("STRIPE_WEBHOOK_SECRET", "")
STRIPE_API_BASE = env_str("STRIPE_API_BASE", "")

# --- Security, logging ----------------------------------------------------------------------

CSRF_FAILURE_VIEW = "cms.portal.views.errors.csrf_failure"
SESSION_COOKIE_HTTPONLY = True
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

LOG_LEVEL = env_str("LOG_LEVEL", "INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django.server": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
    },
}
