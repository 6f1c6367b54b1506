"""Ed25519 signatures as in RFC 8032, section 5.1, in plain Python: an implementation that is not the one under test."""

import base64
import hashlib

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def _add(a, b):
    """Points as (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z."""
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    x, y, z, t = f - e, h - g, h + g, f + e
    return x * y % P, z * t % P, y * z % P, x * t % P


def _multiply(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _base():
    y = 4 * pow(5, P - 2, P) % P
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P)
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    x = P - x if x & 1 else x
    return x, y, 1, x * y % P


BASE = _base()


def _compress(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _number(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


class PrivateKey:
    def __init__(self, pem):
        """From PKCS #8, as `lindero keygen` writes it."""
        der = base64.b64decode("".join(line for line in pem.splitlines() if not line.startswith("-----")))
        assert der[:16] == bytes.fromhex("302e020100300506032b657004220420") and len(der) == 48
        head = hashlib.sha512(der[16:]).digest()
        self.scalar = int.from_bytes(head[:32], "little") & (1 << 254) - 8 | 1 << 254
        self.prefix = head[32:]
        self.public = _compress(_multiply(self.scalar, BASE))
        self.id = hashlib.sha256(bytes.fromhex("302a300506032b6570032100") + self.public).hexdigest()

    def sign(self, message):
        r = _number(self.prefix, message) % ORDER
        point = _compress(_multiply(r, BASE))
        s = (r + _number(point, self.public, message) * self.scalar) % ORDER
        return point + s.to_bytes(32, "little")
