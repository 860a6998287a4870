"""The holders of lanes, as PostgreSQL knows them: the fence of their transactions."""

from __future__ import annotations

from django.db import models


class LaneLease(models.Model):
    """The worker that may run the jobs of a lane. Each new holder raises the epoch, which outlives what Redis forgets."""

    pk = models.CompositePrimaryKey("queue", "lane")
    queue = models.CharField(max_length=32)
    lane = models.PositiveSmallIntegerField()
    epoch = models.BigIntegerField()
    holder = models.CharField(max_length=96)
    taken_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.queue} {self.lane}: {self.holder}"
