"""What `zoo`, `train` and `analysis` share: traced programs, checks of values, files and command lines."""
