"""What is on disk, whatever it holds: lines, whole files and their syncing, locks, rights, and which folder this is."""
