"""Images that masks are drawn on."""

import numpy as np
from PIL import Image

from semtok.report import overlay

ORIENTATION, TURNED = 0x0112, 6  # of EXIF: a quarter turn, which viewers undo


def test_an_image_is_drawn_as_stored_however_a_viewer_would_turn_it(tmp_path):
    pixels = np.zeros((24, 48, 3), np.uint8)
    pixels[:, 24:, 0] = 255  # red on the right
    exif = Image.Exif()
    exif[ORIENTATION] = TURNED
    Image.fromarray(pixels).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    read = overlay.read(tmp_path / "turned.jpg", side=48)
    assert read.shape == (24, 48, 3)
    assert (read[:, 30:, 0] > 200).all() and (read[:, :20] < 50).all()
