"""Drivers of the client libraries: a few lines each that adapt a library to the situations."""
