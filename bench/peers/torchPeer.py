"""The step in PyTorch: eager or torch.compile, attention written out or by scaled_dot_product_attention (slower on a CPU
at these sizes), the fused optimiser.
usage: torchPeer.py FOLDER eager|compile plain|sdpa [cuda]"""
import sys

import torch
import torch.nn.functional as F

from peer import Job, say, serve

job, mode, kind = Job(sys.argv[1]), sys.argv[2], sys.argv[3]
device = sys.argv[4] if len(sys.argv) > 4 else 'cpu'
if device == 'cuda' and not torch.cuda.is_available():
    say(skipped='PyTorch finds no CUDA device')
    sys.exit()
torch.set_num_threads(job.threads)
P = {name: torch.nn.Parameter(torch.from_numpy(value).to(device)) for name, value in job.weights.items()}
T = {name: torch.from_numpy(value).to(device) for name, value in {**job.batch, **job.tables}.items()}
eps = job.model['eps']


def linear(x, name):
    return F.linear(x, P[f'{name}.weight'], P[f'{name}.bias'])


def norm(x, name):
    return F.layer_norm(x, x.shape[-1:], P[f'{name}.weight'], P[f'{name}.bias'], eps)


def block(x, name, heads):
    rows, tokens, width = x.shape
    q, k, v = linear(norm(x, f'{name}.layernorm_before'), f'{name}.attention.attention.qkv').view(rows, tokens, 3, heads, -1).permute(2, 0, 3, 1, 4)
    if kind == 'sdpa':
        y = F.scaled_dot_product_attention(q, k, v)
    else:
        y = torch.softmax(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5, -1) @ v
    x = x + linear(y.transpose(1, 2).reshape(rows, tokens, width), f'{name}.attention.output.dense')
    hidden = F.gelu(linear(norm(x, f'{name}.layernorm_after'), f'{name}.intermediate.dense'))
    return x + linear(hidden, f'{name}.output.dense')


def blocks_loss():
    x = T['x']
    for i in range(job.model['depth']):
        x = block(x, f'block.{i}', job.model['heads'])
    return F.mse_loss(x, T['target'])


if job.model['kind'] == 'masked':
    visible = T['visible'].long()
    restore = torch.from_numpy(job.restore_ids()).long().to(device)
    hidden = T['mask'].flatten(1).float()
    positions = T['vit.embeddings.position_embeddings']


def masked_loss():
    tokens = T['tokens']
    rows, length, pixels = tokens.shape
    x = linear(torch.gather(tokens, 1, visible[:, :, None].expand(-1, -1, pixels)), 'vit.embeddings.patch_embeddings.projection')
    x = x + positions[0, 1:][visible]
    first = P['vit.embeddings.cls_token'] + positions[:, :1]
    x = torch.cat([first.expand(rows, -1, -1), x], 1)
    for i in range(job.model['depth']):
        x = block(x, f'vit.encoder.layer.{i}', job.model['heads'])
    y = linear(norm(x, 'vit.layernorm'), 'decoder.decoder_embed')
    z = torch.cat([y[:, 1:], P['decoder.mask_token'].expand(rows, length - visible.shape[1], -1)], 1)
    z = torch.gather(z, 1, restore[:, :, None].expand(-1, -1, z.shape[-1]))
    z = torch.cat([y[:, :1], z], 1) + T['decoder.decoder_pos_embed']
    for i in range(job.model['decoder']['depth']):
        z = block(z, f'decoder.decoder_layers.{i}', job.model['decoder']['heads'])
    prediction = linear(norm(z, 'decoder.decoder_norm')[:, 1:], 'decoder.decoder_pred')
    return (((prediction - tokens) ** 2).mean(-1) * hidden).sum() / hidden.sum()


loss_of = masked_loss if job.model['kind'] == 'masked' else blocks_loss
if mode == 'compile':
    loss_of = torch.compile(loss_of)
adam = job.adam
groups = [
    {'params': [P[name] for name in P if name in job.decays], 'weight_decay': adam['weightDecay']},
    {'params': [P[name] for name in P if name not in job.decays], 'weight_decay': 0.0},
]
optimizer = torch.optim.AdamW(
    [group for group in groups if group['params']], adam['learningRate'], (adam['beta1'], adam['beta2']), adam['eps'], fused=True
)


def step():
    optimizer.zero_grad(set_to_none=True)
    loss = loss_of()
    loss.backward()
    if job.clip is not None:
        torch.nn.utils.clip_grad_norm_(P.values(), job.clip)
    optimizer.step()
    return loss.item()


serve(job, f'{torch.__version__}, {torch.cuda.get_device_name()}' if device == 'cuda' else torch.__version__, step)
