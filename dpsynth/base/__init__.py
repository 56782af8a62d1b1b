"""Small public things that every other folder uses: domains of codes, archives, files of settings, figures in words."""
