"""Messaging: the producer puts the lane onto each message, the consumer's own code has it while it handles that message."""
