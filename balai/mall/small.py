"""
Figures so small that a person could be known by them: put together with others until they are not.

A table of counts by time and by whom has sums of its rows and columns beside it. If only the small cells were hidden,
a sum less the others would tell them. So rows, and columns, are put together until every cell is 0 or at least
`fewest`, in each of its measures. Each figure that is then shown is a sum of such cells, so what can be computed from
them is too, and how many of it belong to whom within one cell stands nowhere.

That holds for one report: whoever has another of an overlapping time can take one from the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

Cells = Mapping[tuple[str, str], tuple[int, ...]]


def is_small(count: int, fewest: int) -> bool:
    """Return whether a count is of somebody, and of too few."""
    return 0 < count < fewest


def together(cells: Cells, fewest: int) -> tuple[set[str], set[str]]:
    """Return the rows, and the columns, of which only sums may be shown."""
    columns = _joined({c: {"": total(cells, None, [c])} for c in _names(cells, 1)}, fewest)
    parts = _parts(_names(cells, 1), columns)
    rows = {r: {str(n): total(cells, [r], part) for n, part in enumerate(parts)} for r in _names(cells, 0)}
    return _joined(rows, fewest), columns


def total(cells: Cells, rows: Collection[str] | None, columns: Collection[str] | None) -> tuple[int, ...]:
    """Return the sums of some rows and columns, or of all (None), in each measure."""
    found = [
        counts
        for (row, column), counts in cells.items()
        if (rows is None or row in rows) and (columns is None or column in columns)
    ]
    measures = len(next(iter(cells.values()), ()))
    return tuple(sum(counts[n] for counts in found) for n in range(measures))


def shown(cells: Cells, fewest: int) -> list[tuple[list[str], list[str], tuple[int, ...]]]:
    """Return each line that may be shown: its rows, its columns and their sums. All in one that is too small is one."""
    rows, columns = together(cells, fewest)
    if any(is_small(count, fewest) for count in total(cells, None, None)):
        rows, columns = set(_names(cells, 0)), set(_names(cells, 1))
    times, names = _parts(_names(cells, 0), rows), _parts(_names(cells, 1), columns)
    return [(time, name, total(cells, time, name)) for time in times for name in names]


def rest(counts: Mapping[str, int], whole: int, fewest: int) -> set[str]:
    """Return which counts, with what the whole has beside them all, are shown in the whole only."""
    hidden = {name for name, count in counts.items() if is_small(count, fewest)}
    others = sorted((count, name) for name, count in counts.items() if count >= fewest)
    while is_small(whole - sum(n for name, n in counts.items() if name not in hidden), fewest) and others:
        hidden.add(others.pop(0)[1])
    return hidden


def _names(cells: Cells, which: int) -> list[str]:
    return list(dict.fromkeys(place[which] for place in cells))


def _parts(names: list[str], joined: set[str]) -> list[list[str]]:
    return [*([name] for name in sorted(names) if name not in joined), *([sorted(joined)] if joined else [])]


def _joined(lines: Mapping[str, Mapping[str, tuple[int, ...]]], fewest: int) -> set[str]:
    """Return the lines that have something small in a part, and as many others as it takes that their sums have not."""

    def small(names: Iterable[str]) -> bool:
        parts: dict[str, list[tuple[int, ...]]] = {}
        for name in names:
            for part, counts in lines[name].items():
                parts.setdefault(part, []).append(counts)
        return any(is_small(sum(one), fewest) for added in parts.values() for one in zip(*added, strict=True))

    joined = {name for name in lines if small([name])}
    sizes = {name: sum(map(sum, lines[name].values())) for name in lines if name not in joined}
    others = sorted((name for name in sizes if sizes[name]), key=lambda name: (sizes[name], name))
    while joined and small(joined) and others:
        joined.add(others.pop(0))
    return joined
