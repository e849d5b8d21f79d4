"""How work is asked for and done: submit, cancel, execute, reconcile."""
