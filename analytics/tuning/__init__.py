"""The tuner: what the windows' settings would have done to recorded streams, and which are best."""
