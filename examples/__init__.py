"""Working examples: each shows one way of writing jobs."""
