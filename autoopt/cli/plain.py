"""Plain text that every terminal and every program takes, whatever users have put in it."""

from __future__ import annotations

import codecs
import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

_ASCII = {"✓": "+", "✗": "x", "·": "-", "–": "-", "—": "-", "…": "~", "×": "x", "±": "~", "→": ">",
          "‘": "'", "’": "'", "“": '"', "”": '"', "│": "|", "━": "-", "╸": "-"}  # fmt: skip


def prepare_streams() -> None:
    """Let no character stop the program: what a terminal cannot show is written as the nearest ASCII one."""
    codecs.register_error("autoopt", _nearest_ascii)
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="autoopt")


def _nearest_ascii(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_ascii_for, error.object[error.start : error.end])), error.end


def _ascii_for(character: str) -> str:
    without_accent = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return _ASCII.get(character) or without_accent or "?"


def clean(text: str) -> str:
    """Replace control characters, which could move the cursor or colour the screen, by their escapes."""
    return "".join(c if c == "\n" or ord(c) > 159 or c.isprintable() else ascii(c)[1:-1] for c in text)


# What stands between the colon and the last @ of a URL's first part, and behind password= among its options.
_PASSWORD = re.compile(
    r"(?P<before>://[^/?#:\s]*:)[^\s]*(?=@)|(?P<option>\w*password=)[^&\s'\"]*", re.IGNORECASE
)


def without_password(text: str) -> str:
    """Hide the passwords of all URLs in a text.

    >>> without_password("postgresql://ann:se:c/r@t@db/x?sslpassword=secret&a=b")
    'postgresql://ann:***@db/x?sslpassword=***&a=b'
    """
    return _PASSWORD.sub(lambda found: f"{found['before'] or found['option']}***", text)


def passwords_in(texts: Iterable[str]) -> set[str]:
    """Return the passwords of all URLs in these texts, as they stand there and with their escapes read."""
    found = {
        word
        for text in texts
        for word in [
            *re.findall(r"://[^/?#:\s]*:([^\s]*)@", text),
            *re.findall(r"(?i)password=([^&\s]*)", text),
        ]
        if word
    }
    return found | {unquote(word) for word in found}


def hide(text: str, secrets: Iterable[str]) -> str:
    """Write ``***`` for secrets, the longest first; what is shorter than four characters would blot out other words."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***") if len(secret) > 3 else text
    return text


def to_json(data: Any) -> str:
    """Write plain data as JSON, ASCII only; numbers that JSON does not know (NaN, infinities) become null."""
    return json.dumps(_finite(data), indent=2, allow_nan=False, default=str)


def _finite(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {str(key): _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    if isinstance(data, float) and data - data != 0:
        return None
    return data
