"""Traffic that exercises a real page_pool on any machine, and leaves nothing behind."""
