"""The step in JAX: loss, gradient and AdamW under one jit, with the state given away (donated).
usage: jaxPeer.py FOLDER"""
import sys

from peer import Job, limit_processors, serve

job = Job(sys.argv[1])
limit_processors(job.threads)

import jax
import jax.numpy as jnp

# Weights as [inputs, outputs], the layout of Flax.
weights = {name: jnp.asarray(value.T if value.ndim == 2 else value) for name, value in job.weights.items()}
T = {name: jnp.asarray(value) for name, value in {**job.batch, **job.tables}.items()}
eps = job.model['eps']


def linear(P, x, name):
    return x @ P[f'{name}.weight'] + P[f'{name}.bias']


def norm(P, x, name):
    centred = x - x.mean(-1, keepdims=True)
    variance = (centred**2).mean(-1, keepdims=True)
    return centred * jax.lax.rsqrt(variance + eps) * P[f'{name}.weight'] + P[f'{name}.bias']


def block(P, x, name, heads):
    rows, tokens, width = x.shape
    qkv = linear(P, norm(P, x, f'{name}.layernorm_before'), f'{name}.attention.attention.qkv')
    q, k, v = qkv.reshape(rows, tokens, 3, heads, -1).transpose(2, 0, 3, 1, 4)
    y = jax.nn.softmax(q @ k.swapaxes(-1, -2) * (width // heads) ** -0.5, -1) @ v
    x = x + linear(P, y.transpose(0, 2, 1, 3).reshape(rows, tokens, width), f'{name}.attention.output.dense')
    hidden = jax.nn.gelu(linear(P, norm(P, x, f'{name}.layernorm_after'), f'{name}.intermediate.dense'), approximate=False)
    return x + linear(P, hidden, f'{name}.output.dense')


def blocks_loss(P, T):
    x = T['x']
    for i in range(job.model['depth']):
        x = block(P, x, f'block.{i}', job.model['heads'])
    return ((x - T['target']) ** 2).mean()


if job.model['kind'] == 'masked':
    T['restore'] = jnp.asarray(job.restore_ids())
    T['mask'] = T['mask'].reshape(T['mask'].shape[0], -1).astype(jnp.float32)


def masked_loss(P, T):
    tokens, visible, hidden = T['tokens'], T['visible'], T['mask']
    positions = T['vit.embeddings.position_embeddings']
    rows, length, _ = tokens.shape
    x = linear(P, jnp.take_along_axis(tokens, visible[:, :, None], 1), 'vit.embeddings.patch_embeddings.projection')
    x = x + positions[0, 1:][visible]
    first = P['vit.embeddings.cls_token'] + positions[:, :1]
    x = jnp.concatenate([jnp.broadcast_to(first, (rows, 1, x.shape[-1])), x], 1)
    for i in range(job.model['depth']):
        x = block(P, x, f'vit.encoder.layer.{i}', job.model['heads'])
    y = linear(P, norm(P, x, 'vit.layernorm'), 'decoder.decoder_embed')
    z = jnp.concatenate([y[:, 1:], jnp.broadcast_to(P['decoder.mask_token'], (rows, length - visible.shape[1], y.shape[-1]))], 1)
    z = jnp.concatenate([y[:, :1], jnp.take_along_axis(z, T['restore'][:, :, None], 1)], 1) + T['decoder.decoder_pos_embed']
    for i in range(job.model['decoder']['depth']):
        z = block(P, z, f'decoder.decoder_layers.{i}', job.model['decoder']['heads'])
    prediction = linear(P, norm(P, z, 'decoder.decoder_norm')[:, 1:], 'decoder.decoder_pred')
    return (((prediction - tokens) ** 2).mean(-1) * hidden).sum() / hidden.sum()


loss_of = masked_loss if job.model['kind'] == 'masked' else blocks_loss
adam = job.adam
rate, beta1, beta2, decay = adam['learningRate'], adam['beta1'], adam['beta2'], adam['weightDecay']


def update(P, M, V, T, corrected_rate, corrected_eps):
    loss, G = jax.value_and_grad(loss_of)(P, T)
    if job.clip is not None:
        length = jnp.sqrt(sum((gradient**2).sum() for gradient in G.values()))
        factor = job.clip / jnp.maximum(length, job.clip)
        G = {name: gradient * factor for name, gradient in G.items()}
    M = {name: beta1 * M[name] + (1 - beta1) * G[name] for name in P}
    V = {name: beta2 * V[name] + (1 - beta2) * G[name] ** 2 for name in P}
    P = {name: P[name] * (1 - rate * decay) if name in job.decays else P[name] for name in P}
    P = {name: P[name] - corrected_rate * M[name] / (jnp.sqrt(V[name]) + corrected_eps) for name in P}
    return P, M, V, loss


compiled = jax.jit(update, donate_argnums=(0, 1, 2))
state = [weights, *({name: jnp.zeros_like(value) for name, value in weights.items()} for _ in range(2))]
steps = 0


def step():
    global steps, state
    steps += 1
    root = (1 - beta2**steps) ** 0.5
    *state, loss = compiled(*state, T, jnp.float32(rate * root / (1 - beta1**steps)), jnp.float32(adam['eps'] * root))
    return float(loss)


serve(job, jax.__version__, step)
