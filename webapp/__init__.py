"""Who asks and what they see: pages, JSON API, command line."""
