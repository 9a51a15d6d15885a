"""The test suite: real PostgreSQL and Redis, cheap hashes, nothing sent anywhere."""

from pathlib import Path

from cms.settings.base import *  # noqa: F403
from cms.settings.base import DATABASES, VAR_DIR
from cms.settings.readers import env_str

SECRET_KEY = "only-for-tests"  # noqa: S105
ALLOWED_HOSTS = ["*"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
OCPP_ALLOW_PROFILE_0 = True
# The pool keeps connections that would stand in the way of dropping the test database.
DATABASES["default"]["OPTIONS"].pop("pool")
WHITENOISE_AUTOREFRESH = True
FILES_DIR = Path(env_str("FILES_DIR", "") or VAR_DIR / "test-files")
