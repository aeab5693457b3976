"""Google's Gemini API: what it sends (contract.py)."""
