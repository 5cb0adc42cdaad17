"""Runs commands and tests under other kernels and other user spaces, in guests. See vmtest/README.md."""
