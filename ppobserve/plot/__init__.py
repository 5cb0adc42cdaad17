"""Charts as SVG text: values in, text out. No file, no clock, no script, and nothing fetched from anywhere."""
