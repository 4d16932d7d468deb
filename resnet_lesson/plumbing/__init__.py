"""What the other rooms stand on and no lesson imports: checks of arguments, files, processes."""
