"""Makes orient/ and filters.json with Pillow (Debian 12's python3-pil, version 9.4):

    /usr/bin/python3 make.py
"""

import hashlib
import io
import json
import pathlib
import struct

from PIL import Image, ImageOps

here = pathlib.Path(__file__).parent


def digest(picture):
    return {"size": list(picture.size), "sha256": hashlib.sha256(picture.tobytes()).hexdigest()}


def exif(orientation, order="<", kind="H"):
    """An EXIF block of two fields: Make, and Orientation of a type."""
    magic = b"II*\0" if order == "<" else b"MM\0*"
    number = {"B": 1, "H": 3, "L": 4}[kind]
    value = struct.pack(order + kind, orientation).ljust(4, b"\0")
    entries = struct.pack(order + "HHI4s", 0x10F, 2, 4, b"abc\0") + struct.pack(order + "HHI", 0x112, number, 1) + value
    return b"Exif\0\0" + magic + struct.pack(order + "IH", 8, 2) + entries + b"\0\0\0\0"


def orientations():
    folder = here / "orient"
    folder.mkdir(exist_ok=True)
    picture = Image.open(here / "src/tiny.png").convert("RGB").crop((0, 0, 11, 6))
    files = []

    def save(name, form, block, **options):
        file = folder / name
        picture.save(file, form, exif=block, **options)
        upright = ImageOps.exif_transpose(Image.open(file)).convert("RGB")
        files.append({"file": name, **digest(upright)})

    for value in range(1, 9):
        order = "<>"[value % 2]
        save(f"{value}.jpg", "JPEG", exif(value, order), quality=90)
        save(f"{value}.png", "PNG", exif(value, order))
        save(f"{value}.webp", "WEBP", exif(value, order), lossless=True)
    save("0.jpg", "JPEG", exif(0))
    save("9.png", "PNG", exif(9))
    save("byte.jpg", "JPEG", exif(6, ">", "B"))
    save("long.jpg", "JPEG", exif(8, "<", "L"))
    save("lossy.webp", "WEBP", exif(6))
    save("animated.webp", "WEBP", exif(3), save_all=True, append_images=[picture.rotate(180)], lossless=True)
    save("cut.jpg", "JPEG", exif(6)[:-10])
    save("none.jpg", "JPEG", b"")
    # A TIFF file is turned as it is opened; exif_transpose of Pillow 9.4 would turn it once more, which later ones do not.
    for value in (1, 6):
        name = f"{value}.tif"
        picture.save(folder / name, "TIFF", compression="tiff_lzw", tiffinfo={274: value})
        files.append({"file": name, **digest(Image.open(folder / name).convert("RGB"))})
    (folder / "manifest.json").write_text(json.dumps(files, indent=0) + "\n")


def resized(picture, size, crop_pct, resample):
    """torchvision's Resize and CenterCrop."""
    short = int(size / crop_pct)
    w, h = picture.size
    new = (short, int(short * h / w)) if w <= h else (int(short * w / h), short)
    if new != picture.size:
        picture = picture.resize(new, resample)
    left, top = round((new[0] - size) / 2), round((new[1] - size) / 2)
    return picture.crop((left, top, left + size, top + size))


def filters():
    out = []
    for name in ("bilinear", "bicubic", "lanczos", "box", "hamming", "nearest"):
        for file in ("landscape.png", "portrait.png", "tiny.png", "wide.png", "big.png", "odd_420.jpg"):
            for size, crop_pct in ((224, 0.875), (97, 1.0), (33, 0.9)):
                picture = Image.open(here / "src" / file).convert("RGB")
                crop = resized(picture, size, crop_pct, getattr(Image.Resampling, name.upper()))
                out.append({"filter": name, "file": file, "crop": size, "crop_pct": crop_pct, **digest(crop)})
    (here / "filters.json").write_text("[\n" + ",\n".join(map(json.dumps, out)) + "\n]\n")


orientations()
filters()
