"""Remote detectors: services that judge text, where they are kept to time and number, and what they are asked.

base.py says what a detector is, and who calls what, when; registry.py knows which kinds there are. settings.py and
http.py are the built-in one, over HTTP. What puts a job's questions to them is connectors/job/detectors.py.
"""
