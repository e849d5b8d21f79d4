"""Jobs as bennettbot has them: a `raw_config` in a job file says which commands there are, and what runs them in Slack."""
