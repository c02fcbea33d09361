"""What all displays share: they keep the axes that they have drawn in."""

from ._plot_axes import axes_of


class BaseDisplay:
    """A picture whose numbers were computed before; a subclass writes ``plot``."""

    def _begin(self, ax, n, **options):
        """Return the axes to draw n panels in, and keep them."""
        self.axes_ = axes_of(ax, type(self).__name__, n, **options)
        self.ax_ = self.axes_[0]
        self.figure_ = self.ax_.figure
        return self.axes_
