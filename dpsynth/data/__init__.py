"""Where rows come from, and how their values become codes."""
