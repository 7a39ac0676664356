"""As if tf2_ros were not installed."""

raise ImportError("no tf2_ros in this test")
