"""The library behind prefsweep's rules: pure, typed, and free of Snakemake and argparse."""
