"""InfoNCE: two descriptions of a row should be more alike than descriptions of two rows."""

import torch
from torch.nn import functional


def info_nce(a, b, temperature):
    """Return the symmetric InfoNCE loss of two batches whose rows belong together by position.

    Each row of `a` has to find its partner among all rows of `b`, and each row of `b` its partner
    among those of `a`: the cross-entropy of the right position, with cosine similarities divided
    by the temperature as the scores, averaged over both directions.

    Parameters
    ----------
    a, b : Tensor of shape (n_rows, n_features)
        Two descriptions of the same rows, of any length.
    temperature : float
        What cosine similarities are divided by: the smaller, the more the most similar wrong
        partners count.

    Returns
    -------
    loss : Tensor of shape ()
        0 at best; log(n_rows) where all rows are described alike.
    """
    # `normalize` divides by at least 1e-12, so that a row of zeros has a gradient, too.
    similarity = functional.normalize(a, dim=1) @ functional.normalize(b, dim=1).T / temperature
    partners = torch.arange(len(a), device=a.device)
    forward = functional.cross_entropy(similarity, partners)
    backward = functional.cross_entropy(similarity.T, partners)
    return (forward + backward) / 2
