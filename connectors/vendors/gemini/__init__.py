"""Google Gemini: what it sends (contract.py) and how to reach it."""
