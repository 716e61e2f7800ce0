"""Pairing codes as pictures: a QR encoder for one size, and a PNG writer.

One size is enough for the texts a pairing code holds: version 10 at error correction level L
(57 modules wide, up to 271 bytes in byte mode, ISO/IEC 18004).
"""

import struct
import zlib

SIZE = 57
TEXT_BYTES_MAX = 271
_DATA_CODEWORDS = 274
_CORRECTION_CODEWORDS = 18
_BLOCK_SIZES = (68, 68, 69, 69)
_ALIGNMENT = (6, 28, 50)
# BCH-coded: format for level L with mask 0, version 10.
_FORMAT_BITS = 0b111011111000100
_VERSION_BITS = 0b001010010011010011
_FINDER = 7
_TIMING = 6
_QUIET_MODULES = 4
_MODULE_PX = 5

Grid = list[list[bool | None]]


def _gf_tables() -> tuple[list[int], list[int]]:
    exponents, logarithms = [0] * 512, [0] * 256
    value = 1
    for power in range(255):
        exponents[power] = exponents[power + 255] = value
        logarithms[value] = power
        value = value << 1 ^ (0x11D if value & 0x80 else 0)
    return exponents, logarithms


_EXP, _LOG = _gf_tables()


def _multiply(left: int, right: int) -> int:
    return _EXP[_LOG[left] + _LOG[right]] if left and right else 0


def _generator() -> list[int]:
    polynomial = [1]
    for power in range(_CORRECTION_CODEWORDS):
        shifted = [*polynomial, 0]
        for index, coefficient in enumerate(polynomial):
            shifted[index + 1] ^= _multiply(coefficient, _EXP[power])
        polynomial = shifted
    return polynomial[1:]


def _correction(block: list[int]) -> list[int]:
    generator = _generator()
    remainder = [0] * _CORRECTION_CODEWORDS
    for codeword in block:
        factor = codeword ^ remainder[0]
        remainder = [*remainder[1:], 0]
        remainder = [r ^ _multiply(g, factor) for r, g in zip(remainder, generator, strict=True)]
    return remainder


def _codewords(text: bytes) -> list[int]:
    bits = f"0100{len(text):016b}" + "".join(f"{byte:08b}" for byte in text) + "0000"
    bits += "0" * (-len(bits) % 8)
    data = [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)][:_DATA_CODEWORDS]
    data += [(0xEC, 0x11)[i % 2] for i in range(_DATA_CODEWORDS - len(data))]
    blocks, start = [], 0
    for size in _BLOCK_SIZES:
        blocks.append(data[start : start + size])
        start += size
    corrections = [_correction(block) for block in blocks]
    longest = max(_BLOCK_SIZES)
    mixed = [block[i] for i in range(longest) for block in blocks if i < len(block)]
    return mixed + [c[i] for i in range(_CORRECTION_CODEWORDS) for c in corrections]


def _draw_square(grid: Grid, row: int, column: int, rings: str) -> None:
    """Concentric squares around a centre; `rings` are dark (#) or light (.) from the inside."""
    reach = len(rings) - 1
    for y in range(row - reach, row + reach + 1):
        for x in range(column - reach, column + reach + 1):
            if 0 <= y < SIZE and 0 <= x < SIZE:
                grid[y][x] = rings[max(abs(y - row), abs(x - column))] == "#"


def _draw_patterns(grid: Grid) -> None:
    for i in range(SIZE):
        grid[_TIMING][i] = grid[i][_TIMING] = i % 2 == 0
    centre, far = _FINDER // 2, SIZE - 1 - _FINDER // 2
    for row, column in ((centre, centre), (centre, far), (far, centre)):
        _draw_square(grid, row, column, "##.#.")
    first, last = _ALIGNMENT[0], _ALIGNMENT[-1]
    corners = {(first, first), (first, last), (last, first)}
    for row in _ALIGNMENT:
        for column in _ALIGNMENT:
            if (row, column) not in corners:
                _draw_square(grid, row, column, "#.#")
    _draw_format(grid)
    for bit in range(18):
        dark = bool(_VERSION_BITS >> bit & 1)
        grid[bit // 3][SIZE - 11 + bit % 3] = grid[SIZE - 11 + bit % 3][bit // 3] = dark


def _draw_format(grid: Grid) -> None:
    for bit in range(15):
        dark = bool(_FORMAT_BITS >> bit & 1)
        # Beside the upper left corner, stepping over the timing pattern.
        grid[bit + (bit > 5) if bit < 8 else SIZE - 15 + bit][8] = dark  # noqa: PLR2004
        column = SIZE - 1 - bit if bit < 8 else 15 - bit if bit == 8 else 14 - bit  # noqa: PLR2004
        grid[8][column] = dark
    grid[SIZE - 8][8] = True


def _fill(grid: Grid, codewords: list[int]) -> None:
    bits = iter("".join(f"{word:08b}" for word in codewords))
    upwards = True
    column = SIZE - 1
    while column > 0:
        if column == _TIMING:
            column -= 1
        for step in range(SIZE):
            row = SIZE - 1 - step if upwards else step
            for x in (column, column - 1):
                if grid[row][x] is None:
                    grid[row][x] = (next(bits, "0") == "1") ^ ((row + x) % 2 == 0)
        upwards = not upwards
        column -= 2


def qr_modules(text: str) -> list[list[bool]]:
    """The QR code of a text, rows of dark (True) and light modules.

    Raises:
        ValueError: the text is longer than 271 bytes.
    """
    data = text.encode()
    if len(data) > TEXT_BYTES_MAX:
        raise ValueError(f"a pairing code holds at most {TEXT_BYTES_MAX} bytes")
    grid: Grid = [[None] * SIZE for _ in range(SIZE)]
    _draw_patterns(grid)
    _fill(grid, _codewords(data))
    return [[bool(module) for module in row] for row in grid]


def qr_png(text: str) -> bytes:
    """The QR code of a text as a PNG picture, grey scale, one byte a pixel."""
    quiet = [False] * _QUIET_MODULES
    rows = [[*quiet, *row, *quiet] for row in qr_modules(text)]
    blank = [False] * len(rows[0])
    rows = [blank] * _QUIET_MODULES + rows + [blank] * _QUIET_MODULES
    lines = bytearray()
    for row in rows:
        pixels = b"".join((b"\x00" if dark else b"\xff") * _MODULE_PX for dark in row)
        lines += (b"\x00" + pixels) * _MODULE_PX
    side = len(rows) * _MODULE_PX
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(lines))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum
