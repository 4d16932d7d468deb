"""Batch normalisation as one operation of TensorFlow's.

Keras builds it from a dozen operations, each of which reads and writes the whole tensor: about a
third of an update of the course's networks.

References
    Ioffe, Szegedy 2015: Batch Normalization, ICML (arXiv:1502.03167), Algorithms 1 and 2.
"""

import keras
import tensorflow as tf
from keras import layers


@keras.saving.register_keras_serializable(package="resnet_lesson")
class FusedBatchNorm(layers.BatchNormalization):
    """Keras's batch normalisation, computed by one operation where that is possible.

    Arguments, weights and results are those of ``keras.layers.BatchNormalization``. On images,
    float32 (batch, height, width, channels), the operation computes; for anything else Keras does.
    """

    def call(self, inputs, training=None, mask=None):
        images = len(inputs.shape) == 4 and self.axis in (3, -1) and inputs.dtype == tf.float32
        usual = self.center and self.scale and mask is None
        usual = usual and not (self.synchronized or getattr(self, "renorm", False))
        if not (images and usual):
            return super().call(inputs, training=training, mask=mask)
        weights = self.gamma, self.beta
        if not (training and self.trainable):
            averages = self.moving_mean, self.moving_variance
            return tf.compat.v1.nn.fused_batch_norm(
                inputs, *weights, *averages, epsilon=self.epsilon, is_training=False
            )[0]
        # The operation's variance has n − 1 in its denominator, Keras's has n.
        count = tf.cast(tf.size(inputs) / inputs.shape[-1], inputs.dtype)
        shrink = (count - 1) / count
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs,
            *weights,
            self.moving_mean,
            self.moving_variance / shrink,
            epsilon=self.epsilon,
            exponential_avg_factor=1 - self.momentum,
        )
        self.moving_mean.assign(mean)
        self.moving_variance.assign(variance * shrink)
        return outputs
