"""The store of files from and for stations: bytes under their own hash, below `FILES_DIR`.

A file is written under a quarantine name and gets its place only when all of it is there and on the disk. Nothing here
is ever executed, and nobody outside reads it but through a view that says so. Processes on several machines share
the folder.
"""

import hashlib
import os
import re
import time
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from uuid import uuid4

from django.conf import settings

from cms.base.errors import DomainError

CHUNK_BYTES = 64 * 1024
# What was not finished by then never will be, and what nobody refers to is not about to be.
UNFINISHED_S = 24 * 3600
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


class FileTooLarge(DomainError):
    """More bytes than are taken here."""

    code = "too_large"
    status = 413


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What is known of bytes that are in the store."""

    sha256: str
    size_bytes: int


class Intake:
    """A file on its way in: `write`, then `finish`; leaving the `with` block unfinished leaves nothing behind.

    Raises:
        FileTooLarge: from `write`, once there are more than `max_bytes`.
    """

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._hash = hashlib.sha256()
        self._size_bytes = 0
        folder = _folder("quarantine")
        self._path = folder / f"{uuid4().hex}.part"
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        self._file = os.fdopen(os.open(self._path, flags, 0o600), "wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        assert self._file is not None  # noqa: S101 - entered
        self._file.close()
        self._path.unlink(missing_ok=True)

    def write(self, chunk: bytes) -> None:
        assert self._file is not None  # noqa: S101 - entered
        self._size_bytes += len(chunk)
        if self._size_bytes > self._max_bytes:
            raise FileTooLarge(f"A file has at most {self._max_bytes} bytes here.")
        self._hash.update(chunk)
        self._file.write(chunk)

    def finish(self) -> StoredFile:
        """Put the file in its place, for good."""
        assert self._file is not None  # noqa: S101 - entered
        self._file.flush()
        os.fsync(self._file.fileno())
        stored = StoredFile(self._hash.hexdigest(), self._size_bytes)
        place = _place(stored.sha256)
        _folder(place.parent.name)
        # The same bytes again take the place of themselves, and count as new for `forget_files`.
        os.replace(self._path, place)
        _sync_folder(place.parent)
        return stored


def store_chunks(chunks: Iterable[bytes], *, max_bytes: int) -> StoredFile:
    """Put all chunks into one file of the store.

    Raises:
        FileTooLarge: there are more than `max_bytes`.
    """
    with Intake(max_bytes=max_bytes) as intake:
        for chunk in chunks:
            intake.write(chunk)
        return intake.finish()


def open_file(sha256: str) -> BinaryIO:
    """The bytes of a file for reading. Raises FileNotFoundError."""
    return _place(sha256).open("rb")


def is_stored(sha256: str) -> bool:
    """Whether the bytes are there."""
    return bool(_SHA256.fullmatch(sha256)) and _place(sha256).is_file()


def forget_files() -> int:
    """Delete what no row refers to and what was never finished; returns how many. Idempotent."""
    from stations.models import FirmwareFile, LogUpload

    root, before = Path(settings.FILES_DIR), time.time() - UNFINISHED_S
    forgotten = 0
    for path in list(root.glob("*/*")):
        try:
            if path.stat().st_mtime > before:
                continue
            name = path.name
            referred = _SHA256.fullmatch(name) and (
                FirmwareFile.objects.filter(sha256=name).exists()
                or LogUpload.objects.filter(sha256=name).exists()
            )
            if not referred:
                path.unlink()
                forgotten += 1
        except FileNotFoundError:
            continue  # another process was faster
    return forgotten


def safe_name(name: str, *, fallback: str = "file") -> str:
    """`name` without folders and without characters that mean something to a system or a reader of mails."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    plain = "".join(c for c in last if c.isprintable() and c not in '<>:"|?*').strip(" .")
    if len(plain) > 120:
        stem, dot, ending = plain.rpartition(".")
        short = len(ending) <= 16 and dot
        plain = f"{stem[: 119 - len(ending)]}.{ending}" if short else plain[:120]
    return plain or fallback


def _place(sha256: str) -> Path:
    if not _SHA256.fullmatch(sha256):
        raise FileNotFoundError("no such file")
    return Path(settings.FILES_DIR) / sha256[:2] / sha256


def _folder(name: str) -> Path:
    folder = Path(settings.FILES_DIR) / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
