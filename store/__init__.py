"""What is remembered: settings, databases, models, and the queries worth a name."""
