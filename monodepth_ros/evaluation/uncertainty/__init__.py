"""Does confidence tell where depth errs: sparsification and calibration."""
