"""Training with several processes, on one machine or on many.

``trainer`` is the course's training loop for several replicas, ``replicas`` joins these with
TensorFlow's strategies, ``checkpoints`` lets a run go on after an accident, and ``cluster`` finds
the other workers and notices when one is lost. ``launch`` starts the workers, each of which runs
``worker``; the package itself, as a program, is their command line.
"""
