"""Rules that every row of a table keeps, as a person declares them."""
