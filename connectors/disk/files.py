"""Files of lines, plain or compressed, read within bounds.

Rules
- A line is at most `LONGEST_LINE` bytes, and a compressed file is decompressed piece by piece with a window of at most
  `MAX_WINDOW`: a small file that holds an enormous one costs no more memory than that.
- An offset counts the bytes of what is read: of a compressed file, the decompressed ones.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import zstandard

from connectors.errors import InputError

LONGEST_LINE = 64 << 20
MAX_WINDOW = 128 << 20
"""What the `zstd` command itself decompresses without being told to; recordings of ours need 4 MiB."""

COMPRESSED = ".zst"
_SKIP = 1 << 20
_BLOCK = 1 << 20


def first_line(path: Path) -> bytes:
    """The line that a file begins with, its end included. Raises InputError, OSError."""
    with _open(path) as stream, _explained(path):
        line = stream.readline(LONGEST_LINE + 1)
    if len(line) > LONGEST_LINE:
        raise _too_long(path, "line 1")
    return line


def lines(path: Path, begin: int = 0) -> Iterator[bytes]:
    """The lines from an offset on, each with its end; the last may have none. Raises InputError, OSError."""
    number, after = 0, f" after byte {begin}" if begin else ""
    with _open_at(path, begin) as stream:
        while line := stream.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                raise _too_long(path, f"line {number}{after}")
            yield line


def blocks(path: Path, begin: int = 0) -> Iterator[bytes]:
    """The same lines, many at a time; the last may have no end. Raises InputError, OSError."""
    rest = b""
    with _open_at(path, begin) as stream:
        while piece := stream.read(_BLOCK):
            end = piece.rfind(b"\n") + 1
            if end:
                yield rest + piece[:end]
                rest = piece[end:]
            else:
                rest += piece
            if len(rest) > LONGEST_LINE:
                raise _too_long(path, "a line")
    if rest:
        yield rest


@contextlib.contextmanager
def compressing(file: IO[bytes], path: Path) -> Iterator[IO[bytes]]:
    """What to write to, so that it comes into `file` compressed where `path` says so."""
    if path.suffix != COMPRESSED:
        yield file
        return
    with zstandard.ZstdCompressor(level=9).stream_writer(file, closefd=False) as compressed:
        yield compressed


def _open(path: Path) -> IO[bytes]:
    if path.suffix != COMPRESSED:
        return path.open("rb", buffering=1 << 18)
    decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
    raw = decompressor.stream_reader(path.open("rb"), read_across_frames=True, closefd=True)
    return io.BufferedReader(raw, 1 << 16)


@contextlib.contextmanager
def _open_at(path: Path, begin: int) -> Iterator[IO[bytes]]:
    """What is read of a file from an offset on."""
    with _open(path) as stream, _explained(path):
        if path.suffix != COMPRESSED:
            stream.seek(begin)
        else:
            _skip(stream, begin)
        yield stream


def _too_long(path: Path, where: str) -> InputError:
    return InputError(f"{path}: {where} is longer than {LONGEST_LINE >> 20} MiB: it is no record of a log")


def _skip(stream: IO[bytes], count: int) -> None:
    """A compressed stream cannot seek."""
    while count > 0 and (piece := stream.read(min(count, _SKIP))):
        count -= len(piece)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except zstandard.ZstdError:
        raise InputError(
            f"{path} cannot be decompressed: it is damaged, no zstd, or needs a window of more than "
            f"{MAX_WINDOW >> 20} MiB; compress it again with `zstd`"
        ) from None
