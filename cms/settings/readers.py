"""Typed readers of the environment that fail loudly.

Each reader looks at `NAME` and, for secrets kept in files, at `NAME_FILE`.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


def env_str(name: str, default: str) -> str:
    """Text of the variable, or of the file that `NAME_FILE` points at, or the default."""
    if name in os.environ:
        return os.environ[name]
    path = os.environ.get(f"{name}_FILE")
    if path:
        return Path(path).read_text(encoding="utf-8").strip()
    return default


def env_bool(name: str, default: bool) -> bool:
    """Raises ImproperlyConfigured for anything that is not clearly yes or no."""
    raw = os.environ.get(name)
    if raw is None:
        return default
    if raw.lower() in _TRUE:
        return True
    if raw.lower() in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not {raw!r}.")


def env_int(name: str, default: int) -> int:
    """Raises ImproperlyConfigured for anything that is not a whole number."""
    raw = os.environ.get(name)
    if raw is None or raw == "":
        return default
    try:
        return int(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {raw!r}.") from None


def env_list(name: str, default: list[str]) -> list[str]:
    """Items separated by commas, blanks trimmed, empty items dropped."""
    raw = os.environ.get(name)
    if raw is None:
        return default
    return [item.strip() for item in raw.split(",") if item.strip()]


def parse_database_url(url: str) -> dict[str, Any]:
    """Django's DATABASES entry for a `postgresql://user:password@host:port/name?host=/socket` address.

    An empty address gives an entry that connects to nothing, so that commands which need no
    database still start. Raises ImproperlyConfigured for any other kind of database.
    """
    entry: dict[str, Any] = {"ENGINE": "django.db.backends.postgresql", "NAME": "magetsi"}
    if not url:
        return entry
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured("DATABASE_URL must begin with postgresql://.")
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    entry |= {
        "NAME": unquote(parts.path.lstrip("/")) or "magetsi",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", "") or unquote(parts.hostname or ""),
        "PORT": query.pop("port", "") or (str(parts.port) if parts.port else ""),
        "OPTIONS": dict(query),
    }
    return entry


def parse_email_url(url: str) -> dict[str, Any]:
    """Django's mail settings for `smtp://user:password@host:587` (STARTTLS on 587) or `smtps://…` (TLS).

    Empty: mails are written to the log, so that nothing is sent by accident. Raises ImproperlyConfigured for any
    other scheme.
    """
    if not url:
        return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    parts = urlsplit(url)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ImproperlyConfigured("EMAIL_URL must look like smtp://user:password@host:587.")
    port = parts.port or (465 if parts.scheme == "smtps" else 25)
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": port,
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_USE_TLS": parts.scheme == "smtp" and port == 587,
        "EMAIL_TIMEOUT": 20,
    }
