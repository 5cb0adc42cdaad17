"""ppobserve: what the kernel's page_pool does with your network receive buffers, on any kernel, for almost nothing."""

__all__ = ["__version__"]

__version__ = "0.1.0"
