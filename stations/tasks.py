"""Celery tasks of the stations app: sweeps that mend what a dead process left behind."""

from celery import shared_task

from stations.maintenance import files, firmware, logs
from stations.services import commands, partitions, presence, reservations, transactions


@shared_task(name="stations.tasks.sweep_commands")
def sweep_commands() -> int:
    """End commands that expired unsent or were sent by a gateway that died. Idempotent."""
    return commands.sweep_commands()


@shared_task(name="stations.tasks.sweep_presence")
def sweep_presence() -> int:
    """Mark stations of dead gateways as disconnected. Idempotent."""
    return presence.sweep_presence()


@shared_task(name="stations.tasks.close_stuck_transactions")
def close_stuck_transactions() -> int:
    """End transactions that are plainly over though no stop came. Idempotent."""
    return transactions.close_stuck_transactions()


@shared_task(name="stations.tasks.expire_reservations")
def expire_reservations() -> int:
    """End reservations that are past their time. Idempotent."""
    return reservations.expire_reservations()


@shared_task(name="stations.tasks.maintain_partitions")
def maintain_partitions() -> None:
    """Make partitions three months ahead and drop those past the retention. Idempotent."""
    partitions.maintain_partitions()


@shared_task(name="stations.tasks.sweep_upkeep")
def sweep_upkeep() -> int:
    """End firmware updates and log uploads of which nothing was heard any more. Idempotent."""
    return firmware.sweep_firmware_updates() + logs.sweep_log_uploads()


@shared_task(name="stations.tasks.clean_files")
def clean_files() -> int:
    """Delete files that no row refers to, and what was never received whole. Idempotent."""
    return files.forget_files()
