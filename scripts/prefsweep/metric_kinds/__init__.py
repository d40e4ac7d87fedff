"""Every metric, one function each, in a module for each kind of thing that is looked at."""
