"""Honest texts that look odd to a machine: each must come through, and come through as it was written."""

from __future__ import annotations

import base64
import hashlib
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROSE = "Fold the dough every thirty minutes, then let it rest in a cool place until the morning comes. "
SAMPLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "Russian": ("Замесите тесто вечером и оставьте его в тёплом месте до утра. Хлеб пекут в горячей печи около часа. ", ("windows-1251", "koi8-r", "cp866", "iso-8859-5", "mac-cyrillic")),
    "Ukrainian": ("Замісіть тісто ввечері й залиште його в теплому місці до ранку. Хліб печуть у гарячій печі. ", ("koi8-u", "windows-1251")),
    "Japanese": ("夜に生地をこねて、朝まで暖かい場所に置いておきます。パンは熱いオーブンで焼きます。", ("shift_jis", "euc-jp", "iso-2022-jp")),
    "Chinese": ("晚上揉面，放在温暖的地方直到早上。面包在热烤箱里烤一个小时左右。", ("gb2312", "gbk", "gb18030")),
    "Taiwanese": ("晚上揉麵，放在溫暖的地方直到早上。麵包在熱烤箱裡烤一個小時左右。", ("big5",)),
    "Korean": ("저녁에 반죽을 치대고 아침까지 따뜻한 곳에 둡니다. 빵은 뜨거운 오븐에서 굽습니다. ", ("euc-kr", "cp949")),
    "Thai": ("นวดแป้งในตอนเย็นแล้วทิ้งไว้ในที่อุ่นจนถึงเช้า อบขนมปังในเตาอบร้อนประมาณหนึ่งชั่วโมง ", ("cp874", "tis-620")),
    "Arabic": ("اعجن العجين في المساء واتركه في مكان دافئ حتى الصباح. يخبز الخبز في فرن ساخن. ", ("windows-1256", "iso-8859-6")),
    "Hebrew": ("לושו את הבצק בערב והשאירו אותו במקום חם עד הבוקר. אופים את הלחם בתנור חם. ", ("windows-1255", "iso-8859-8")),
    "Greek": ("Ζυμώστε το βράδυ και αφήστε τη ζύμη σε ζεστό μέρος μέχρι το πρωί. ", ("windows-1253", "iso-8859-7")),
    "Turkish": ("Hamuru akşam yoğurun ve sabaha kadar ılık bir yerde bırakın. Ekmek sıcak fırında pişer. ", ("windows-1254", "iso-8859-9")),
    "Polish": ("Wieczorem zagnieć ciasto i zostaw je w ciepłym miejscu aż do rana. Chleb piecze się godzinę. ", ("windows-1250", "iso-8859-2")),
    "German": ("Am Abend den Teig kneten und bis zum Morgen an einem warmen Ort ruhen lassen. Süßes Brötchen für Größere. ", ("windows-1252", "iso-8859-1", "iso-8859-15")),
    "Latvian": ("Vakarā samīciet mīklu un atstājiet to siltā vietā līdz rītam. Maizi cep karstā krāsnī. ", ("windows-1257", "iso-8859-13")),
    "Vietnamese": ("Nhào bột vào buổi tối và để ở nơi ấm áp cho đến sáng. Bánh mì được nướng trong lò nóng. ", ()),
}  # fmt: skip
UNICODE = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-32")
LABELS = {"cp874": "windows-874", "utf-16-le": "utf-16le", "utf-16-be": "utf-16be", "utf-8-sig": "utf-8", "cp866": "ibm866", "cp949": "ks_c_5601-1987",
          "mac-cyrillic": "x-mac-cyrillic"}  # fmt: skip
_DICE = random.Random(7)


def languages() -> Iterator[tuple[str, bytes, str, str]]:
    """Give name, body, declared label and text for each language in each of its charsets, short and long."""
    for language, (sample, charsets) in SAMPLES.items():
        for charset in (*charsets, *UNICODE):
            for times in (1, 40):
                for dress in ("{}", "<!doctype html><title>x</title><p>{}</p>"):
                    text = dress.format(sample * times)
                    yield f"{language} in {charset}", text.encode(charset), LABELS.get(charset, charset), text


def beginnings() -> Iterator[tuple[str, str]]:
    """Give texts that begin as media does."""
    for start in ("BM is short for bread maker. ", "ID3 of the series on loaves. ", "RIFF means a phrase played again. ", "GIF89a is a name. ",
                  "MThd stands at the start of a song file. ", "PK wrote this. ", "MZ was his name. ", "II* is a rating. ", "P3 is the third post. ",
                  "P6 640 words on rye. ", "%PDF is how such files begin. ", "%PDF-1.4 is the first line of such a file. ", "%!PS is another. ",
                  "Rar! said the lion of the bakery. ", "OggS and Flac met. ", "fLaC or not. ", "FLV 1 was the oven. ", "8BPS is a number. ",
                  "wOFF with their crusts. ", "SIMPLE = T as they say. ", "ftyp is a word. ", "JFIF. ", "Exif is what cameras write. ",
                  "{\\rtf is how rich text begins. ", "#!/bin/sh\necho bread\n", "#! a word on crust. ", "OTTO baked. ", "CWS of the oven. ",
                  "FORM follows dough. ", "DICM. ", "AT&T FORM. ", "BZh is a baker. ", "begin with the flour. ", "begin 3 loaves today. ",
                  "/* a note on bread */ ", "#define LOAF 1\n", "data: is a word too. ", "<?xml version='1.0'?><html><body><p>"):  # fmt: skip
        yield f"begins {start[:10]!r}", start + PROSE * 3


def shapes() -> Iterator[tuple[str, str]]:
    """Give honest texts whose characters are not those of prose."""
    key = base64.encodebytes(_DICE.randbytes(2000)).decode()
    digests = "\n".join(f"{hashlib.sha256(bytes([n])).hexdigest()}  loaf-{n}.txt" for n in range(200))
    yield (
        "a PGP block after a text",
        PROSE * 5 + "\n-----BEGIN PGP PUBLIC KEY BLOCK-----\n" + key + "-----END PGP PUBLIC KEY BLOCK-----\n",
    )
    yield "a certificate", "-----BEGIN CERTIFICATE-----\n" + key + "-----END CERTIFICATE-----\n"
    yield "a list of digests", digests
    yield (
        "a table of numbers",
        "\n".join(";".join(str(_DICE.randint(0, 999)) for _ in range(20)) for _ in range(300)),
    )
    yield (
        "a log",
        "\n".join(
            f"2026-05-01T12:{n % 60:02}:00Z oven INFO temperature={n} door=closed id={n:08x}"
            for n in range(400)
        ),
    )
    yield "a sequence", "".join(_DICE.choice("ACGT") for _ in range(60)) + "\n" + PROSE * 4
    yield "morse", ".-. -.-- . / -... .-. . .- -.. / " * 60
    yield (
        "a picture of signs",
        "\n".join("".join(_DICE.choice(" .:-=+*#") for _ in range(60)) for _ in range(40)),
    )
    yield (
        "a program",
        "def knead(dough):\n    for turn in range(30):\n        dough = fold(dough, turn)\n    return dough\n\n"
        * 60,
    )
    yield (
        "a squeezed program",
        "function knead(d){for(var t=0;t<30;t++){d=fold(d,t);if(d.wet>9){d.flour+=3}}return d};" * 80,
    )
    yield (
        "inline JSON",
        "<!doctype html><p>" + PROSE + "<script>var x=" + '{"a":[1,2,3],"b":"loaf"},' * 400 + "</script>",
    )
    yield (
        "a state field",
        '<form><input type=hidden name=__VIEWSTATE value="'
        + base64.b64encode(_DICE.randbytes(15000)).decode()
        + '"></form>'
        + f"<p>{PROSE * 4}",
    )
    yield (
        "an inline icon",
        f'<p>{PROSE * 3}<img src="data:image/gif;base64,'
        + base64.b64encode(_DICE.randbytes(3000)).decode()
        + '"><p>after it',
    )
    yield "a drawn icon", "<!doctype html><body><svg viewBox='0 0 9 9'><path d='M0 0'/></svg><p>" + PROSE * 3
    yield (
        "long addresses",
        "\n".join(
            f"http://bread.example/threads/How-To-Bake-Bread-In-2026-{n}/page-{n}?sort=NewestFirst&id=A{n}b"
            for n in range(150)
        ),
    )
    yield (
        "magnet links",
        "\n".join(
            f"magnet:?xt=urn:btih:{hashlib.sha1(bytes([n])).hexdigest()}&dn=loaf+{n} the {n}th song of the oven"
            for n in range(90)
        ),
    )
    yield (
        "onion names",
        "\n".join(
            "".join(_DICE.choice("abcdefghijklmnopqrstuvwxyz234567") for _ in range(56))
            + ".onion the bakery of the hills"
            for _ in range(60)
        ),
    )
    yield "emoji", "Bread 🍞 and butter 🧈 for 👩‍🍳 and 👨‍👩‍👧‍👦. " * 40
    yield (
        "marks",
        "B\u0301r\u0308e\u0323a\u0302d\u0303 \u200dand\u200c b\u00adutter\u200f \u202eright\u202c. " * 40,
    )
    yield "mathematics", "𝐁𝐫𝐞𝐚𝐝 ∑ ∀x∈ℝ: x²≥0 ⇒ √x, ½ + ¼ ≠ ¾. " * 40
    yield "form feeds and escapes", "Page one\f\x1b[1mbread\x1b[0m page two\f" * 20
    yield (
        "private icons",
        "<p>\ue001 Bread \uf0e7 and a lot of text around the two icons that stand here. " + PROSE * 3,
    )
    yield "tabs", "rye\toat\tspelt\n" * 200
    yield "one letter", "a"
    yield "two words", "rye bread"
    yield "a number", "42"
    yield "nothing", ""
    yield "spaces", " \n\t" * 50
    yield "one long word", "a" * 3000
    yield "one endless line", PROSE * 500
    yield "quotes", "> > > fold the dough\n" * 100
    yield "equals signs", "=" * 60 + "\n" + PROSE * 3 + "\n" + "=" * 60
    yield (
        "passwords",
        "\n".join(
            "".join(_DICE.choice("abcXYZ0189!#") for _ in range(12)) + "  for oven " + str(n)
            for n in range(60)
        ),
    )


def odd_texts() -> list[tuple[str, bytes, str | None, str]]:
    """Give name, body, declared label and the text that must come out."""
    found: list[tuple[str, bytes, str | None, str]] = list(languages())
    for name, text in (*beginnings(), *shapes()):
        found.append((name, text.encode(), "utf-8", text))
        found.append((f"{name}, undeclared", text.encode(), None, text))
    return found
