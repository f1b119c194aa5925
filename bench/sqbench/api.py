"""What the command line does, as functions."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from sqbench.data.base import Source
from sqbench.data.files import listed
from sqbench.data.resolve import open_source
from sqbench.engine.assignment import Assignment, assign
from sqbench.engine.cluster.connection import is_ray
from sqbench.engine.jobs import Selection, nothing, select
from sqbench.engine.local import LocalEngine
from sqbench.engine.monitor import Monitor, Quiet
from sqbench.engine.options import Options, cores
from sqbench.engine.plan import Outcome, Plan
from sqbench.engine.pool import ProcessPool
from sqbench.engine.run import execute
from sqbench.engine.systems.base import System
from sqbench.engine.systems.names import expand
from sqbench.engine.systems.opening import check_names
from sqbench.errors import InputError
from sqbench.metrics.protocol import DEFAULT, check
from sqbench.report.results import Results
from sqbench.store import reader as stores
from sqbench.suites import APPLICATIONS, metrics_of, what_is_left_out
from sqbench_codecs import Codec


def evaluate(
    codecs: str | Codec | System | Sequence[str | Codec | System],
    data: str | Source = "mini",
    *,
    suite: str = "signal",
    metrics: Sequence[str] | None = None,
    evaluators: str | None = None,
    protocol: str = DEFAULT,
    weights: str = "auto",
    out: str | Path | None = None,
    limit: int | None = None,
    workers: int | None = None,
    device: str = "cpu",
    batch_size: int = 8,
    hosts: int = 1,
    seed: int = 0,
    debug: bool = False,
    domain: str | None = None,
    force: bool = False,
    save_audio: bool = False,
    progress: bool = True,
) -> Results:
    """Run codecs over data and score what comes out.

    Example:
        >>> import sqbench
        >>> results = sqbench.evaluate("opus-6k", "mini", limit=1)
        >>> float(results.summary().loc["opus-6k", "measured_bps"]) > 6000
        True

    Args:
        codecs: registry names, lists and patterns of them, ``@paper``, ``file.py:Class``,
            ``folder:PATH``; or loaded codecs, which stay in
            this process: the caller's random numbers are left alone.
        data: a source, or what ``--data`` takes: ``mini``, a folder, a manifest, ``hf:...``.
        suite: ``signal``, ``perceptual``, ``application`` or ``all`` (signal and application);
            ``metrics`` names other metrics instead.
        evaluators: who listens, in the latter two: ``offline`` (the default), ``protocol``, or
            ``task=name``, with commas between.
        weights: ``auto``, ``official``, ``official@REV``, ``bundled`` or a path.
        out: results folder; what is there is not computed again. ``None`` keeps nothing on disk.
        limit: at most that many utterances of each set.
        workers: processes that measure, by default one for each core; values do not depend on it.
        hosts: processes that hold a codec given by name; values do not depend on it.
        seed: of the random numbers of codecs that draw some; every clip has its own.
        debug: what a codec raises comes out, instead of costing a clip.
        progress: say on standard error what is done, in the end what has no score: bars in a
            terminal, a line now and then elsewhere.

    Returns:
        The results in ``out``, of this run and of earlier ones. A codec that cannot be loaded is a
        warning as long as another can.

    Raises:
        InputError: nothing could be run.
    """
    given = [codecs] if isinstance(codecs, str | Codec | System) else list(codecs)
    chosen: list[str | Codec | System] = []
    for each in given:
        chosen += expand([each]) if isinstance(each, str) else [each]
    options = Options(
        suite=suite,
        metrics=metrics,
        evaluators=evaluators,
        protocol=protocol,
        weights=weights,
        limit=limit,
        workers=cores() if workers is None else workers,
        device=device,
        batch_size=batch_size,
        hosts=hosts,
        seed=seed,
        debug=debug,
        force=force,
        save_audio=save_audio,
    )
    source = open_source(data, domain=domain) if isinstance(data, str) else data
    if out is not None:
        return _evaluated(chosen, source, Path(out), options, progress)
    with tempfile.TemporaryDirectory() as folder:
        return _evaluated(chosen, source, Path(folder), options, progress)


def _evaluated(
    codecs: Sequence[str | Codec | System],
    source: Source,
    out: Path,
    options: Options,
    progress: bool,
) -> Results:
    if progress:
        from sqbench.report.progress import Progress

        with Progress() as shown:
            outcome = run(codecs, source, out, options, shown)
            shown.conclude(outcome, "in `frame`, with status and reason")
    else:
        outcome = run(codecs, source, out, options)
    for name, why in outcome.unloaded.items():
        warnings.warn(f"no results of {name}: {why}", stacklevel=3)
    return Results.load(out)


def run(
    codecs: Sequence[str | Codec | System],
    source: Source,
    out: Path,
    options: Options,
    monitor: Monitor | None = None,
) -> Outcome:
    """One run into ``out``; `evaluate` and the command line end here.

    Raises:
        InputError: an argument cannot be used, or nothing could be run.
    """
    check(options.protocol)
    for name, number in (
        ("workers", options.workers),
        ("batch size", options.batch_size),
        ("hosts", options.hosts),
        ("limit", options.limit),
    ):
        if number is not None and number < 1:
            raise InputError(name, expected="at least 1", found=str(number))
    for name, amount in (
        ("codec timeout", options.codec_timeout_s),
        ("codec memory", options.codec_memory_gb),
    ):
        if amount is not None and not amount > 0:
            raise InputError(name, expected="more than 0", found=str(amount))
    is_ray(options.engine)  # a misspelt one is told before any time is spent
    check_names(codecs, options.weights)
    monitor = monitor or Quiet()
    wanted = metrics_of(options.suite, options.metrics)
    if options.metrics is None:
        for line in what_is_left_out(options.suite):
            monitor.note(f"suite {options.suite}: {line}")
    selection = (
        select(source, list(wanted.values()), options.limit, monitor.hashed, options.shard)
        if wanted
        else nothing(source, options.shard)
    )
    if wanted and not (selection.items or (selection.part and selection.part.listed)):
        raise InputError(f"data {source.location}", expected="at least one clip", found="none")
    if unread := source.unread():
        monitor.note(f"data {source.location}: not read: {listed(unread)}")
    plan = Plan(
        codecs=codecs,
        selection=selection,
        metrics=wanted,
        assignments=_assignments(source, selection, options),
        out=out,
        options=options,
    )
    if is_ray(options.engine):
        from sqbench.engine.cluster.engine import opened

        with opened(options, monitor) as engine:
            return execute(plan, stores.load(out), engine, monitor)
    with ProcessPool(options.workers, prefetch=options.workers) as pool:
        return execute(plan, stores.load(out), LocalEngine(pool), monitor)


def _assignments(source: Source, selection: Selection, options: Options) -> list[Assignment]:
    if options.suite not in APPLICATIONS:
        if options.evaluators is not None:
            raise InputError(
                f"evaluators with suite {options.suite!r}",
                expected=f"suite {' or '.join(APPLICATIONS)}",
                found=options.evaluators,
            )
        return []
    from sqbench.tasks.evaluators import catalogue

    choices = catalogue.choose(
        catalogue.DEFAULT if options.evaluators is None else options.evaluators
    )
    return assign(
        source,
        choices,
        limit=options.limit,
        device=options.devices[0],
        known=selection.items,
        part=selection.part,
    )
