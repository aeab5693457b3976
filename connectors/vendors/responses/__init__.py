"""OpenAI's Responses: what they send (contract.py)."""
