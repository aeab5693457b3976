"""Anthropic's Messages: what they send (contract.py)."""
