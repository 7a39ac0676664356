"""The session of `monodepth demo`."""
