"""Clients: the headers are added where one wire request is formed, below redirects and retries, decided per hop."""
