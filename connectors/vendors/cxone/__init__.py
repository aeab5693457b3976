"""NICE CXone: what it sends (contract.py), how to reach it (settings.py) and the client (gateway.py)."""
