"""What bench/convert.py measures with: series, the converters' command lines, and what a run takes."""
