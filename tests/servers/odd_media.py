"""Media and documents in many formats, and in many dresses of letters: none of it may pass as text."""

from __future__ import annotations

import base64
import binascii
import gzip
import random
import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_DICE = random.Random(26)
SIZE = 12_000
NOISE = _DICE.randbytes(SIZE)
HTML = (
    b"<!doctype html><title>Loaf</title>" + b"<p>Fold the dough every thirty minutes and let it rest.</p>\n"
)

MAGIC: dict[str, bytes] = {
    "jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01", "jpeg exif": b"\xff\xd8\xff\xe1\x20\x00Exif\x00\x00II*\x00",
    "png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "gif87": b"GIF87a\x40\x01\xf0\x00", "gif89": b"GIF89a\x40\x01\xf0\x00\xf7\x00",
    "webp": b"RIFF\x24\x30\x00\x00WEBPVP8L", "avif": b"\x00\x00\x00\x20ftypavif", "heic": b"\x00\x00\x00\x18ftypheic",
    "jxl": b"\xff\x0a\xfa\x1f", "jp2": b"\x00\x00\x00\x0cjP  \r\n\x87\n", "bmp": b"BM\x36\x10\x0e\x00\x00\x00\x00\x00\x36\x00",
    "tiff le": b"II*\x00\x08\x00\x00\x00", "tiff be": b"MM\x00*\x00\x00\x00\x08", "ico": b"\x00\x00\x01\x00\x01\x00\x10\x10",
    "psd": b"8BPS\x00\x01\x00\x00", "dds": b"DDS \x7c\x00\x00\x00", "exr": b"v/1\x01\x02\x00\x00\x00", "hdr": b"#?RADIANCE\n\n-Y 9 +X 9\n",
    "pcx": b"\x0a\x05\x01\x08\x00\x00", "dicom": b"\x00" * 128 + b"DICM\x02\x00", "ktx": b"\xabKTX 11\xbb\r\n\x1a\n",
    "ppm binary": b"P6\n640 480\n255\n", "pgm binary": b"P5\n640 480\n255\n", "pbm binary": b"P4\n640 480\n",
    "mp4": b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00", "mov": b"\x00\x00\x00\x14ftypqt  ", "3gp": b"\x00\x00\x00\x14ftyp3gp4",
    "webm": b"\x1aE\xdf\xa3\x01\x00\x00\x00", "avi": b"RIFF\x10\x00\x10\x00AVI LIST", "mpeg ps": b"\x00\x00\x01\xba\x44\x00\x04",
    "h264": b"\x00\x00\x00\x01\x67\x42\x00\x1e", "flv": b"FLV\x01\x05\x00\x00\x00\x09", "wmv": b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
    "rm": b".RMF\x00\x00\x00\x12", "swf": b"CWS\x0a\x10\x20\x30\x00", "mp3 id3": b"ID3\x04\x00\x00\x00\x00\x0f\x76",
    "mp3 bare": b"\xff\xfb\x90\x64\x00", "aac": b"\xff\xf1\x50\x80\x02\x1f\xfc", "ac3": b"\x0b\x77\x12\x34", "amr": b"#!AMR\n\x3c",
    "ogg": b"OggS\x00\x02\x00\x00", "flac": b"fLaC\x00\x00\x00\x22", "wav": b"RIFF\x24\x10\x08\x00WAVEfmt \x10\x00",
    "midi": b"MThd\x00\x00\x00\x06\x00\x01", "aiff": b"FORM\x00\x01\x00\x00AIFF", "ape": b"MAC \x96\x0f\x00\x00",
    "tracker": b"Extended Module: loaf\x1a", "zip": b"PK\x03\x04\x14\x00\x00\x00\x08\x00", "7z": b"7z\xbc\xaf\x27\x1c\x00\x04",
    "rar": b"Rar!\x1a\x07\x01\x00", "gz": b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "bz2": b"BZh91AY&SY", "xz": b"\xfd7zXZ\x00",
    "zst": b"\x28\xb5\x2f\xfd", "lz4": b"\x04\x22\x4d\x18", "cab": b"MSCF\x00\x00\x00\x00", "woff": b"wOFF\x00\x01\x00\x00",
    "woff2": b"wOF2\x00\x01\x00\x00", "ttf": b"\x00\x01\x00\x00\x00\x0c", "elf": b"\x7fELF\x02\x01\x01\x00", "exe": b"MZ\x90\x00\x03\x00",
    "macho": b"\xcf\xfa\xed\xfe\x07\x00", "class": b"\xca\xfe\xba\xbe\x00\x00\x00\x34", "wasm": b"\x00asm\x01\x00\x00\x00",
    "pyc": b"\xa7\x0d\x0d\x0a\x00\x00", "sqlite": b"SQLite format 3\x00", "pcap": b"\xd4\xc3\xb2\xa1\x02\x00", "ole": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "djvu": b"AT&TFORM\x00\x00\x10\x00DJVM", "iso": b"\x00" * 600 + b"CD001",
}  # fmt: skip


def magic_bodies() -> Iterator[tuple[str, bytes]]:
    """Give each format as its first bytes and then noise, long and short."""
    for name, magic in MAGIC.items():
        yield name, magic + NOISE
        yield f"{name}, short", magic + NOISE[:90]


def plain_bodies() -> Iterator[tuple[str, bytes]]:
    """Give raw media without any signature."""
    quiet = bytes(128 + _DICE.randint(-3, 3) for _ in range(SIZE))
    yield "noise", NOISE
    yield "sound of 8 bits", quiet
    yield "sound of 16 bits", b"".join(struct.pack("<h", _DICE.randint(-900, 900)) for _ in range(SIZE // 2))
    yield "floats", b"".join(struct.pack("<f", _DICE.random()) for _ in range(SIZE // 4))
    yield "zeros", b"\x00" * SIZE
    yield "ones", b"\xff" * SIZE
    yield "grey", b"\x80" * SIZE
    yield "transport stream", b"".join(b"\x47\x40\x11\x10" + _DICE.randbytes(184) for _ in range(60))
    yield "yuv", bytes(_DICE.randint(16, 235) for _ in range(SIZE))
    yield "deflated", zlib.compress(HTML * 300 + NOISE)
    yield "gzip in gzip", gzip.compress(gzip.compress(NOISE))
    yield "gif of one point", base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
    yield (
        "bmp of one colour",
        b"BM"
        + struct.pack("<IHHIIiiHHIIiiII", 30_054, 0, 0, 54, 40, 100, 100, 1, 24, 0, 30_000, 0, 0, 0, 0)
        + b"ABC" * 10_000,
    )
    yield (
        "wav of silence",
        b"RIFF" + struct.pack("<I", 36 + SIZE) + b"WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00" + b"\x80" * SIZE,
    )


def letters() -> Iterator[tuple[str, bytes]]:
    """Give a picture written down in letters, in every way that is usual."""
    picture = MAGIC["jpeg"] + NOISE
    once = base64.b64encode(picture)
    lines = base64.encodebytes(picture)
    yield "base64 in one line", once
    yield "base64 in lines", lines
    yield "base64 for addresses", base64.urlsafe_b64encode(picture)
    yield "base64 in a page", HTML + b"<pre>" + lines + b"</pre>"
    yield "base64 in paragraphs", b"".join(b"<p>" + line + b"</p>" for line in lines.splitlines())
    yield "base64 with breaks", once.replace(b"A", b"A<br>")
    yield "base32", base64.b32encode(picture)
    yield "hexadecimal", binascii.hexlify(picture)
    yield "hexadecimal in pairs", binascii.hexlify(picture, " ")
    yield (
        "hexadecimal dump",
        b"".join(
            b"%08x: %s  ................\n" % (at, binascii.hexlify(picture[at : at + 16], " ", 2))
            for at in range(0, len(picture), 16)
        ),
    )
    yield (
        "bytes of a program",
        b"unsigned char loaf[] = {" + b", ".join(b"0x%02x" % byte for byte in picture) + b"};",
    )
    yield "list of numbers", b"[" + b",".join(b"%d" % byte for byte in picture) + b"]"
    yield "escapes", b"".join(b"\\x%02x" % byte for byte in picture)
    yield "percent signs", b"".join(b"%%%02X" % byte for byte in picture)
    yield "quoted printable", binascii.b2a_qp(picture)
    yield (
        "uuencode",
        b"begin 644 loaf\n"
        + b"".join(binascii.b2a_uu(picture[at : at + 45]) for at in range(0, len(picture), 45))
        + b"`\nend\n",
    )
    yield "ascii85", base64.a85encode(picture, adobe=True, wrapcol=76)
    yield "base85", base64.b85encode(picture)
    yield "yenc", b"=ybegin line=128 size=9 name=loaf\r\n" + bytes((byte + 42) % 256 for byte in picture)
    yield (
        "mail with a picture",
        (
            b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/jpeg\n"
            b"Content-Transfer-Encoding: base64\n\n" + lines + b"--b--\n"
        ),
    )
    yield "data address", b"data:image/jpeg;base64," + once
    yield "picture of letters P3", b"P3\n60 60\n255\n" + b" ".join(b"%d" % byte for byte in picture[:10_800])
    yield (
        "picture of letters P2",
        b"P2\n100 100\n255\n" + b"\n".join(b"%d" % byte for byte in picture[:10_000]),
    )
    yield (
        "picture of letters P1",
        b"P1\n100 100\n" + b"".join(b"%d" % (byte & 1) for byte in picture[:10_000]),
    )
    yield (
        "xpm",
        b'/* XPM */\nstatic char *loaf[] = {\n"64 64 2 1",\n'
        + b"\n".join(
            b'"' + bytes(65 + (byte & 15) for byte in picture[at : at + 64]) + b'",'
            for at in range(0, 4096, 64)
        ),
    )
    yield (
        "xbm",
        b"#define loaf_width 64\n#define loaf_height 64\nstatic char loaf_bits[] = {"
        + b",".join(b"0x%02x" % byte for byte in picture)
        + b"};",
    )
    yield "postscript", b"%!PS-Adobe-3.0 EPSF-3.0\n/picstr 3 string def\n" + binascii.hexlify(picture)
    yield "rtf with a picture", b"{\\rtf1\\ansi{\\pict\\jpegblip " + binascii.hexlify(picture) + b"}}"
    yield (
        "pdf of letters",
        b"%PDF-1.4\n1 0 obj<</Filter/ASCIIHexDecode>>stream\n" + binascii.hexlify(picture) + b">\nendstream",
    )
    path = b'<path d="M 0 0 L 9 9"/>\n' * 400
    yield "svg", b'<svg xmlns="http://www.w3.org/2000/svg">' + path
    yield "svg with mark", b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- loaf -->\n<!DOCTYPE svg>\n<svg>' + path
    yield "svg with prefix", b'<?xml version="1.0"?><s:svg xmlns:s="http://www.w3.org/2000/svg">' + path
    yield "svg around a picture", b'<svg><image href="data:image/png;base64,' + once + b'"/></svg>'


def polyglots() -> Iterator[tuple[str, bytes]]:
    """Give files that are a page at first sight and something else behind."""
    picture = MAGIC["jpeg"] + NOISE
    for size in (0, 1, 20, 150):
        yield f"a page of {size} lines, then noise", HTML * size + picture
        yield f"a page of {size} lines, then a zip", HTML * size + b"PK\x03\x04" + NOISE
    yield "a picture, then a page", picture + HTML * 20
    yield "gif with a page as comment", b"GIF89a\x01\x00\x01\x00\x00\x00\x00!\xfe\x40" + HTML * 20
    yield "pdf and page", HTML + b"%PDF-1.4\n" + NOISE
    yield "a picture in a comment", HTML + b"<!--" + picture + b"-->" + HTML
    yield "a picture in a script", HTML + b"<script>" + picture + b"</script>" + HTML
    yield "a picture in an attribute", HTML + b'<p title="' + picture + b'">'


def odd_media() -> list[tuple[str, bytes]]:
    """Give every body with its name."""
    return [*magic_bodies(), *plain_bodies(), *letters(), *polyglots()]
