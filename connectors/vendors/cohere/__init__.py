"""Cohere: what it sends (contract.py)."""
