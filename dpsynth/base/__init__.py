"""What every other folder uses, all of it public: domains, archives, settings, figures in words."""
