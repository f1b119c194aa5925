"""A run: systems over clips, pairs to workers, measurements to the store."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from sqbench import audio
from sqbench.engine.bitrate import BitrateWatch
from sqbench.engine.cache import ON_DISK, AudioCache
from sqbench.engine.hearing import Memory
from sqbench.engine.jobs import Keys, missing, with_unpredicted
from sqbench.engine.local import Engine
from sqbench.engine.monitor import Monitor
from sqbench.engine.observations import Decoded
from sqbench.engine.plan import Outcome, Plan
from sqbench.engine.predict import predict, unpredicted
from sqbench.engine.scoring import Coding
from sqbench.engine.systems.base import Subject, System, why
from sqbench.engine.systems.names import split_weights
from sqbench.errors import InputError
from sqbench.metrics.base import Status
from sqbench.store.provenance import environment
from sqbench.store.reader import Store
from sqbench.store.record import SCHEMA
from sqbench.store.writer import RunWriter

LOGS_FOLDER = "logs"


def execute(plan: Plan, store: Store, engine: Engine, monitor: Monitor) -> Outcome:
    """Compute what is missing; records are on the disk as they come, in the order of the clips.

    Raises:
        InputError: no codec could be loaded, or the results cannot be written.
    """
    with _Run(plan, store, engine, monitor) as run:
        run.all()
        return run.outcome


class _Run:
    """The state of a run."""

    def __init__(self, plan: Plan, store: Store, engine: Engine, monitor: Monitor) -> None:
        self.plan, self.engine, self.monitor = plan, engine, monitor
        self.outcome = Outcome()
        self.known = {record["key"]: record["status"] for record in store.records}
        self.done = set() if plan.options.force else store.done_keys
        self.memory = Memory(() if plan.options.force else store.observations)
        self.described: list[dict[str, Any]] = []
        self.pending: list[Decoded] = []
        self._open = ExitStack()
        self.cache = self._open.enter_context(AudioCache())
        self._writer: RunWriter | None = None

    def __enter__(self) -> _Run:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, value, trace)

    @property
    def writer(self) -> RunWriter:
        """Where records go; its folder is there once there is something to write."""
        if self._writer is None:
            self._writer = self._open.enter_context(RunWriter(self.plan.out, self._describe()))
            self.outcome.run_id = self._writer.run_id
        return self._writer

    def all(self) -> None:
        """Every system, then every evaluator."""
        for codec in self.plan.codecs:
            label = codec if isinstance(codec, str) else _name(codec)
            self.monitor.loading(label)
            try:
                system = self.engine.open(codec, self.plan.options)
            except Exception as error:  # a codec may be anybody's code
                if self.plan.options.debug:
                    raise
                self.outcome.unloaded[label] = why(error)
                if len(self.plan.codecs) > 1:
                    self.monitor.note(_labelled(label, why(error)))
                continue
            with ExitStack() as closing:
                closing.callback(system.close)
                self.system(system, label)
        if self._writer is not None and self.plan.assignments:
            self.predict()
        if len(self.outcome.unloaded) == len(self.plan.codecs):
            (label, first), *rest = self.outcome.unloaded.items()
            more = f" ({len(rest)} others did not load either)" if rest else ""
            raise InputError(_labelled(label, first) + more)

    def system(self, system: Subject, asked: str) -> None:
        """Score a system on all clips that are not done."""
        options, selection = self.plan.options, self.plan.selection
        identity = system.identity
        if any(each["codec_id"] == identity for each in self.described):
            return  # asked for twice, by name and by alias for one
        self._say_what_it_is(system, asked)
        self.described.append({**system.description, "codec_id": identity, **system.cost()})
        self.writer.update(codecs=self.described)
        keys = Keys(identity, selection.source.name, options.protocol, system.content)
        jobs = missing(keys, selection, self.done)
        done = len(selection.items) - len(jobs)
        if options.save_audio and done:
            self.monitor.note(
                f"{system.name}: audio of {done} utterances that are done already is not "
                "made again; --force does"
            )
        self.outcome.kept += sum(len(item.metrics) for item in selection.items)
        self.outcome.kept -= sum(len(job.metrics) for job in jobs)
        decoded = Decoded(name=system.name, codec_id=identity, weights=system.weights_label)
        self.pending.append(decoded)
        wanted = unpredicted(self.plan.assignments, identity, self.done)
        jobs = with_unpredicted(jobs, wanted.values(), keys, self.done)
        self.monitor.start(system.name, len(jobs), len(self.plan.utterances))
        computed: dict[str, Status] = {}
        watch = BitrateWatch(system.description)
        scorer = self.engine.scorer(
            Coding(
                plan=self.plan,
                system=system,
                keys=keys,
                decoded=decoded,
                wanted=frozenset(wanted),
                cache=self.cache,
                folder=self.writer.path,
            )
        )
        try:
            for records in scorer.of(jobs):
                self.writer.append(records)
                watch.see(records)
                scores = [record for record in records if record["kind"] == "score"]
                self.outcome.scored += sum(r["status"] in ("ok", "identical") for r in scores)
                computed.update((record["key"], record["status"]) for record in scores)
                self.monitor.scored(system.name, records)
        finally:
            self.writer.append(scorer.rest())
        statuses = self.known | computed
        self.outcome.failed += sum(
            statuses.get(keys.score(item, metric)) not in ("ok", "identical")
            for item in selection.items
            for metric in item.metrics
        )
        self.outcome.remarks += watch.remarks()
        self._keep_log(system)
        if self.cache.bytes > ON_DISK:
            self.predict()

    def predict(self) -> None:
        """Have every evaluator hear what the systems made, and forget it."""
        made = failed = 0
        for predictions in predict(
            self.plan.assignments,
            self.pending,
            self.cache,
            self.done,
            self.memory,
            self.engine.observations,
            self.monitor,
        ):
            self.writer.append(predictions)
            made += len(predictions)
            failed += sum(one["status"] != "ok" for one in predictions)
        outcome = self.outcome
        clips = sum(len(assignment.clips) for assignment in self.plan.assignments)
        originals = clips if not outcome.predicted + outcome.predicted_kept else 0
        outcome.predicted += made
        outcome.predicted_kept += originals + clips * len(self.pending) - made
        outcome.unpredicted += failed
        self.pending.clear()
        self.cache.clear()

    def _say_what_it_is(self, system: Subject, asked: str) -> None:
        weights = system.description["weights"]
        if weights["source"] != "none":
            self.monitor.note(f"{system.name}: {system.weights_label} ({weights['detail']})")
        files = system.description["settings"].get("files")
        if files:
            self.monitor.note(f"{system.name}: identity from {', '.join(files)}")
        if system.unknown:
            self.monitor.note(
                f"{system.name}: what it holds cannot all be told ({', '.join(system.unknown)}), "
                "so nothing of earlier runs is taken for it, nor of this one later"
            )
        wanted = split_weights(asked)[1] or self.plan.options.weights
        if wanted == "auto" and weights["source"] == "bundled":
            self.outcome.remarks.append(
                f"{system.name}: official weights were not at hand, the bundled ones are scored; "
                "name them (--weights) where several machines must do the same"
            )

    def _keep_log(self, system: Subject) -> None:
        """What a system that failed printed and raised, in the run's folder."""
        text = system.log()
        if not text:
            return
        name = re.sub(r"[^\w.@+-]", "_", system.name)
        path = self.writer.path / LOGS_FOLDER / f"{name}-{system.identity}.log"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
        self.monitor.note(f"{system.name}: its first traceback and what it printed: {path}")

    def _describe(self) -> dict[str, Any]:
        plan = self.plan
        return {
            "schema": SCHEMA,
            "command": plan.options.command,
            "options": self._options(),
            "seed": plan.options.seed,
            "suite": plan.options.suite,
            "protocol": plan.options.protocol,
            "metrics": {metric.name: metric.version for metric in plan.metrics.values()},
            "codecs": [],
            "source": plan.selection.describe(),
            "tasks": {each.task.name: each.describe() for each in plan.assignments},
            "settings": {
                "device": plan.options.device,
                "batch_size": plan.options.batch_size,
                "resampler": audio.RESAMPLER,
                "channels": "first",
                "engine": self.engine.name,
            },
            "environment": environment(),
            **({} if plan.selection.part is None else {"shard": plan.selection.part.describe()}),
        }

    def _options(self) -> dict[str, Any]:
        """What ``sqbench run --config run.json`` does again; of objects only their names."""
        options, location = self.plan.options, self.plan.selection.source.location
        found = {
            "codec": [c if isinstance(c, str) else _name(c) for c in self.plan.codecs],
            "data": str(Path(location).resolve()) if Path(location).exists() else location,
            "suite": options.suite,
            "protocol": options.protocol,
            "weights": options.weights,
            "device": options.device,
            "seed": options.seed,
        }
        if options.metrics is not None:
            found["metrics"] = list(options.metrics)
        if options.evaluators is not None:
            found["evaluators"] = options.evaluators
        if options.limit is not None:
            found["limit"] = options.limit
        if options.shard is not None:
            found["shard"] = str(options.shard)
        return found


def _name(codec: Any) -> str:
    return str(codec.name if isinstance(codec, System) else codec.spec.name)


def _labelled(label: str, reason: str) -> str:
    """A reason with what it is of before it, once."""
    return reason if reason.startswith((label, f"codec {label}")) else f"{label}: {reason}"
