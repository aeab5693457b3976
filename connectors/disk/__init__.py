"""What is on disk, whatever it holds: whole files, locks, rights, and which folder this is."""
