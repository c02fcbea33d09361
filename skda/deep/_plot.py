"""A plot of what a training recorded."""


def plot_losses(history, ax=None):
    """Draw the losses of each epoch, and the accuracies on a second axis; return both axes."""
    if ax is None:
        try:
            from matplotlib import pyplot
        except ImportError as error:
            raise ImportError("plot_history needs matplotlib: pip install 'skda[plot]'") from error
        ax = pyplot.subplots()[1]
    epochs = history[:, "epoch"]
    names = [name for name in history[0] if name.endswith(("_loss", "_accuracy"))]
    losses = [name for name in names if name.endswith("_loss")]
    for name in losses:
        ax.plot(epochs, history[:, name], label=name)
    ax.set_xlabel("epoch")
    ax.set_ylabel("loss")
    right = None
    accuracies = [name for name in names if name not in losses]
    if accuracies:
        right = ax.twinx()
        for name in accuracies:
            right.plot(epochs, history[:, name], linestyle=":", label=name)
        right.set_ylabel("accuracy")
        right.set_ylim(0.0, 1.05)
    drawn = [*ax.lines, *(right.lines if right else ())]
    ax.legend(drawn, [line.get_label() for line in drawn])
    return ax, right
