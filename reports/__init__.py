"""Tables, plots and films, from files alone."""
