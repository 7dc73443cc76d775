"""What a run lowers: the recipe's weighted sum of loss terms over everything that a network predicts."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from training.losses.adversarial import PatchDiscriminator, discriminator_loss, generator_loss
from training.losses.perceptual import Perceptual
from training.losses.terms import weighted
from training.losses.weights import Loss
from training.machine import Machine

Predictions = list[tuple[Tensor, int]]  # images (B, 3, H / s, W / s) with their scale s, the result last


class Objective:
    """Loss of predictions, with the networks that some terms need.

    Attributes:
        adversary: the discriminator and its optimiser, None without ``gan``.
    """

    def __init__(self, weights: Loss, machine: Machine, clip: float):
        """Set up the terms.

        Args:
            weights: the recipe's ``[loss]``.
            machine: where to compute.
            clip: largest norm of the discriminator's gradient.

        Raises:
            SettingError, CheckpointError: see ``Perceptual``.
        """
        self.weights, self._machine = weights, machine
        self._perceptual = None
        if weights.perceptual:
            self._perceptual = Perceptual(weights.vgg16, weights.vgg16_layer).to(machine.device)
        self.adversary = Adversary(weights, machine, clip) if weights.gan else None

    def loss(self, predictions: Predictions, goal: Tensor) -> Tensor:
        """Sum over the predictions, each compared with the goal at its scale.

        Args:
            predictions: see ``Predictions``; crops beyond those of the goal are ignored.
            goal: (B', 3, H, W), B' <= B.

        Returns:
            A scalar; perceptual and adversarial terms look at the last prediction only.
        """
        total = goal.new_zeros(())
        for image, scale in predictions:
            total = total + weighted(self.weights, image[: len(goal)], shrunk(goal, scale))
        result = predictions[-1][0][: len(goal)]
        if self._perceptual is not None:
            with self._machine.autocast():
                total = total + self.weights.perceptual * self._perceptual(result, goal)
        if self.adversary is not None:
            total = total + self.weights.gan * self.adversary.judge(result, goal)
        return total


class Adversary:
    """The discriminator in training: it judges for the loss, and learns after every judgement."""

    def __init__(self, weights: Loss, machine: Machine, clip: float):
        self.kind, self.machine, self.clip = weights.gan_kind, machine, clip
        self.discriminator = PatchDiscriminator().to(machine.device)
        self.optimiser = torch.optim.Adam(
            self.discriminator.parameters(), lr=weights.gan_rate, betas=(0.5, 0.999), fused=machine.fused
        )
        self._shared = machine.shared(self.discriminator)

    def judge(self, restored: Tensor, sharp: Tensor) -> Tensor:
        """How far the discriminator is from taking restored images, (B, 3, H, W), for sharp ones."""
        self.discriminator.requires_grad_(False)  # what is lowered here is the restoring network's loss
        with self.machine.autocast():
            fake, real = self.discriminator(restored), self.discriminator(sharp)
        self.discriminator.requires_grad_(True)
        return generator_loss(self.kind, real.float(), fake.float())

    def learn(self, pairs: list[tuple[Tensor, Tensor]]) -> None:
        """Update the discriminator on the restored and sharp images of one iteration's pieces."""
        total = pairs[0][0].new_zeros(())
        for index, (restored, sharp) in enumerate(pairs):
            with self.machine.piece(self._shared, last=index == len(pairs) - 1):
                with self.machine.autocast():
                    # In one pass, because processes exchange gradients once for each pass.
                    fake, real = self._shared(torch.cat((restored.detach(), sharp))).float().chunk(2)
                loss = discriminator_loss(self.kind, real, fake) / len(pairs)
                self.machine.backward(loss)
            total = total + loss.detach()
        self.machine.step(self.optimiser, self.clip, self.machine.mean(total))

    def state_dict(self) -> dict:
        return {"discriminator": self.discriminator.state_dict(), "optimiser": self.optimiser.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimiser.load_state_dict(state["optimiser"])


def shrunk(image: Tensor, scale: int) -> Tensor:
    """An image at one of a network's scales, by means of squares: (B, 3, H, W) -> (B, 3, H / s, W / s)."""
    return image if scale == 1 else F.avg_pool2d(image, scale)
