"""Ollama: what it sends (contract.py)."""
