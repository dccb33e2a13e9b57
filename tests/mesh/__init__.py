"""Tests of the lane mesh, and the mock chain that they share."""
