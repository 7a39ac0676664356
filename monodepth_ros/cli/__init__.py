"""The monodepth command, one file per sub-command."""
