"""Makes orient/, filters.json and the BMP files in cases/ that Pillow reads but does not write, with Pillow (Debian 12's python3-pil, version 9.4):

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


def bitmap(name, w, h, bits, pixels, compression=0, palette=b"", masks=b"", header=40, topdown=False):
    """A BMP file in cases/, and what Pillow reads from it."""
    if header == 12:
        info = struct.pack("<IHHHH", 12, w, h, 1, bits)
    else:
        height = 2**32 - h if topdown else h
        info = struct.pack("<IIIHHIIIIII", header, w, height, 1, bits, compression, len(pixels), 2835, 2835, len(palette) // 4, 0)
    info = (info + masks).ljust(header, b"\0") if header > 40 else info + masks
    offset = 14 + len(info) + len(palette)
    data = b"BM" + struct.pack("<IHHI", offset + len(pixels), 0, 0, offset) + info + palette + pixels
    file = here / "cases" / name
    file.write_bytes(data)
    Image.open(file).convert("RGB").save(f"{file}.ref.png", optimize=True)


def bitmaps():
    w, h = 9, 5
    palette = bytes(v for i in range(16) for v in (i * 16, 255 - i * 9, i * i % 256, 0))
    indices = bytes((x * x + 3 * y) % 16 for y in range(h) for x in range(w))
    packed = lambda row: bytes((a << 4) | b for a, b in zip(row[::2], row[1::2] + b"\0"))
    rows = [indices[y * w : y * w + w] for y in range(h)]
    rle8 = b"".join(bytes([3, r[0], 2, r[3]]) + b"\0\4" + r[5:9] + b"\0\0" for r in rows) + b"\0\1"
    bitmap("bmp_rle8.bmp", w, h, 8, rle8, 1, palette)
    odd = b"".join(b"\0\3" + r[:3] + b"\0" + bytes([9, r[4]]) + b"\0\0" for r in rows) + b"\0\1"
    bitmap("bmp_rle8_odd.bmp", w, h, 8, odd, 1, palette)
    rle4 = b"".join(bytes([5, r[0] << 4 | r[1]]) + b"\0\4" + packed(r[5:9]) + b"\0\0" for r in rows) + b"\0\1"
    bitmap("bmp_rle4.bmp", w, h, 4, rle4, 2, palette)
    value = lambda bits: b"".join(
        b"".join((((x * 7919 + y * 104729) * 2654435761 >> 7) % 2**bits).to_bytes(bits // 8, "little") for x in range(w)).ljust((w * bits + 31) // 32 * 4, b"\0")
        for y in range(h)
    )
    words = lambda *v: struct.pack(f"<{len(v)}I", *v)
    bitmap("bmp_16.bmp", w, h, 16, value(16))
    bitmap("bmp_565.bmp", w, h, 16, value(16), 3, masks=words(0xF800, 0x7E0, 0x1F))
    bitmap("bmp_555_top_down.bmp", w, h, 16, value(16), 3, masks=words(0x7C00, 0x3E0, 0x1F), topdown=True)
    bitmap("bmp_32_fields.bmp", w, h, 32, value(32), 3, masks=words(0xFF000000, 0xFF0000, 0xFF00))
    bitmap("bmp_32_v4.bmp", w, h, 32, value(32), 3, masks=words(0xFF, 0xFF00, 0xFF0000, 0xFF000000), header=108)
    bitmap("bmp_24_v5.bmp", w, h, 24, value(24), header=124)
    bitmap("bmp_os2_24.bmp", w, h, 24, value(24), header=12)
    os2 = b"".join(palette[i : i + 3] for i in range(0, 64, 4))
    bitmap("bmp_os2_4.bmp", w, h, 4, b"".join(packed(r).ljust(8, b"\0") for r in rows), palette=os2, header=12)


orientations()
filters()
bitmaps()
