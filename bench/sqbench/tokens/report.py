"""The table of token statistics."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqbench.report.grid import Grid, GridCell, Head
from sqbench.tokens.records import TokenRecord, TokenStore
from sqbench.tokens.statistics import COVERED, Tokens, pooled

PROBES = ("re-encode", "1 ms", "1 frame")
CSV_HEADER = (
    "model",
    "source",
    "measured_bps",
    "num_codebooks",
    "codes",
    "usage",
    "perplexity",
    "entropy_bps",
    "coverage",
    "agreement_reencode",
    "agreement_1ms",
    "agreement_frame",
)


@dataclass(frozen=True, kw_only=True)
class TokenRow:
    """A codec on a source; ``tokens`` is ``None`` if no clip got through."""

    model: str
    source: str
    tokens: Tokens | None
    failed: int
    reason: str

    @property
    def usage(self) -> float:
        """Share of entries seen, the mean over codebooks."""
        assert self.tokens is not None
        return _mean([book.used / book.size for book in self.tokens.books])

    @property
    def perplexity(self) -> float:
        """Geometric mean over codebooks."""
        assert self.tokens is not None
        return float(2.0 ** _mean([book.entropy for book in self.tokens.books]))


def rows(store: TokenStore) -> list[TokenRow]:
    """One row per codec (by identity) and source, of the newest record of each clip."""
    groups: dict[tuple[str, str], dict[str, TokenRecord]] = {}
    for record in store.records.values():
        groups.setdefault((record.codec_id, record.source), {})[record.utterance] = record
    names = Counter((next(iter(g.values())).codec["name"], s) for (_, s), g in groups.items())
    found = []
    for (identity, source), records in groups.items():
        codec = next(iter(records.values())).codec
        clips = [record.clip for record in records.values() if record.clip is not None]
        reasons = [record.reason for record in records.values() if record.reason]
        several = names[codec["name"], source] > 1
        found.append(
            TokenRow(
                model=f"{codec['name']}@{identity}" if several else codec["name"],
                source=source,
                tokens=pooled(clips, codec["codebook_sizes"]) if clips else None,
                failed=len(reasons),
                reason=reasons[0] if reasons else "",
            )
        )
    return sorted(found, key=lambda r: (r.source, r.tokens.measured_bps if r.tokens else math.inf))


def to_csv(found: Sequence[TokenRow]) -> str:
    """`CSV_HEADER`; shares between 0 and 1, no value is an empty field."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    for row in found:
        values = _values(row)
        cells = ["" if math.isnan(value) else repr(value) for value in values]
        writer.writerow([row.model, row.source, *cells])
    return stream.getvalue()


def to_json(found: Sequence[TokenRow]) -> str:
    """Everything, every codebook by itself."""
    listed = []
    for row in found:
        entry = {"model": row.model, "source": row.source, "failed": row.failed}
        entry["reason"] = row.reason or None
        if row.tokens:
            books = [{**asdict(book), "perplexity": book.perplexity} for book in row.tokens.books]
            entry |= {**asdict(row.tokens), "books": books, "entropy_bps": row.tokens.entropy_bps}
        listed.append(_without_nan(entry))
    return json.dumps(listed, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def to_grid(found: Sequence[TokenRow]) -> Grid:
    """The table for people, shares in percent."""
    heads = [
        Head(title="Model", number=False),
        Head(title="Source", number=False),
        Head(title="Measured", below="bps"),
        Head(title="#Q"),
        Head(title="Codes"),
        Head(title="Usage", below="%"),
        Head(title="Perplexity"),
        Head(title="Entropy", below="bps"),
        Head(title="Coverage", below="%"),
        Head(title="Re-encoded", below="same, %"),
        Head(title="1 ms later", below="same, %"),
        Head(title="1 frame", below="same, %"),
    ]
    lines, low = [], False
    for row in found:
        values = _values(row)
        bound = row.tokens is not None and row.tokens.coverage < COVERED
        low = low or bound
        cells = [_cell(value, digits) for value, digits in zip(values[:3], (0, 0, 0), strict=True)]
        cells.append(_cell(100 * values[3], 1))
        cells += [_cell(value, 0, "*" if bound else "") for value in values[4:6]]
        cells += [_cell(100 * value, 1) for value in values[6:]]
        lines.append([GridCell(text=row.model), GridCell(text=row.source), *cells])
    notes = [
        "Pooled over all clips. Entropy of single codes, by Miller and Madow; perplexity is the "
        "geometric mean over codebooks. Coverage: the chance that the next code is one seen.",
        "Same: codes that stay when the decoded clip is encoded, or the clip without its first "
        "millisecond or frame.",
    ]
    if low:
        notes.append(f"* a lower bound: coverage under {COVERED:.0%}, more audio is needed.")
    notes += [
        f"{row.model}: {row.failed} clips failed: {row.reason}" for row in found if row.failed
    ]
    return Grid(title="", heads=heads, groups=[lines], notes=notes)


def _values(row: TokenRow) -> list[float]:
    tokens = row.tokens
    if tokens is None:
        return [math.nan] * (len(CSV_HEADER) - 2)
    return [
        tokens.measured_bps,
        float(len(tokens.books)),
        float(tokens.frames * len(tokens.books)),
        row.usage,
        row.perplexity,
        tokens.entropy_bps,
        tokens.coverage,
        *(tokens.agreement.get(name, math.nan) for name in PROBES),
    ]


def _cell(value: float, digits: int, mark: str = "") -> GridCell:
    return GridCell(text="\u2013" if math.isnan(value) else f"{value:.{digits}f}", mark=mark)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _without_nan(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_nan(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value
