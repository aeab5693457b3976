"""Model servers that speak OpenAI's chat completions over SSE: what they send (contract.py) and how to reach them."""
