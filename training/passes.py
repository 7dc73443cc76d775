"""One pass that a loss is computed on: a step of an iterative network, or all stages of another."""

from __future__ import annotations

from torch import Tensor, nn

from deblur_demo.models.contract import Estimate, Restorer
from deblur_demo.runtime.tiling import reflection
from training.losses.objective import Predictions


class Pass(nn.Module):
    """A network as the loop calls it; a module, because processes exchange gradients around one.

    Args:
        network: to train.
        deep: whether the images predicted on the way are wanted besides the result.
    """

    def __init__(self, network: Restorer, deep: bool):
        super().__init__()
        self.network, self.deep = network, deep

    def forward(
        self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]
    ) -> tuple[Predictions, tuple[Tensor, ...]]:
        """Crops of any size, mirrored to what the network takes and cut back afterwards.

        Args:
            window: (B, N, 3, H, W).
            previous: estimate of the iteration before, (B, 3, H, W).
            state: recurrent features of the iteration before.

        Returns:
            Predictions, the result last, and the next iteration's features.
        """
        height, width = window.shape[-2:]
        window, previous = self._padded(window), self._padded(previous)
        predictions, state = self._predict(window, previous, state)
        return [(image[..., : height // scale, : width // scale], scale) for image, scale in predictions], state

    def _predict(
        self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]
    ) -> tuple[Predictions, tuple[Tensor, ...]]:
        network, iterative = self.network, self.network.traits.iterative
        if self.deep and iterative and hasattr(network, "predictions_of_step"):
            return network.predictions_of_step(window, previous, state)
        if self.deep and not iterative and hasattr(network, "predictions"):
            return network.predictions(window), ()
        estimate, images = Estimate(previous, state), []
        for _ in range(1 if iterative else network.traits.steps):
            estimate = network(window, estimate.image, estimate.state)
            images.append((estimate.image, 1))
        return images if self.deep else images[-1:], estimate.state

    def _padded(self, frames: Tensor) -> Tensor:  # (..., H, W) -> (..., H', W')
        for axis in (-2, -1):
            side = frames.shape[axis]
            wanted = self.network.traits.padded(side)
            if wanted > side:
                frames = frames.index_select(axis, reflection(side, wanted).to(frames.device))
        return frames
