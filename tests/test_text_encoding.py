"""Text of unknown encoding: UTF-8 proves itself, the rest is guessed from all the text there is. All texts are made up."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import text_encoding
from core.text_encoding import NAMES, decided, decode, guess, guesses, is_undecided, readable, undecided

SONGS = [  # encoding, and the text tags of one file
    ("cp1251", "Зелёный Фонарь", "Дождь над городом", "Утренний свет"),
    ("cp1251", "Ночной Трамвай", "Последняя остановка", "Рельсы"),
    ("cp1251", "Piter Wave", "Белые ночи", "Live 2009"),
    ("cp1251", "DJ Снег", "Танцы (Remix)", "Club Hits 2008"),
    ("cp1251", "МАША И БРАТ", "ОСЕНЬ", "2004"),
    ("cp1251", "Гроза", "Ой", "Мир"),
    ("cp1251", "Червен Мак", "Моята песен", "Тиха нощ"),
    ("koi8-r", "Старый Причал", "Море и чайки", "Берег"),
    ("cp866", "Тихий Двор", "Окна во двор", "Лето"),
    ("cp932", "青い電車", "雨の日の歌", "夏の終わり"),
    ("cp932", "ソラノネコ", "ひかりのなかへ", "あさひ"),
    ("cp932", "The Tokyo Lamps", "夜の街", "Lanterns"),
    ("cp932", "カゼノオト", "サクラサク", "ハルカゼ"),
    ("euc_jis_2004", "月の港", "星空のうた", "夜明け"),
    ("gb18030", "红色风筝", "雨中的城市", "夏天的歌"),
    ("gb18030", "林小雨", "回家", "Home"),
    ("gb18030", "黑鸟乐队", "流浪", "路上"),
    ("big5hkscs", "藍色月亮", "雨夜的歌", "台北夜晚"),
    ("cp949", "푸른 기차", "비 오는 날", "여름밤"),
    ("cp949", "김하늘", "별", "밤"),
    ("cp1252", "Chloé Dérive", "Été à Brest", "Où vont les rêves"),
    ("cp1252", "Motörkopf", "Über den Dächern", "Größe"),
    ("cp1252", "Håkan Sjö", "Vår på ön", "Åska"),
    ("cp1252", "Niño Viento", "Mañana será otro año", "Corazón"),
    ("cp1252", "João Maré", "Canção da manhã", "São três irmãos"),
    ("cp1252", "The Tall Ships", "Café", "Best of"),
    ("cp1252", "Rock’n Bone", "Don’t Stop", "“Live”"),
    ("cp1252", "Sigur Þór", "Ágætis nótt", "Ísland"),
    ("cp1250", "Zażółć Gęśla", "Jesień nad Wisłą", "Światło"),
    ("cp1250", "Žlutý Kůň", "Příliš tichá noc", "Děšť"),
    ("cp1250", "Őszi Eső", "Szeretném hogy légy", "Tűz és víz"),
    ("cp1253", "Γαλάζιο Φως", "Το τραγούδι της βροχής", "Νύχτα"),
    ("cp1254", "Işık Gölgesi", "Gecenin şarkısı", "Yağmur"),
    ("cp1255", "אור כחול", "שיר של גשם", "לילה"),
    ("cp1256", "ضوء القمر", "أغنية المطر", "ليل"),
    ("cp1257", "Žalias Vėjas", "Naktis prie jūros", "Šviesa"),
    ("cp874", "แสงจันทร์", "เพลงฝน", "คืน"),
]


@pytest.mark.parametrize(("encoding", "artist", "title", "album"), SONGS, ids=lambda value: str(value))
def test_the_tags_of_one_file_are_enough(encoding: str, artist: str, title: str, album: str) -> None:
    texts = [text.encode(encoding) for text in (title, artist, album)]
    assert [text.decode(guess(texts)) for text in texts] == [title, artist, album]


def test_a_folder_settles_what_a_word_does_not() -> None:
    files = [["Снег".encode("cp1251")], ["Зимний вечер".encode("cp1251"), "Вера Лесная".encode("cp1251")]]
    assert guesses(files) == ["cp1251", "cp1251"]


def test_a_file_that_the_folder_s_encoding_does_not_suit_keeps_its_own() -> None:
    russian = ["Последняя остановка".encode("cp1251"), "Ночной Трамвай".encode("cp1251")]
    assert guesses([russian, ["Motörkopf".encode("cp1252"), "Für dich".encode("cp1252")], russian]) == [
        "cp1251",
        "cp1252",
        "cp1251",
    ]
    assert guesses([]) == []


@pytest.mark.parametrize("length", [29, 30])
def test_text_that_a_tag_cuts_in_the_middle_of_a_letter_is_read_to_there(length: int) -> None:
    title = "夏の終わりに君と見た海の色を忘れない".encode("cp932")[:length]
    assert title.decode(guess([title]), errors="replace").startswith("夏の終わりに君と見た海の色")


def test_what_declares_itself_is_not_guessed() -> None:
    for data, text in [
        ("Кино – Кукушка".encode(), "Кино – Кукушка"),
        ("\ufeffKöln".encode(), "Köln"),
        ("夜".encode("utf-16"), "夜"),
        (b"plain", "plain"),
        (b"", ""),
        ("Ещё один день".encode()[:-1], "Ещё один ден\ufffd"),  # cut off: still UTF-8
    ]:
        assert decode(data) == (text, "")
    assert decode("Дождь над городом\nУтро".encode("cp1251")) == ("Дождь над городом\nУтро", "cp1251")
    assert decode(b"\0\0\0")[0] is None


@given(st.binary(max_size=60))
def test_any_bytes_can_be_passed_on_undecided_and_decoded(data: bytes) -> None:
    text = undecided(data)
    assert text_encoding.bytes_of(text) == data
    assert json.loads(json.dumps(text)) == text
    if is_undecided(text):
        assert guess([data]) in NAMES
    assert not is_undecided(readable(text))
    decided(text, "cp1251").encode()
    decode(data)


@given(st.text())
def test_text_is_left_as_it_is(text: str) -> None:
    if not any("\ud800" <= ch <= "\udfff" for ch in text):
        assert undecided(text.encode()) == text == decided(text, "cp1251") == readable(text)


def test_much_text_is_guessed_from_its_beginning() -> None:
    assert guess(["Дождь над городом\n".encode("cp1251") * 500_000]) == "cp1251"
