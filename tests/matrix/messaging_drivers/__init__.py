"""Drivers of the messaging libraries: a few lines each over the same verbs."""
