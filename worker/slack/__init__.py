"""Slack, as far as the portal speaks there by itself: what it says of a run, and how that gets there."""
