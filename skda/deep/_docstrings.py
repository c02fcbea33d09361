"""One place for the parameters that all deep estimators share: names, defaults and docstrings.

Each class writes its own parameters in its ``__init__`` and passes the others on. Here they are
joined into one signature and one docstring, which is what scikit-learn, ``help`` and completion
look at.
"""

import inspect

PREFIXES = ("module__", "optimizer__", "criterion__", "callbacks__", "compile__")
WHOLE = ("criterion", "compile")

PARAMETERS = """
lr : float, default=1e-3
    Learning rate.
max_epochs : int, default=50
    Passes through the longer domain.
batch_size : int, default=128
    Rows of a step: half of them source rows, half target rows. The shorter domain is shuffled
    anew and cycled.
optimizer : type, default=torch.optim.Adam
    Optimizer class of torch. Its arguments are set as ``optimizer__weight_decay=...``.
early_stopping : {None, "source", "target"}, default=None
    Criterion on held-out rows after which training stops and the best epoch is restored.
    "source": the supervised loss on source rows. "target" (classifiers): confident and diverse
    predictions on target rows, that is the mean entropy of the predictions minus the entropy
    of the mean prediction. It needs no label.
validation_fraction : float, default=0.1
    Share of the rows of each domain that early stopping holds out.
patience : int, default=10
    Epochs without improvement before training stops early.
callbacks : list of skorch callbacks, default=None
    Learning-rate schedules, checkpoints, progress bars, gradient clipping… as in skorch. An
    argument of a named one is set as ``callbacks__name__argument=...``.
device : str or torch.device, default=None
    Where to train and predict. None takes the device of :func:`skda.config_context`, else that
    of `X` if it is a torch tensor, else the CPU.
warm_start : bool, default=False
    Whether ``fit`` goes on from the weights of the last fit.
random_state : int, RandomState instance or None, default=None
    Draws initial weights, batches, dropout and held-out rows. With an int, a fit on the CPU is
    reproducible bit for bit. The global state of torch is left alone.
verbose : int, default=0
    1 prints a line per epoch, as skorch does.
**net_params : dict
    ``module__hidden=(64,)``, ``module__dropout=0.5`` and any other argument of `module`;
    ``optimizer__...``; ``callbacks__...``; ``criterion`` (a loss class) and ``criterion__...``;
    ``compile`` and ``compile__...``. They are parameters like all others for ``get_params``,
    ``set_params``, ``clone`` and grid searches.
"""

MODULE = """
module : torch.nn.Module class or instance, default=None
    Network whose forward returns ``(logits, features)`` for a batch of rows. A class is built
    for the data: it gets ``n_features`` and ``n_outputs`` where its constructor takes them, and
    whatever is set as ``module__...``. An instance is copied. None is
    :class:`~skda.deep.MLP`: two hidden layers sized from the data.
"""

ALIGNMENT = """
alignment_weight : float, default={weight}
    Weight of the alignment loss. 0 is the source-only network; raising it makes the features of
    both domains more alike, at the price of the fit to the source.
alignment_schedule : {{"constant", "sigmoid"}} or callable, default="{schedule}"
    Factor of the weight in the course of the training. "sigmoid" grows from 0 to 1 as
    2/(1 + exp(-10 p)) - 1, where p is the progress from 0 to 1; a callable gets p.
"""

KERNELS = """
n_kernels : int, default=5
    Number of Gaussian kernels that are averaged; their γ are powers of two around `gamma`.
gamma : float or "median", default="median"
    γ of the middle kernel exp(-γ ‖f - f'‖²). "median" takes 1/(2 median²) of the distances
    between the rows of each batch, and so follows the features while they are learnt.
estimate : {"unbiased", "biased", "linear"}, default="unbiased"
    Estimate of MMD². "linear" compares each row with one other only: cheaper for large batches,
    noisier.
"""

ADVERSARY = """
discriminator_hidden : int or tuple of int, default=64
    Widths of the hidden layers of the adversary.
"""

BSP = """
bsp_weight : float, default=0.0
    Weight of the batch spectral penalty [2]_, which shrinks the largest singular value of the
    features of each half so that the adversary cannot win by one direction; 1e-4 is the paper's.
"""

CRITIC = """
critic_hidden : int or tuple of int, default=64
    Widths of the hidden layers of the critic.
n_critic : int, default=5
    Steps of the critic before each step of the network.
critic_lr : float, default=1e-3
    Learning rate of the critic.
penalty : float, default=10.0
    Weight of the penalty that keeps the slope of the critic near one.
"""

ADAPTATION = """
adaptation_epochs : int, default={epochs}
    Epochs of the second stage; 0 leaves the source network as it is.
adaptation_lr : float, default={lr}
    Learning rate of the second stage.
"""

SOURCE_MODEL = """
source_model : fitted deep estimator or FrozenEstimator, default=None
    Network to start from; it is copied. Then rows of the target alone will do, and ``max_epochs``
    and the network's own parameters are not looked at. Inside tools that clone, pass
    ``FrozenEstimator(model)``. None trains one on the source rows first.
"""

TUNING = """
freeze : int, str or list of str, default=None
    Layers that the second stage leaves as they are: their number counted from the input, all but
    so many if negative, or beginnings of their names (``"extractor"``).
unfreeze_every : int, default=None
    Thaw the deepest frozen layer each time so many epochs have passed.
lr_decay : float, default=1.0
    Factor of the learning rate from each layer to the one below it; below 1, layers near the
    input move less.
l2_sp : float, default=0.0
    Weight of half the squared distance from the source weights; raising it keeps the network
    nearer to the source.
"""

STAGED = """
target_module_ : torch.nn.Module
    The adapted network, which maps target rows; source rows are mapped by ``net_.module_``.
adapted_net_ : skorch.NeuralNet
    The net of the second stage, with its history.
"""

ATTRIBUTES = """
net_ : skorch.NeuralNet
    The trained net: ``net_.module_``, ``net_.optimizer_``, ``net_.callbacks_``.
history_ : skorch.history.History
    One entry per epoch: ``history_[:, "train_loss"]``, ``"source_loss"``,
    ``"alignment_loss"``, ``"valid_loss"``, ``"dur"``.
n_iter_ : int
    Number of epochs trained.
n_features_in_ : int
    Number of features of `X`.
feature_names_in_ : ndarray of shape (n_features_in_,)
    Names of the features, if `X` has string names.
source_domains_, target_domains_ : list of int
    Ids of the domains seen in ``fit``.
"""

CLASSES = """
classes_ : ndarray of shape (n_classes,)
    Classes of the source, in their own type.
"""


def _indent(text):
    return "\n".join(f"    {line}" if line else line for line in text.strip().split("\n"))


def join_signature(cls, parent):
    """Give ``cls.__init__`` its own parameters followed by those that it passes on."""
    own = inspect.signature(cls.__init__).parameters
    passed = inspect.signature(parent.__init__).parameters
    joined = {name: p for name, p in own.items() if p.kind is not p.VAR_KEYWORD}
    joined |= {name: p for name, p in passed.items() if name not in joined}
    joined = sorted(joined.values(), key=lambda p: p.kind)  # stable: only moves **net_params last
    cls.__init__.__signature__ = inspect.Signature(joined)


def join_doc(cls):
    """Fill the marks ``|module|``, ``|alignment|``, ``|training|`` and ``|fitted|``."""
    if not cls.__doc__:
        return
    defaults = inspect.signature(cls.__init__).parameters
    fill = {
        "|module|": MODULE,
        "|training|": PARAMETERS,
        "|fitted|": ATTRIBUTES,
        "|kernels|": KERNELS,
        "|adversary|": ADVERSARY,
        "|bsp|": BSP,
        "|critic|": CRITIC,
        "|source_model|": SOURCE_MODEL,
        "|staged|": STAGED,
        "|tuning|": TUNING,
    }
    if hasattr(cls, "predict_proba"):
        fill["|fitted|"] = CLASSES.strip() + "\n" + ATTRIBUTES.strip()
    if "alignment_weight" in defaults:
        fill["|alignment|"] = ALIGNMENT.format(
            weight=defaults["alignment_weight"].default,
            schedule=defaults["alignment_schedule"].default,
        )
    if "adaptation_epochs" in defaults:
        fill["|adaptation|"] = ADAPTATION.format(
            epochs=defaults["adaptation_epochs"].default, lr=defaults["adaptation_lr"].default
        )
    for mark, text in fill.items():
        cls.__doc__ = cls.__doc__.replace(f"    {mark}", _indent(text))
