"""Anthropic's Messages: what they send (contract.py) and how to reach them."""
