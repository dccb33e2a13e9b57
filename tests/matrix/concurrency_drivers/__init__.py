"""Drivers of what runs jobs: a few lines each over the same verbs."""
