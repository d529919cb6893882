"""Ultrasound-QBench: three tasks by which any judge of ultrasound quality is measured.

Classification, scoring and comparison after the benchmark of that name (SCIENCE 1), of which only
the abstract is public: prompts, pairs and measures here are this project's own (SCIENCE 6f), and no
number compares with theirs.
"""
