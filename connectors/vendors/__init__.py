"""Vendors: what they share, and a folder each.

attempts.py makes one turn of as many requests as it takes, with resumption.py's word for where a continuation begins;
decoding.py (core) reads frames; oauth.py gets access tokens; codes.py says why a vendor refused.
"""
