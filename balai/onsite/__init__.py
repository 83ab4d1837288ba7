"""Programs that run on a mall's machines: the standard library alone, and each a single file that a role installs."""
