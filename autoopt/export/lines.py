"""Lines of code no longer than a terminal is wide, so that they can be read and copied there."""

from __future__ import annotations

import textwrap

WIDTH = 79
IN_COMMENT = WIDTH - len("# ")  # where the line itself is one


def comment(text: str) -> list[str]:
    """Return text as lines of a comment; what has no blanks stays whole, however long."""
    return textwrap.wrap(
        text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def fold(line: str, width: int = WIDTH) -> list[str]:
    """Return a line that ends with a call, its arguments on lines of their own where it is too long.

    The arguments hold no strings with brackets, commas or blanks, so these are what they seem; and since all of
    it stands in brackets, an argument that is too long itself may be cut at any blank.
    """
    if len(line) <= width:
        return [line]
    head, _, rest = line.partition("(")
    indent = " " * (len(line) - len(line.lstrip()))
    together = f"{indent}    {rest[:-1]}"
    if len(together) <= width:
        return [f"{head}(", together, f"{indent})"]
    inside = [part for each in _split(rest[:-1]) for part in _wrap(f"{each},", f"{indent}    ", width)]
    return [f"{head}(", *inside, f"{indent})"]


def _wrap(argument: str, indent: str, width: int) -> list[str]:
    return textwrap.wrap(
        argument, width, initial_indent=indent, subsequent_indent=f"{indent}    ", break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def _split(arguments: str) -> list[str]:
    """Cut at the commas that no bracket holds."""
    depth, start, parts = 0, 0, []
    for place, character in enumerate(arguments):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append(arguments[start:place].strip())
            start = place + 1
    return [*parts, arguments[start:].strip()]
