"""Cognigy.AI's Socket endpoint, which its own web chat speaks: what it sends (contract.py) and how to reach it."""
