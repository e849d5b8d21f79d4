"""When schedules fire: cron expressions in the dialects people bring along, local clocks that change, windows of rest."""
