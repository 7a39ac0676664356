"""Points of images: found, tracked, compared in two views, triangulated."""
