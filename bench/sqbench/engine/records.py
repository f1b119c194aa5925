"""From what happened to records."""

from __future__ import annotations

from collections.abc import Sequence

from sqbench.data.base import Utterance
from sqbench.engine.jobs import Item, Job, Keys
from sqbench.engine.systems.base import Coded, Subject
from sqbench.metrics.base import Metric, Status
from sqbench.metrics.measure import Measurement
from sqbench.store.record import SCHEMA, Record


class RecordBuilder:
    """Makes the records of one system.

    Args:
        system: what is evaluated.
        keys: of its records.
    """

    def __init__(self, system: Subject, keys: Keys) -> None:
        self.keys = keys
        self.name, self.weights = system.name, system.weights_label

    def done(self, job: Job, outcome: Coded, measured: Sequence[Measurement]) -> list[Record]:
        """Records of a coded utterance."""
        records = []
        if job.coding:
            record = self._record(job.item, None, "ok", None)
            record["duration_s"] = outcome.duration_s
            record["bits"] = outcome.bits
            record["encode_s"] = outcome.encode_s
            record["decode_s"] = outcome.decode_s
            records.append(record)
        for metric, measurement in zip(job.metrics, measured, strict=True):
            record = self._record(job.item, metric, measurement.status, measurement.reason)
            record["value"] = measurement.value if measurement.status == "ok" else None
            records.append(record)
        return records

    def lost(self, job: Job, reason: str | None) -> list[Record]:
        """Records of an utterance that did not get through the codec."""
        records = [self._record(job.item, None, "failed", reason)] if job.coding else []
        return records + [self._record(job.item, m, "failed", reason) for m in job.metrics]

    def _record(
        self, item: Item, metric: Metric | None, status: Status, reason: str | None
    ) -> Record:
        clip: Utterance = item.utterance
        return Record(
            schema=SCHEMA,
            kind="score" if metric else "coding",
            key=self.keys.score(item, metric) if metric else self.keys.coding(item),
            codec=self.name,
            codec_id=self.keys.codec_id,
            weights=self.weights,
            source=self.keys.source,
            dataset=clip.dataset,
            category=clip.category,
            domain=clip.domain,
            utterance=clip.id,
            audio_sha256=item.audio_sha256,
            metric=metric.name if metric else None,
            metric_version=metric.version if metric else None,
            metric_identity=metric.identity if metric else None,
            direction=metric.better if metric else None,
            protocol=self.keys.protocol if metric else None,
            value=None,
            status=status,
            reason=reason,
            duration_s=None,
            bits=None,
            encode_s=None,
            decode_s=None,
        )
