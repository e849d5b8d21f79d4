"""What jobs of Bots Scheduler and of ndscheduler are made of; the shims give it the names they import."""
