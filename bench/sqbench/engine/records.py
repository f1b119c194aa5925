"""From what happened to records."""

from __future__ import annotations

from collections.abc import Sequence

from sqbench.data.base import Utterance
from sqbench.engine.jobs import Item, Job, key_of
from sqbench.engine.reconstruct import Coded
from sqbench.metrics.base import Metric, Status
from sqbench.metrics.measure import Measurement
from sqbench.store.record import SCHEMA, Record, coding_key
from sqbench_codecs import Codec


class Form:
    """Fills in records of one codec.

    Args:
        codec: the codec.
        identity: its `codec_id`.
        source: name of the data source.
        protocol: name of the scoring rules.
    """

    def __init__(self, codec: Codec, identity: str, source: str, protocol: str) -> None:
        self.codec, self.identity = codec, identity
        self.source, self.protocol = source, protocol

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
        sha256 = item.audio_sha256
        return Record(
            schema=SCHEMA,
            kind="score" if metric else "coding",
            key=key_of(self.identity, self.source, item, metric, self.protocol)
            if metric
            else coding_key(self.identity, self.source, clip.id, sha256),
            codec=self.codec.spec.name,
            codec_id=self.identity,
            weights=self.codec.weights.label,
            source=self.source,
            dataset=clip.dataset,
            category=clip.category,
            domain=clip.domain,
            utterance=clip.id,
            audio_sha256=sha256,
            metric=metric.name if metric else None,
            metric_version=metric.version if metric else None,
            protocol=self.protocol if metric else None,
            value=None,
            status=status,
            reason=reason,
            duration_s=None,
            bits=None,
            encode_s=None,
            decode_s=None,
        )
