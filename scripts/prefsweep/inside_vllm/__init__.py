"""What vLLM itself loads: a folder of its own, so that nothing else of this library lies on that process's path."""
