"""``make demo``: what ppobserve shows here, and in a guest where this kernel cannot show the main job."""
