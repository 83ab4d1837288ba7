"""One job of a tenant: it runs at its time, to its end or its deadline, and never beside itself."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from balai.components.workloads import metadata_of, template
from balai.models import Tenant
from balai.models.service import Job, minutes

Json = dict[str, Any]
TRIES = 2  # after the first
KEPT_SECONDS = 24 * 3600  # a run that has ended, for whoever looks the next morning
LATE_SECONDS = 3600  # a run that could not begin for so long is left out


class ScheduledJob(pulumi.ComponentResource):
    """CronJob."""

    def __init__(self, name: str, tenant: Tenant, job: Job, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("balai:tenancy:ScheduledJob", name, None, opts)
        k8s.batch.v1.CronJob(
            f"{name}-cron",
            metadata=metadata_of(tenant, job.name),
            spec=cron_job(tenant, job),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"schedule": job.schedule})


def cron_job(tenant: Tenant, job: Job) -> Json:
    """Return the spec of a CronJob."""
    return {
        "schedule": job.schedule,
        "timeZone": job.time_zone,
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": LATE_SECONDS,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {
            "spec": {
                "activeDeadlineSeconds": 60 * minutes(job.deadline),
                "backoffLimit": TRIES,
                "ttlSecondsAfterFinished": KEPT_SECONDS,
                "template": template(tenant, job),
            }
        },
    }
