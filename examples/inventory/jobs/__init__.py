"""The jobs of the inventory, one module for each grouping of the job list."""
