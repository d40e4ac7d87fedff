"""What the stages hand to each other: typed records with units in their names, one module for each stage."""
