"""How the tables of ``benchmark`` are put into words."""

from collections.abc import Sequence
from typing import Any


def counted(number: int, what: str) -> str:
    """A number of things.

    Example:
        >>> counted(1, "core"), counted(2, "core")
        ('1 core', '2 cores')
    """
    return f"{number} {what}{'s' if number != 1 else ''}"


def with_spread(row: Any, name: str, digits: int) -> str:
    """A median with the least and the largest, which a row holds under the name with ``_low`` and ``_high``.

    Example:
        >>> with_spread({"ms": 3.14, "ms_low": 3.0, "ms_high": 4.0}, "ms", 1)
        '3.1 (3.0 to 4.0)'
    """
    return f"{row[name]:.{digits}f} ({row[f'{name}_low']:.{digits}f} to {row[f'{name}_high']:.{digits}f})"


def markdown_page(
    title: str, tables: Sequence[tuple[str, Sequence[str], Sequence[Sequence[str]]]], notes: Sequence[str]
) -> str:
    """A page of tables with notes below.

    Args:
        title: Of the page.
        tables: Heading (empty for none), names of the columns, and lines of cells of each table.
        notes: One sentence or more each.
    """
    parts = [f"# {title}"]
    for heading, header, lines in tables:
        rows = [header, ["---"] * len(header), *lines]
        parts += [f"## {heading}"] if heading else []
        parts.append("\n".join(f"| {' | '.join(cells)} |" for cells in rows))
    return "\n\n".join([*parts, "\n".join(f"- {note}" for note in notes)]) + "\n"
