"""Adam with one operation of TensorFlow's a weight array.

Keras builds the same formula from a dozen small operations. In a deep net of small layers they take
a third of the training step's time.

References
    Kingma, Ba 2015: Adam: A Method for Stochastic Optimization, ICLR (arXiv:1412.6980): the order
        of computation at the end of Section 2.
"""

from functools import cache

import keras
import tensorflow as tf


class Adam(keras.optimizers.Adam):
    """Keras's Adam, whose ``update`` makes a step."""

    def update(self, gradients, variables, rate=None):
        """Change the variables by one step.

        Not ``apply_gradients``: TensorFlow would keep the graph of every step that was ever traced,
        in its table of custom gradients. Under a strategy each replica updates its own copy of the
        weights, with the same gradient.

        Args:
            gradients: list of tensors.
            variables: list of Keras variables, of the same shapes.
            rate: step size, a float32 scalar; that of the optimiser by default.
        """

        @cache
        def shared(dtype):
            updates = tf.cast(self.iterations + 1, dtype)
            values = {
                "lr": tf.cast(self.learning_rate if rate is None else rate, dtype),
                "beta1": self.beta_1,
                "beta2": self.beta_2,
                "beta1_power": self.beta_1**updates,
                "beta2_power": self.beta_2**updates,
                "epsilon": self.epsilon,
            }
            return {name: tf.convert_to_tensor(value, dtype) for name, value in values.items()}

        moments = zip(self._momentums, self._velocities, strict=True)
        for gradient, variable, (m, v) in zip(gradients, variables, moments, strict=True):
            handles = {"var": variable.value.handle, "m": m.value.handle, "v": v.value.handle}
            tf.raw_ops.ResourceApplyAdam(**handles, grad=gradient, **shared(gradient.dtype))
        self.iterations.assign_add(1)
