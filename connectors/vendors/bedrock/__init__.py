"""Amazon Bedrock's ConverseStream: what it sends (contract.py)."""
