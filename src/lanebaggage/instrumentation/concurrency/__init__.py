"""Threads and executors: the lane belongs to the job that was submitted, never to the thread that runs it."""
