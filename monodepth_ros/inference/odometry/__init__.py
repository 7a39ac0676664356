"""The motion of a camera from its images: methods, tracking, covariance."""
