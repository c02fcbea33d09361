"""Sharpness-aware steps on the source risk: gradients at the worst weights nearby (Foret 2021)."""

from functools import partial

import torch
from torch.func import functional_call

_LEAST_NORM = 1e-12  # a gradient of zero has no direction


def add_smoothed_gradient(net, supervised, batch, radius):
    """Add to the gradients of a net's module those of the supervised loss at the worst point near.

    That point lies in the direction of the gradient, at this distance. The module itself, its
    running statistics included, is left as it is, since the alignment's gradient is taken there.

    Parameters
    ----------
    net : PairedNet
        Gradients of its module are added to.
    supervised : tensor
        The loss of the batch, with its graph, which is kept.
    batch : Batch
        The source rows of the step.
    radius : float
        Distance from the weights.
    """
    named = {name: p for name, p in net.module_.named_parameters() if p.requires_grad}
    slopes = torch.autograd.grad(
        supervised, list(named.values()), retain_graph=True, materialize_grads=True
    )
    norm = torch.stack([slope.square().sum() for slope in slopes]).sum().sqrt()
    # Not read back from the device, whether it is zero.
    factor = radius / norm.clamp_min(_LEAST_NORM)
    moved = {
        name: (p + factor * slope).detach().requires_grad_()
        for (name, p), slope in zip(named.items(), slopes, strict=True)
    }
    # Copies, so that a point that is left again does not show in the running statistics.
    tensors = moved | {name: b.clone() for name, b in net.module_.named_buffers()}
    logits, _ = net.module_outputs(batch, module=partial(functional_call, net.module_, tensors))
    loss = net.supervised_loss(logits, batch.y, batch.weights)
    gradients = torch.autograd.grad(loss, list(moved.values()), materialize_grads=True)
    for p, gradient in zip(named.values(), gradients, strict=True):
        p.grad = gradient if p.grad is None else p.grad + gradient
