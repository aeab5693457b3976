"""`python -m tokenweir`: as the command `tokenweir`."""

from tokenweir import main

main()
