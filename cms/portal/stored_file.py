"""A look into a file that a station handed over: text by lines, JSON lines as a table, archives as a list.

Whoever sends such a file is not to be trusted. What is read is bounded in bytes, lines, entries and columns, inflated or
not; nothing is unpacked to disk, no name in an archive is ever a path, and everything shown is text.
"""

import gzip
import io
import json
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

from stations.maintenance.files import open_file

# What one look may inflate, and so how far a search reaches.
MAX_BYTES = 64 * 1024 * 1024
MAX_ENTRIES = 1000
LINES_SHOWN = 1000
FOUND_SHOWN = 500
LINE_LENGTH = 4000
COLUMNS = 10
CELL_LENGTH = 300
FIND_LENGTH = 100
# A central directory beyond this lists more than anybody would read; zipfile keeps all of it in memory.
_ZIP_DIRECTORY_BYTES = 1024 * 1024
_SNIFFED_BYTES = 8192
_SNIFFED_LINES = 20

_DAMAGED = (
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    struct.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a line; `found` where it is what was looked for."""

    text: str
    found: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line with its number in the file, from 1; `cells` where it is a row of a table."""

    number: int
    pieces: list[Piece]
    cells: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Entry:
    """What an archive holds; `number` counts from 0."""

    number: int
    name: str
    size_bytes: int
    is_file: bool = True


@dataclass(slots=True)
class Look:
    """What can be shown: `kind` is text, table, archive, binary, empty, locked, damaged or gone.

    `next_line` is where the next page begins, 0 where there is none. `is_cut` says that more is there than was read.
    """

    kind: str
    lines: list[Line] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    next_line: int = 0
    is_cut: bool = False
    entry: Entry | None = None


def look_at(sha256: str, *, first: int = 1, find: str = "", entry: int | None = None) -> Look:
    """The file, or one entry of the archive that it is, from line `first`; with `find` only lines that hold it.

    `find` is compared without case.
    """
    try:
        file = open_file(sha256)
    except FileNotFoundError:
        return Look("gone")
    with file:
        try:
            return _look_into(file, first, find[:FIND_LENGTH], entry)
        except RuntimeError:
            return Look("locked")  # zipfile's word for a password
        except _DAMAGED:
            return Look("damaged")


def _look_into(file: BinaryIO, first: int, find: str, entry: int | None) -> Look:
    head = file.read(_SNIFFED_BYTES)
    file.seek(0)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _look_into_zip(file, first, find, entry)
    source = _Bounded(file)
    if head.startswith(b"\x1f\x8b"):
        source = _Bounded(cast(BinaryIO, gzip.GzipFile(fileobj=file)))
        head = source.peek()
    if head[257:262] == b"ustar":
        return _look_into_tar(source, first, find, entry)
    if entry is not None:
        return Look("gone")
    return _look_at_lines(source, first, find)


# --- bounds ------------------------------------------------------------------------------------------


class _Bounded(io.RawIOBase):
    """The first `MAX_BYTES` of a stream, whatever it inflates to; `is_cut` once there was more."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._left = MAX_BYTES
        self._peeked = b""
        self.is_cut = False

    def readable(self) -> bool:
        return True

    def peek(self) -> bytes:
        """The beginning, which is read again."""
        self._peeked = self._stream.read(_SNIFFED_BYTES)
        return self._peeked

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._left)
        if self._peeked:
            piece, self._peeked = self._peeked[:wanted], self._peeked[wanted:]
        else:
            piece = self._read(wanted) if wanted else b""
        if not wanted and self._stream.read(1):
            self.is_cut = True
        self._left -= len(piece)
        buffer[: len(piece)] = piece
        return len(piece)

    def _read(self, wanted: int) -> bytes:
        try:
            return self._stream.read(wanted)
        except tarfile.ReadError:
            # A member of an archive that ends before it, by our own bound perhaps.
            self.is_cut = True
            return b""


# --- lines -------------------------------------------------------------------------------------------


def _look_at_lines(source: _Bounded, first: int, find: str) -> Look:
    reader = io.BufferedReader(source, _SNIFFED_BYTES)
    head = reader.peek(_SNIFFED_BYTES)[:_SNIFFED_BYTES]
    if not head:
        return Look("empty")
    if b"\0" in head:
        return Look("binary")
    is_table = _looks_like_json_lines(head)
    look = Look("table" if is_table else "text")
    wanted = find.casefold()
    most = FOUND_SHOWN if wanted else LINES_SHOWN
    for number, text in _numbered(cast(BinaryIO, reader)):
        if number < first or (wanted and wanted not in text.casefold()):
            continue
        if len(look.lines) == most:
            look.next_line = number
            break
        look.lines.append(Line(number, _pieces(text, wanted)))
    look.is_cut = source.is_cut
    if is_table:
        _lay_out(look)
    return look


def _numbered(reader: BinaryIO) -> Iterator[tuple[int, str]]:
    """Lines with their numbers. What is longer than anybody reads is cut, and its rest passed over."""
    number = 0
    while raw := reader.readline(LINE_LENGTH):
        number += 1
        text = _readable(raw)
        while raw and not raw.endswith(b"\n"):
            raw = reader.readline(LINE_LENGTH)
            if raw and not text.endswith("…"):
                text += "…"
        yield number, text


def _readable(raw: bytes) -> str:
    """Text without what would move a cursor, colour a terminal or turn the direction of writing."""
    text = raw.decode("utf-8", "replace").rstrip("\r\n")
    return "".join(c if c.isprintable() or c == "\t" else "·" for c in text)


def _pieces(text: str, wanted: str) -> list[Piece]:
    """`text` cut where `wanted` stands; whole where folding its case changes its length."""
    folded = text.casefold()
    if not wanted or len(folded) != len(text):
        return [Piece(text)]
    pieces, at = [], 0
    while (found := folded.find(wanted, at)) >= 0:
        end = found + len(wanted)
        pieces += [Piece(text[at:found]), Piece(text[found:end], found=True)]
        at = end
    return [piece for piece in [*pieces, Piece(text[at:])] if piece.text]


# --- JSON lines ----------------------------------------------------------------------------------------


def _looks_like_json_lines(head: bytes) -> bool:
    """Whether its first whole lines are JSON objects, and there are any."""
    lines = head.split(b"\n")
    whole = lines[:-1] if len(head) == _SNIFFED_BYTES or not lines[-1] else lines
    filled = [line for line in whole if line.strip()][:_SNIFFED_LINES]
    return bool(filled) and all(_object_of(line) is not None for line in filled)


def _object_of(line: str | bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _lay_out(look: Look) -> None:
    """Give each line that is an object its cells; columns as they first appear."""
    objects = {
        line.number: _object_of("".join(piece.text for piece in line.pieces)) for line in look.lines
    }
    names = dict.fromkeys(name for value in objects.values() if value for name in value)
    look.columns = list(names)[:COLUMNS]
    for line in look.lines:
        value = objects[line.number]
        if value is not None:
            line.cells.extend(_cell(value.get(name, "")) for name in look.columns)


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= CELL_LENGTH else f"{text[:CELL_LENGTH]}…"


# --- archives ------------------------------------------------------------------------------------------


def _look_into_zip(file: BinaryIO, first: int, find: str, entry: int | None) -> Look:
    if _directory_bytes(file) > _ZIP_DIRECTORY_BYTES:
        return Look("archive", is_cut=True)
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        entries = [
            Entry(number, _readable_name(info.filename), info.file_size, not info.is_dir())
            for number, info in enumerate(infos[:MAX_ENTRIES])
        ]
        if entry is None:
            return Look("archive", entries=entries, is_cut=len(infos) > MAX_ENTRIES)
        if not 0 <= entry < len(entries) or not entries[entry].is_file:
            return Look("gone")
        with archive.open(infos[entry]) as member:
            look = _look_at_lines(_Bounded(cast(BinaryIO, member)), first, find)
    look.entry = entries[entry]
    return look


def _directory_bytes(file: BinaryIO) -> int:
    """The size of a ZIP's central directory as its last record tells; 0 where there is none (APPNOTE 4.3.16)."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - 65_557))
    tail = file.read()
    file.seek(0)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 16:
        return 0
    return int(struct.unpack_from("<I", tail, at + 12)[0])


def _look_into_tar(source: _Bounded, first: int, find: str, entry: int | None) -> Look:
    look = Look("archive")
    with tarfile.open(fileobj=source, mode="r|") as archive:
        try:
            for number, info in enumerate(archive):
                if number == MAX_ENTRIES:
                    look.is_cut = True
                    break
                found = Entry(number, _readable_name(info.name), info.size, info.isreg())
                look.entries.append(found)
                if number == entry:
                    member = archive.extractfile(info) if found.is_file else None
                    if member is None:
                        return Look("gone")
                    shown = _look_at_lines(_Bounded(cast(BinaryIO, member)), first, find)
                    shown.entry = found
                    return shown
        except _DAMAGED:
            # Cut by our bound or by its maker: what was listed is there.
            look.is_cut = True
    return Look("gone") if entry is not None else look


def _readable_name(name: str) -> str:
    return "".join(c if c.isprintable() else "·" for c in name)[:300]
