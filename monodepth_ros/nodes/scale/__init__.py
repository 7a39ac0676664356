"""Where metres come from, live: topics of odometry and of measured points, TF between frames."""
