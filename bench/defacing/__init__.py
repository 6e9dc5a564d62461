"""What bench/deface.py measures with: heads, their disturbed copies, other tools, and a judge of its own."""
