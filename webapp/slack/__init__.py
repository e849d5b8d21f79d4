"""The bot in Slack: what people there ask for, by commands, forms and buttons (how it answers them is in worker.slack)."""
