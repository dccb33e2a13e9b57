"""What lanebaggage costs, side by side with the peers in one run: ``nox -s bench``; results are in docs/performance.md."""
