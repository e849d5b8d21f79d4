"""Commands as jobs: what they are given, how they run, and the tables that they stand in."""
