"""Bring an answer that is written in Chinese into LaTeX: punctuation, units, lists and the words of a few answers.

A part that is not understood stays, so that an answer with Chinese words that could change its value is never accepted.
"""

from __future__ import annotations

import re

_HAN = "\u4e00-\u9fff"
# Matches a Chinese character or sign; not "é".
_IS_CHINESE = re.compile(rf"[{_HAN}。、，：；（）∶]")
_TRADITIONAL = str.maketrans(
    "無個種為選實數萬億圓條隻張點時間長積體雙對組頁頭顆塊",
    "无个种为选实数万亿元条只张点时间长积体双对组页头颗块",
)
_PUNCTUATION = str.maketrans("。、，：；（）［］＝－＋％∶．！", ".,,:;()[]=-+%:.!")
_WRAPPED = re.compile(
    # Matches "\text{厘米}" and "\mathrm{共}"; not "\text{cm}".
    rf"\\(?:text|math|mbox|hbox)[a-z]{{0,6}}\s*\{{([^{{}}]*[{_HAN}][^{{}}]*)\}}"
)
_LEAD = re.compile(
    # Matches "答案是", "所以答案为：", "共有", "面积为" in front of a value; not "不是", "约为", "第3大的数是".
    r"^\s*(?:(?:因此|所以|故|综上|即|于是|则|共有|一共有|总共有|共|一共|总共|点|有)[,:\s]*"
    rf"|(?![{_HAN}]*[不非约大小超至倍余第除少多])[{_HAN}]{{1,12}}(?:是|为|等于|有|共)\s*:?\s*"
    r"|(?:最终|正确)?(?:答案|结果)\s*[:=]\s*)++(?=\S)"
)
_WORDS = {
    r"\emptyset": r"(?:此|该|本|原)?(?:方程组?|不等式组?)?(?:无|没有|不存在)(?:实数|整数|正整数|有理数|实)?(?:解|根)?"
    r"|空集|不存在",
    r"\infty": r"\+?(?:正)?无穷(?:大)?|有?(?:无穷|无限)多(?:[个组种对])?解?|有?无数(?:[个组种对])?解?",
    r"-\infty": r"-?负无穷(?:大)?",
    r"\mathbb{R}": r"(?:全体|所有|任意|一切)实数|实数集",
    r"\mathbb{Z}": r"(?:全体|所有|任意)整数|整数集",
    r"\text{even}": r"偶(?:数|函数)",
    r"\text{odd}": r"奇(?:数|函数)",
    r"\text{yes}": r"是的?|正确|对",
    r"\text{no}": r"不是|否|错误?",
}
_WHOLE = [(re.compile(rf"\s*(?:{words})\s*\.?\s*"), meaning) for meaning, words in _WORDS.items()]
_JOINED = re.compile(
    # Matches "或" and "和" between two values; not "和为".
    rf"(?<=\S)\s*(或者?|和|与|及|以及|且)\s*(?=[^\s{_HAN}])"
)
_COMPARISONS = {
    "大于等于": r"\ge ", "大于或等于": r"\ge ", "不小于": r"\ge ", "大于": ">",
    "小于等于": r"\le ", "小于或等于": r"\le ", "不大于": r"\le ", "小于": "<",
}  # fmt: skip
# Matches "大于" between a letter and a number: "x大于2"; not "大于2".
_COMPARED = re.compile(rf"(?<=[a-zA-Z])\s*({'|'.join(_COMPARISONS)})\s*(?=[-\d\\])")
_LENGTHS = {"km": "千米 公里", "m": "米 公尺", "dm": "分米", "cm": "厘米 公分", "mm": "毫米"}
_OTHERS = {"kg": "千克 公斤", "g": "克", "mg": "毫克", "tonne": "吨", "L": "升", "ml": "毫升",
           "hours": "小时", "minutes": "分钟",
           "seconds": "秒 秒钟", "days": "天", "weeks": "周", "months": "个月", "years": "年", "radians": "弧度",
           "dollars": "美元", "euros": "欧元", "yuan": "元 人民币 块钱", "units": "单位 个单位"}  # fmt: skip


def _measures() -> dict[str, str]:
    """Return each unit of measurement in Chinese with its LaTeX."""
    measures = {
        "度": r"^{\circ}",
        "摄氏度": r"^{\circ}\text{C}",
        "平方单位": r"\text{ units}^{2}",
        "立方单位": r"\text{ units}^{3}",
    }
    for unit, names in (_LENGTHS | _OTHERS).items():
        for name in names.split():
            measures[name] = rf"\text{{ {unit}}}"
            if unit in _LENGTHS:
                measures[f"平方{name}"] = rf"\text{{ {unit}}}^{{2}}"
                measures[f"立方{name}"] = rf"\text{{ {unit}}}^{{3}}"
                for per, time in (("/小时", "h"), ("每小时", "h"), ("/时", "h"), ("/秒", "s"), ("每秒", "s")):
                    measures[name + per] = rf"\text{{ {unit}/{time}}}"
    return measures


_MEASURES = _measures()
_MEASURE = re.compile(
    # Matches "厘米" or "(厘米)" behind a number or a formula; not "厘米以上".
    rf"(?<=[\w}})\s(])\s*(\()?({'|'.join(sorted(_MEASURES, key=len, reverse=True))})(?(1)\))(?![{_HAN}])"
)
_COUNTERS = "个人名位只条支枝张本次岁点辆棵朵块件套双对组题种步场页头颗把袋箱瓶盒份级节列班户家座所匹艘架台分道句回趟遍"
_COUNTED = re.compile(
    # Matches "个", "(种)", "名学生", "只鸡" behind a number; not "个以上", "倍", "左右" or "多个".
    rf"(?<=[\d}}\s(])\s*(\()?[{_COUNTERS}](?![{_HAN}]*[以上下左右多余半之倍或到的不除])[{_HAN}]{{0,4}}(?(1)\))"
)
_TEN_THOUSANDS = re.compile(
    # Matches "万" and "亿" behind a number: 3万 is 30,000.
    r"(?<=\d)\s*(万|亿)(?!分)"
)
_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"两": 2}
_PLACES = {"十": 10, "百": 100, "千": 1000}
# Matches "二十三"; not "23" or "万".
_NUMERAL = re.compile(r"[零一二三四五六七八九两十百千]{1,12}")
# Matches "三分之二"; not "三分".
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
    text = _COMPARED.sub(lambda m: _COMPARISONS[m[1]], text)
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
