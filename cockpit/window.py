"""Opening a window, or saying in one line why there is none."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pygame

# Images go straight to the screen: OpenGL's libraries crash beside TensorFlow's.
os.environ.setdefault("SDL_FRAMEBUFFER_ACCELERATION", "0")


class Window:
    """A window that can be resized; what is drawn on its canvas is scaled to it.

    Attributes:
        canvas: To draw on.
    """

    def __init__(self, size: tuple[int, int], title: str, instead: str) -> None:
        """Open it.

        Args:
            size: Of the canvas, width and height, pixels.
            title: Of the window.
            instead: What to do where there is no screen.

        Raises:
            ValueError: If there is no screen.
        """
        try:
            if sys.platform == "linux" and not os.environ.get("WAYLAND_DISPLAY"):
                if not os.environ.get("DISPLAY"):
                    raise pygame.error("no display is set")
                os.environ.setdefault("SDL_VIDEODRIVER", "x11")  # nothing else is worth a try
            pygame.display.init()
            if pygame.display.get_driver() in ("dummy", "offscreen"):
                raise pygame.error("no window can be seen")
            desktop = pygame.display.get_desktop_sizes()[0]
            shrink = min(1.0, 0.9 * desktop[0] / size[0], 0.9 * desktop[1] / size[1])
            self._window = pygame.display.set_mode(
                (round(shrink * size[0]), round(shrink * size[1])), pygame.RESIZABLE
            )
        except pygame.error as e:
            raise ValueError(f"there is no screen ({e}): {instead}") from None
        pygame.display.set_caption(title)
        self.canvas = pygame.Surface(size)

    def flip(self) -> None:
        """Show what was drawn."""
        window = self._window
        if window.get_size() == self.canvas.get_size():
            window.blit(self.canvas, (0, 0))
        else:
            place = self.canvas.get_rect().fit(window.get_rect())
            window.fill((0, 0, 0))
            window.blit(pygame.transform.smoothscale(self.canvas, place.size), place)
        pygame.display.flip()


@contextmanager
def virtual_display(size: tuple[int, int]) -> Iterator[str]:
    """A screen that nobody sees, for as long as the context lasts; gives its name, like `:1`.

    Raises:
        ValueError: If there is no program that makes one.
    """
    from pyvirtualdisplay.abstractdisplay import XStartError
    from pyvirtualdisplay.display import Display

    try:
        display = Display(backend="xvfb", size=size, extra_args=["-noreset"])  # many may look in
        display.start()
    except (FileNotFoundError, XStartError):
        raise ValueError("--virtual-display needs the program Xvfb (package xvfb)") from None
    try:
        yield display.new_display_var
    finally:
        pygame.display.quit()  # before its screen goes away
        display.stop()
