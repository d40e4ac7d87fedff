"""What must hold before a stage's result counts: a run that fails here is a failed run, not a row in the ranking."""
