"""The files of a release: `manifest` lists them, `checks` compares them with the list."""
