"""The report's curves for papers: PNG, SVG or PDF by matplotlib, from the same data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqbench.errors import InputError
from sqbench.pages.data import Content

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".pdf", ".svg", ".png")
AXES: Mapping[str, tuple[str, float]] = {
    "measured_bps": ("Measured bitrate (kb/s)", 1e-3),
    "bitrate_bps": ("Nominal bitrate (kb/s)", 1e-3),
    "macs_g": ("Multiply-adds for 10 s (G)", 1.0),
    "params_m": ("Parameters (M)", 1.0),
}
"""What a quality can be drawn over: the label, and what a value is multiplied by."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's, told apart by people of any colour vision; markers and dashes tell lines too."""
MARKERS = "osD^vPX*"
DASHES = ("-", "--", "-.", ":")
STYLE: Any = {
    "pdf.fonttype": 42,  # TrueType, embedded: what publishers ask for
    "ps.fonttype": 42,
    "svg.fonttype": "path",  # drawn, so that no reader lacks the font
    "svg.hashsalt": "sqbench",  # ids by content, not by chance
    "font.size": 8.0,
    "axes.labelsize": 8.0,
    "axes.titlesize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.5,
}


def draw(
    content: Content,
    path: Path,
    *,
    x: str = "measured_bps",
    y: Sequence[str] = ("pesq",),
    paper: bool = False,
    ci: bool = False,
    width: float = 3.4,
    height: float = 2.6,
    dpi: int = 300,
) -> int:
    """Write one figure, a panel a metric; returns how many points it has.

    Args:
        content: of `sqbench.pages.data.points`, of one source under one protocol.
        path: ends in one of `FORMATS`.
        x: one of `AXES`, always logarithmic.
        y: columns of the table.
        paper: the paper's rows too, hollow and dashed.
        ci: 95 % intervals as whiskers, and as bands of the controls.
        width: of a panel, in inches; 3.4 is a column of a page of two. ``height`` likewise.
        dpi: of a PNG.

    Raises:
        InputError: an unknown column or format, several sources, nothing to draw, no matplotlib,
            or a place that cannot be written.
    """
    section = _section(content)
    columns = _columns(section, y)
    if x not in AXES:
        raise InputError(f"--x {x}", expected=f"one of {', '.join(AXES)}")
    if path.suffix.lower() not in FORMATS:
        raise InputError(
            str(path), expected=f"a name that ends in {', '.join(FORMATS)}", found=path.suffix
        )
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError(
            "plot", expected="matplotlib", found="none", remedy="pip install 'sqbench[plots]'."
        ) from None
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width * len(columns), height + 0.35), layout="constrained")
        panels = figure.subplots(1, len(columns), squeeze=False)[0]
        points = 0
        for panel, column in zip(panels, columns, strict=True):
            points += _panel(panel, section, column, x, paper, ci)
        if not points:
            raise InputError(
                "plot",
                expected=f"codecs with {x} and {', '.join(y)}",
                found="none",
                remedy="`sqbench table` shows what there is.",
            )
        _legend(figure, panels)
        _save(figure, path, dpi)
    return points


def _section(content: Content) -> Mapping[str, Any]:
    sections = content["sections"]
    if len(sections) != 1:
        raise InputError(
            "plot",
            expected="results of one source under one protocol",
            found=", ".join(f"{each['source']} ({each['protocol']})" for each in sections),
            remedy="Choose with --source and --protocol.",
        )
    one: Mapping[str, Any] = sections[0]
    return one


def _columns(section: Mapping[str, Any], y: Sequence[str]) -> list[Mapping[str, Any]]:
    known = {column["key"]: column for column in section["columns"] if column["scores"]}
    for name in y:
        if name not in known:
            raise InputError(f"--y {name}", expected=f"some of {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(y)]


def _panel(
    panel: Axes,
    section: Mapping[str, Any],
    column: Mapping[str, Any],
    x: str,
    paper: bool,
    ci: bool,
) -> int:
    key, scale = column["key"], AXES[x][1]
    lines: dict[str, list[tuple[float, Mapping[str, Any]]]] = {}
    names = dict.fromkeys(
        row["line"] for row in section["rows"] if row["kind"] == "codec"
    ) | dict.fromkeys(row["line"] for row in section["rows"] if row["kind"] == "paper")
    place = {name: i for i, name in enumerate(names)}
    for row in section["rows"]:
        wanted = row["kind"] == "codec" or (row["kind"] == "paper" and paper)
        at = _x_of(row, x)
        if wanted and at is not None and row["values"][key] is not None:
            lines.setdefault(row["line"], []).append((at * scale, row))
    for name, points in lines.items():
        points.sort(key=lambda point: point[0])
        _line(panel, name, points, key, place[name], ci)
    panel.set_xscale("log")
    if lines:
        _ticks(panel, [at for points in lines.values() for at, _ in points])
        if x.endswith("_bps"):  # of a control neither operations nor parameters mean anything
            _controls(panel, section, key, ci)
    nominal = paper and x == "measured_bps"
    panel.set_xlabel(AXES[x][0] + ("; the paper's: nominal" if nominal else ""))
    arrow = {"higher": " ↑", "lower": " ↓"}.get(column["direction"] or "", "")
    unit = f" ({column['unit']})" if column["unit"] else ""
    panel.set_ylabel(f"{column['title']}{unit}{arrow}")
    return sum(map(len, lines.values()))


def _x_of(row: Mapping[str, Any], x: str) -> float | None:
    """A row's place; the paper measured no bits, so its nominal ones stand for them."""
    values = row["values"]
    value = values.get(x)
    if value is None and x == "measured_bps" and row["kind"] == "paper":
        value = values.get("bitrate_bps")
    if x == "macs_g" and row["kind"] == "paper":
        value = row["cost"]["macs_g"]  # counted as ours are, not as printed
    return value if value else None


def _line(
    panel: Axes,
    name: str,
    points: Sequence[tuple[float, Mapping[str, Any]]],
    key: str,
    place: int,
    ci: bool,
) -> None:
    colour = COLOURS[place % len(COLOURS)]
    hollow = points[0][1]["kind"] == "paper"
    xs = [at for at, _ in points]
    ys = [row["values"][key] for _, row in points]
    panel.plot(
        xs, ys, label=name, color=colour, marker=MARKERS[place % len(MARKERS)], markersize=3.8,
        linewidth=1.1, linestyle="--" if hollow else DASHES[place // len(COLOURS) % len(DASHES)],
        markerfacecolor="white" if hollow else colour, zorder=3,
    )  # fmt: skip
    ends = [row["intervals"].get(key) for _, row in points]
    if ci and any(ends):
        some = [(x, y, end) for x, y, end in zip(xs, ys, ends, strict=True) if end is not None]
        panel.errorbar(
            [x for x, _, _ in some],
            [y for _, y, _ in some],
            yerr=[
                [max(0.0, y - end[0]) for _, y, end in some],
                [max(0.0, end[1] - y) for _, y, end in some],
            ],
            fmt="none", ecolor=colour, elinewidth=0.8, capsize=1.8,
        )  # fmt: skip


def _controls(panel: Axes, section: Mapping[str, Any], key: str, ci: bool) -> None:
    """Dashed lines, and bands with ``ci``; those far off what codecs span would only squash it."""
    low, high = panel.get_ylim()
    reach = high - low
    near = [
        row
        for row in section["rows"]
        if row["kind"] == "control"
        and (value := row["values"][key]) is not None
        and low - reach < value < high + reach
    ]
    names: list[tuple[float, list[str]]] = []  # of those that lie on one another, together
    for row in sorted(near, key=lambda row: float(row["values"][key])):
        value = row["values"][key]
        ends = row["intervals"].get(key)
        if ci and ends:
            panel.axhspan(*ends, color="#888888", alpha=0.2, linewidth=0)
        panel.axhline(value, color="#666666", linewidth=0.7, linestyle=(0, (2, 2)))
        if names and value - names[-1][0] < 0.06 * reach:
            names[-1][1].append(row["label"])
        else:
            names.append((value, [row["label"]]))
    for value, labels in names:
        panel.annotate(
            ", ".join(labels), (0.01, value), xycoords=("axes fraction", "data"), fontsize=6,
            color="#444444", va="bottom",
        )  # fmt: skip


def _ticks(panel: Axes, xs: Sequence[float]) -> None:
    """Plain numbers at 1, 2 and 5 times powers of ten, as far as the values reach."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

    low, high = min(xs) / 1.2, max(xs) * 1.2
    wide = high / low > 300
    steps = (1,) if wide else (1, 2, 5)
    ticks = [m * 10.0**p for p in range(-3, 7) for m in steps if low <= m * 10.0**p <= high]
    panel.set_xlim(low, high)
    panel.xaxis.set_major_locator(FixedLocator(ticks))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.xaxis.set_minor_formatter(NullFormatter())


def _legend(figure: Figure, panels: Sequence[Axes]) -> None:
    shown: dict[str, Any] = {}
    for panel in panels:
        for handle, name in zip(*panel.get_legend_handles_labels(), strict=True):
            shown.setdefault(name, handle)
    fitting = max(2, int(figure.get_size_inches()[0] / 1.15))
    figure.legend(
        list(shown.values()), list(shown), loc="outside lower center", frameon=False,
        ncols=min(len(shown), fitting),
    )  # fmt: skip


def _save(figure: Figure, path: Path, dpi: int) -> None:
    # Nothing of the time, so that equal results give equal files.
    times = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}.get(path.suffix.lower())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=dpi, metadata=times)
    except OSError as error:
        raise InputError(
            str(path), expected="to write a figure", found=error.strerror or str(error)
        ) from None
