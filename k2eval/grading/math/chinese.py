"""Bring an answer that is written in Chinese into LaTeX: punctuation, units, lists and the words of a few answers.

What is not understood stays, so that an answer with Chinese words that could change its value is never accepted.
"""

from __future__ import annotations

import re

_HAN = "\u4e00-\u9fff"
_IS_CHINESE = re.compile(rf"[{_HAN}。、，：；（）∶]")
_TRADITIONAL = str.maketrans(
    "無個種為選實數萬億圓條隻張幾點時間長積體類會雙對邊組頁頭顆塊",
    "无个种为选实数万亿元条只张几点时间长积体类会双对边组页头颗块",
)
_PUNCTUATION = str.maketrans("。、，：；（）［］＝－＋％∶．！", ".,,:;()[]=-+%:.!")
_WRAPPED = re.compile(
    # Matches "\text{厘米}" and "\mathrm{共}"; not "\text{cm}".
    rf"\\(?:text|math|mbox|hbox)[a-z]{{0,6}}\s*\{{([^{{}}]*[{_HAN}][^{{}}]*)\}}"
)
_LEAD = re.compile(
    # Matches "答案是", "所以答案为：", "共有", "面积为" in front of a value; not "不是", "约为", "不等于" or "第3大的数是".
    rf"^\s*(?:(?:因此|所以|故|综上|即|于是|则|共有|一共有|总共有|共|一共|总共|点|有)[,:\s]*|(?![{_HAN}]*(?:不|非|约|大|小|超|至|倍|余|第|除|少|多))"
    rf"[{_HAN}]{{1,12}}(?:是|为|等于|有|共)\s*:?\s*|(?:最终|正确)?(?:答案|结果)\s*[:=]\s*)+(?=\S)"
)
_WORDS = {
    r"\emptyset": r"(?:此|该|本|原)?(?:方程组?|不等式组?)?(?:无|没有|不存在)(?:实数|整数|正整数|有理数|实)?(?:解|根)?|空集|不存在",
    r"\infty": r"\+?(?:正)?无穷(?:大)?",
    r"-\infty": r"-?负无穷(?:大)?",
    r"\mathbb{R}": r"(?:全体|所有|任意|一切)实数|实数集",
    r"\mathbb{Z}": r"(?:全体|所有|任意)整数|整数集",
    r"\text{yes}": r"是的?|正确|对",
    r"\text{no}": r"不是|否|错误?",
}
_WHOLE = [(re.compile(rf"\s*(?:{words})\s*\.?\s*"), meaning) for meaning, words in _WORDS.items()]
_JOINED = re.compile(
    # Matches "或" and "和" between two values; not "和为".
    rf"(?<=\S)\s*(或者?|和|与|及|以及|且)\s*(?=[^\s{_HAN}])"
)
_LENGTHS = {
    "千米": "km",
    "公里": "km",
    "分米": "dm",
    "厘米": "cm",
    "公分": "cm",
    "毫米": "mm",
    "公尺": "m",
    "米": "m",
}
_MEASURES = {
    **{f"平方{name}": rf"\text{{ {unit}}}^{{2}}" for name, unit in _LENGTHS.items()},
    **{f"立方{name}": rf"\text{{ {unit}}}^{{3}}" for name, unit in _LENGTHS.items()},
    **{f"{name}/小时": rf"\text{{ {unit}/h}}" for name, unit in _LENGTHS.items()},
    **{f"{name}每小时": rf"\text{{ {unit}/h}}" for name, unit in _LENGTHS.items()},
    **{f"{name}/时": rf"\text{{ {unit}/h}}" for name, unit in _LENGTHS.items()},
    **{f"{name}/秒": rf"\text{{ {unit}/s}}" for name, unit in _LENGTHS.items()},
    **{f"{name}每秒": rf"\text{{ {unit}/s}}" for name, unit in _LENGTHS.items()},
    **{name: rf"\text{{ {unit}}}" for name, unit in _LENGTHS.items()},
    "千克": r"\text{ kg}", "公斤": r"\text{ kg}", "毫克": r"\text{ mg}", "克": r"\text{ g}", "吨": r"\text{ tonne}",
    "毫升": r"\text{ ml}", "升": r"\text{ L}", "小时": r"\text{ hours}", "分钟": r"\text{ minutes}", "秒": r"\text{ seconds}",
    "秒钟": r"\text{ seconds}", "天": r"\text{ days}", "周": r"\text{ weeks}", "年": r"\text{ years}", "个月": r"\text{ months}",
    "摄氏度": r"^{\circ}\text{C}", "度": r"^{\circ}", "弧度": r"\text{ radians}", "美元": r"\text{ dollars}",
    "欧元": r"\text{ euros}", "人民币": r"\text{ yuan}", "元": r"\text{ yuan}", "块钱": r"\text{ yuan}", "平方单位": r"\text{ units}^{2}",
    "立方单位": r"\text{ units}^{3}", "个单位": r"\text{ units}", "单位": r"\text{ units}",
}  # fmt: skip
_MEASURE = re.compile(
    # Matches "厘米" or "(厘米)" behind a number or a formula; not "厘米以上".
    rf"(?<=[\w}})\s(])\s*(\()?({'|'.join(sorted(_MEASURES, key=len, reverse=True))})(?(1)\))(?![{_HAN}])"
)
_COUNTED = re.compile(
    # Matches "个", "(种)", "名学生", "只鸡" behind a number; not "个以上", "倍", "左右" or "多个".
    rf"(?<=[\d}}\s(])\s*(\()?(?:个|種|种|人|名|位|只|条|支|枝|张|本|次|岁|点|名|辆|棵|朵|块|件|套|双|对|组|题|步|场|页|头|颗|把|袋|箱|瓶|盒|份|级|节|列"
    rf"|班|户|家|座|所|匹|艘|架|台|分|道|句|回|趟|遍|场)(?![{_HAN}]*(?:以|上|下|左|右|多|余|半|之|倍|或|到|的|不|除))[{_HAN}]{{0,4}}(?(1)\))"
)
_TEN_THOUSANDS = re.compile(
    # Matches "万" and "亿" behind a number: 3万 is 30,000.
    r"(?<=\d)\s*(万|亿)(?!分)"
)
_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"两": 2}
_PLACES = {"十": 10, "百": 100, "千": 1000}
_NUMERAL = re.compile(r"[零一二三四五六七八九两十百千]{1,12}")
_FRACTION = re.compile(r"([零一二三四五六七八九两十百千]{1,9})分之([零一二三四五六七八九两十百千]{1,9})")


def translated(text: str) -> str:
    r"""Return ``text`` with its Chinese parts in LaTeX, as far as they are understood.

    >>> translated("答案是15厘米。"), translated("1、2或3"), translated("无解")
    ('15\\text{ cm}.', '1,2 \\text{ or } 3', '\\emptyset')
    >>> translated("约15"), translated("3万")
    ('约15', '3\\cdot 10^{4}')
    """
    if text.isascii() or not _IS_CHINESE.search(text):
        return text
    text = text.translate(_PUNCTUATION).translate(_TRADITIONAL)
    text = _WRAPPED.sub(r" \1 ", text)
    for whole in (text, text := _LEAD.sub("", text)):
        for words, meaning in _WHOLE:
            if words.fullmatch(whole):
                return meaning
    bare = text.strip(" .")
    fraction = _FRACTION.fullmatch(bare)
    if fraction:
        below, above = (_numeral(part) for part in fraction.groups())
        return rf"\frac{{{above}}}{{{below}}}"
    leading = _NUMERAL.match(bare)
    if leading:
        text = f"{_numeral(leading[0])}{bare[leading.end() :]}"
    text = _JOINED.sub(lambda m: r" \text{ or } " if m[1].startswith("或") else r" \text{ and } ", text)
    text = _TEN_THOUSANDS.sub(lambda m: r"\cdot 10^{4}" if m[1] == "万" else r"\cdot 10^{8}", text)
    text = _MEASURE.sub(lambda m: _MEASURES[m[2]], text)
    return _COUNTED.sub("", text)


def _numeral(text: str) -> int:
    """Return the value of a Chinese numeral below ten thousand: 二十三 is 23."""
    total, digit = 0, 0
    for char in text:
        if char in _PLACES:
            total += (digit or 1) * _PLACES[char]
            digit = 0
        else:
            digit = digit * 10 + _DIGITS[char] if digit else _DIGITS[char]
    return total + digit
