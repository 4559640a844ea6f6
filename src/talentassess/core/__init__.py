"""Types, errors, quadrature and likelihood: numbers only, no labels, no files."""
