"""The cores of a turn, step by step: frames to text, text to windows, windows to messages, and what it adds up to.

Each works on base.py's terms and hands on events.py's events.
"""
