"""Addresses that stations use over HTTP: where they put files and fetch firmware."""
