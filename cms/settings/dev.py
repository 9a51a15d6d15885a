"""A developer's machine and `make run`: works without any configuration."""

from cms.settings.base import *  # noqa: F403
from cms.settings.base import ALLOWED_HOSTS, SECRET_KEY, VAR_DIR
from cms.settings.readers import env_bool

DEBUG = env_bool("DEBUG", False)
ALLOWED_HOSTS = ALLOWED_HOSTS or ["127.0.0.1", "localhost", "[::1]"]


def _local_secret() -> str:
    """A key of this data folder's own, made on first use; never committed."""
    import secrets

    path = VAR_DIR / "secret-key"
    if not path.exists():
        VAR_DIR.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48), encoding="ascii")
    return path.read_text(encoding="ascii").strip()


SECRET_KEY = SECRET_KEY or _local_secret()
