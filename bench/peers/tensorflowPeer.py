"""The step in TensorFlow: one tf.function, without or with XLA, and the runtime's own Adam operation.
usage: tensorflowPeer.py FOLDER graph|xla"""
import os
import sys

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
os.environ.setdefault('CUDA_VISIBLE_DEVICES', '')
import tensorflow as tf

from peer import Job, serve

job, mode = Job(sys.argv[1]), sys.argv[2]
tf.config.threading.set_intra_op_parallelism_threads(job.threads)
tf.config.threading.set_inter_op_parallelism_threads(job.threads)
# Weights as [inputs, outputs], the layout of Keras.
P = {name: tf.Variable(value.T if value.ndim == 2 else value) for name, value in job.weights.items()}
T = {name: tf.constant(value) for name, value in {**job.batch, **job.tables}.items()}
M = {name: tf.Variable(tf.zeros_like(value)) for name, value in P.items()}
V = {name: tf.Variable(tf.zeros_like(value)) for name, value in P.items()}
eps = job.model['eps']


def linear(x, name):
    weight = P[f'{name}.weight']
    flat = tf.nn.bias_add(tf.matmul(tf.reshape(x, [-1, x.shape[-1]]), weight), P[f'{name}.bias'])
    return tf.reshape(flat, [*x.shape[:-1], weight.shape[1]])


def norm(x, name):
    mean, variance = tf.nn.moments(x, -1, keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + eps) * P[f'{name}.weight'] + P[f'{name}.bias']


def block(x, name, heads):
    rows, tokens, width = x.shape
    qkv = linear(norm(x, f'{name}.layernorm_before'), f'{name}.attention.attention.qkv')
    q, k, v = tf.unstack(tf.transpose(tf.reshape(qkv, [rows, tokens, 3, heads, width // heads]), [2, 0, 3, 1, 4]))
    y = tf.nn.softmax(tf.matmul(q, k, transpose_b=True) * (width // heads) ** -0.5) @ v
    x = x + linear(tf.reshape(tf.transpose(y, [0, 2, 1, 3]), [rows, tokens, width]), f'{name}.attention.output.dense')
    hidden = tf.nn.gelu(linear(norm(x, f'{name}.layernorm_after'), f'{name}.intermediate.dense'))
    return x + linear(hidden, f'{name}.output.dense')


def blocks_loss():
    x = T['x']
    for i in range(job.model['depth']):
        x = block(x, f'block.{i}', job.model['heads'])
    return tf.reduce_mean((x - T['target']) ** 2)


if job.model['kind'] == 'masked':
    restore = tf.constant(job.restore_ids())
    hidden = tf.cast(tf.reshape(T['mask'], [T['mask'].shape[0], -1]), tf.float32)
    positions = T['vit.embeddings.position_embeddings']


def masked_loss():
    tokens, visible = T['tokens'], T['visible']
    rows, length, _ = tokens.shape
    x = linear(tf.gather(tokens, visible, batch_dims=1), 'vit.embeddings.patch_embeddings.projection')
    x = x + tf.gather(positions[0, 1:], visible)
    first = P['vit.embeddings.cls_token'] + positions[:, :1]
    x = tf.concat([tf.broadcast_to(first, [rows, 1, x.shape[-1]]), x], 1)
    for i in range(job.model['depth']):
        x = block(x, f'vit.encoder.layer.{i}', job.model['heads'])
    y = linear(norm(x, 'vit.layernorm'), 'decoder.decoder_embed')
    z = tf.concat([y[:, 1:], tf.broadcast_to(P['decoder.mask_token'], [rows, length - visible.shape[1], y.shape[-1]])], 1)
    z = tf.concat([y[:, :1], tf.gather(z, restore, batch_dims=1)], 1) + T['decoder.decoder_pos_embed']
    for i in range(job.model['decoder']['depth']):
        z = block(z, f'decoder.decoder_layers.{i}', job.model['decoder']['heads'])
    prediction = linear(norm(z, 'decoder.decoder_norm')[:, 1:], 'decoder.decoder_pred')
    return tf.reduce_sum(tf.reduce_mean((prediction - tokens) ** 2, -1) * hidden) / tf.reduce_sum(hidden)


loss_of = masked_loss if job.model['kind'] == 'masked' else blocks_loss
adam = job.adam
rate, beta1, beta2, decay = adam['learningRate'], adam['beta1'], adam['beta2'], adam['weightDecay']
names = list(P)


@tf.function(jit_compile=mode == 'xla')
def update(corrected_rate, corrected_eps):
    with tf.GradientTape() as tape:
        loss = loss_of()
    gradients = tape.gradient(loss, [P[name] for name in names])
    if job.clip is not None:
        gradients, _ = tf.clip_by_global_norm(gradients, job.clip)
    for name, gradient in zip(names, gradients):
        if decay and name in job.decays:
            P[name].assign(P[name] * (1 - rate * decay))
        # Both corrections of the moments are in the rate and eps that are given: the operation's own are switched off.
        tf.raw_ops.ResourceApplyAdam(
            var=P[name].handle, m=M[name].handle, v=V[name].handle, beta1_power=0.0, beta2_power=0.0,
            lr=corrected_rate, beta1=beta1, beta2=beta2, epsilon=corrected_eps, grad=gradient,
        )  # fmt: skip
    return loss


steps = 0


def step():
    global steps
    steps += 1
    root = (1 - beta2**steps) ** 0.5
    return float(update(tf.constant(rate * root / (1 - beta1**steps)), tf.constant(adam['eps'] * root)))


serve(job, tf.__version__, step)
