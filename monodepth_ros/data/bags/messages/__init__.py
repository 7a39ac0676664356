"""What messages hold, as arrays: of ROS itself and of bags. The other way is nodes.conversions."""
