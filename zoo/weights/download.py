"""Downloads that resume after an interruption and are accepted only with the right checksum."""

import os
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from tqdm import tqdm

from convzoo import files
from convzoo.files import cache_directory

CHUNK = 1 << 20
TIMEOUT = 30.0


def is_url(text: str) -> bool:
    """Whether a text is meant as a URL rather than a path.

    Example:
      >>> is_url("https://example.org/weights.pth"), is_url("weights.pth")
      (True, False)
    """
    return "://" in text


def download(url: str, sha256: str | None = None, cache: str | Path | None = None) -> Path:
    """Download a file, unless it is in the cache already.

    What arrives is kept in a `.part` file beside its final place, so that the next call goes on where
    this one was cut off, if the server still has the same file. Of several processes one fetches and
    the others wait.

    Args:
      url: of the file, by HTTP or HTTPS.
      sha256: its expected checksum in hexadecimal digits, or the first of them; checked at every call.
      cache: directory for downloads; by default `cache_directory()`.

    Returns:
      The path of the complete file.

    Raises:
      ValueError: a URL that is not HTTP, that the server refuses, whose answer is cut short, or whose
        checksum is wrong.
      ConnectionError: a server that cannot be reached.
    """
    target = Path(cache or cache_directory()) / _place(url)
    target.parent.mkdir(parents=True, exist_ok=True)
    expected = (sha256 or "").lower()
    part, validator = (target.with_name(target.name + suffix) for suffix in (".part", ".part.etag"))
    with files.locked(target.parent / ".lock"):
        if target.exists() and files.sha256(target).startswith(expected):
            return target
        _fetch(url, part, validator, resume=bool(expected) or validator.exists())
        validator.unlink(missing_ok=True)
        digest = files.sha256(part)
        if not digest.startswith(expected):
            part.unlink()
            raise ValueError(f"{url} arrived corrupted: its sha256 is {digest}, expected {expected}…; try again")
        os.replace(part, target)
    return target


def _place(url: str) -> Path:
    """Host and path of a URL as a relative path; a query is part of the name."""
    pieces = urllib.parse.urlsplit(url)
    names = [name for name in pieces.path.split("/") if name]
    if pieces.scheme not in ("http", "https") or not pieces.netloc or not names or ".." in names:
        raise ValueError(f"{url!r}: expected a URL of a file, such as https://example.org/weights.safetensors")
    names[-1] += f"?{pieces.query}" if pieces.query else ""
    return Path(*(urllib.parse.quote(name, safe="") for name in (pieces.netloc, *names)))


def _fetch(url: str, part: Path, validator: Path, resume: bool) -> None:
    """Bring a `.part` file to its full length."""
    have = part.stat().st_size if resume and part.exists() else 0
    headers = {"User-Agent": "convzoo"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if validator.exists():
            headers["If-Range"] = validator.read_text()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as answer:
            start = f"bytes {have}-"
            if answer.status == 206 and not answer.headers.get("Content-Range", start).startswith(start):
                # Not the rest that was asked for.
                part.unlink()
                return _fetch(url, part, validator, resume=False)
            have = have if answer.status == 206 else 0
            if tag := answer.headers.get("ETag") or answer.headers.get("Last-Modified"):
                validator.write_text(tag)
            length = answer.headers.get("Content-Length")
            total = None if length is None else have + int(length)
            received = _write(answer, part, have, total)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:
            # The part is no shorter than the file, so it is of another one.
            part.unlink()
            return _fetch(url, part, validator, resume=False)
        raise ValueError(f"{url}: the server says {error.code} {error.reason}") from error
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise ConnectionError(f"{url}: the connection failed: {reason}; the same call goes on from there") from error
    if total is not None and received < total:
        raise ValueError(f"{url} was cut short: {received:,} of {total:,} bytes came; the same call goes on from there")
    return None


def _write(answer: HTTPResponse, part: Path, have: int, total: int | None) -> int:
    """Append an answer's body to the first `have` bytes of a file, and show how far it is."""
    with (
        part.open("ab" if have else "wb") as file,
        tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=part.stem, disable=None) as bar,
    ):
        while chunk := answer.read(CHUNK):
            file.write(chunk)
            bar.update(len(chunk))
        return file.tell()
