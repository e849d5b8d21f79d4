"""What Bots Scheduler has beside its jobs."""
