"""Batch normalisation as one operation of TensorFlow's.

Keras builds it from a dozen operations, each of which reads and writes the whole tensor: about a
third of an update of the course's networks.

References
    Ioffe, Szegedy 2015: Batch Normalization, ICML (arXiv:1502.03167), Algorithms 1 and 2.
"""

from functools import partial

import keras
import tensorflow as tf
from keras import layers


@keras.saving.register_keras_serializable(package="resnet_lesson")
class FusedBatchNorm(layers.BatchNormalization):
    """Keras's batch normalisation, computed by one operation where that is possible.

    Arguments, weights and results are those of ``keras.layers.BatchNormalization``. On images,
    float32 (batch, height, width, channels), the operation computes; for anything else Keras does.
    So does it with moving averages on a GPU, where the operation has no gradient then that is the
    same in each run: after ``resnet_lesson.deterministic`` TensorFlow raises an error.
    """

    def call(self, inputs, training=None, mask=None):
        learns = training and self.trainable
        no_gradient = not learns and tf.config.get_visible_devices("GPU")
        if no_gradient or not self._can_be_fused(inputs, mask):
            return super().call(inputs, training=training, mask=mask)
        normalise = partial(
            tf.compat.v1.nn.fused_batch_norm, inputs, self.gamma, self.beta, epsilon=self.epsilon
        )
        mean, variance = self.moving_mean, self.moving_variance
        if not learns:
            return normalise(mean, variance, is_training=False)[0]
        # The operation's variance has n − 1 in its denominator, Keras's has n. Where n = 1, it is
        # zero for Keras, and on a GPU the operation says NaN.
        count = tf.cast(tf.size(inputs) / inputs.shape[-1], inputs.dtype)
        shrink = tf.maximum(count - 1, 1) / count
        outputs, new_mean, new_variance = normalise(
            mean, variance / shrink, exponential_avg_factor=1 - self.momentum
        )
        mean.assign(new_mean)
        variance.assign(tf.where(count > 1, new_variance * shrink, variance * self.momentum))
        return outputs

    def _can_be_fused(self, inputs, mask):
        images = len(inputs.shape) == 4 and self.axis in (3, -1) and inputs.dtype == tf.float32
        usual = self.center and self.scale and mask is None
        return images and usual and not (self.synchronized or getattr(self, "renorm", False))
