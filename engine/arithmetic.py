"""Arithmetic on text that a stranger wrote: bounded in time and memory, and nothing but arithmetic."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable

Number = int | float

MAX_CHARS = 1_000
MAX_DEPTH = 200
"""Of nesting; a sum of n numbers is nested n deep."""
MAX_BITS = 4_096
"""Of any whole number on the way: about 1,200 digits."""


class ArithmeticProblem(Exception):
    """Why an expression has no value, as a sentence."""


def evaluate(expression: str) -> str:
    """The value of `expression` as text: whole numbers in full, others as Python writes them. Raises
    ArithmeticProblem."""
    if len(expression) > MAX_CHARS:
        raise ArithmeticProblem(f"The expression is too long: at most {MAX_CHARS} characters.")
    try:
        tree = ast.parse(expression.strip().replace("^", "**"), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ArithmeticProblem("That is not an arithmetic expression.") from None
    try:
        return str(_value(tree.body, 0))
    except ZeroDivisionError:
        raise ArithmeticProblem("Division by zero.") from None
    except (OverflowError, RecursionError):
        raise ArithmeticProblem("The result is too large.") from None
    except (ValueError, TypeError) as error:
        raise ArithmeticProblem(f"That cannot be calculated: {error}.") from None


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, int) and isinstance(exponent, int):
        if abs(base) > 1 and abs(exponent) * base.bit_length() > MAX_BITS:
            raise OverflowError
        return base**exponent if exponent >= 0 else float(base) ** exponent
    result = base**exponent
    if isinstance(result, complex):
        raise ArithmeticProblem("The result is not a real number.")
    return result


def _round(value: Number, digits: Number = 0) -> Number:
    places = max(-400, min(400, int(digits)))
    return round(value, places) if places else round(value)


_BINARY: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
_UNARY: dict[type[ast.unaryop], Callable[[Number], Number]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_CONSTANTS: dict[str, Number] = {"pi": math.pi, "e": math.e, "tau": math.tau}
_FUNCTIONS: dict[str, Callable[..., Number]] = {
    **{name: getattr(math, name) for name in ("sqrt", "log", "log2", "log10", "exp", "sin", "cos", "tan")},
    **{name: getattr(math, name) for name in ("asin", "acos", "atan", "degrees", "radians", "floor", "ceil")},
    "abs": abs,
    "round": _round,
    "min": min,
    "max": max,
}


def _value(node: ast.expr, depth: int) -> Number:
    if depth > MAX_DEPTH:
        raise ArithmeticProblem("The expression is nested too deeply.")
    return _bounded(_raw_value(node, depth + 1))


def _raw_value(node: ast.expr, depth: int) -> Number:
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            return _UNARY[type(op)](_value(operand, depth))
        case ast.BinOp(left=left, op=operation, right=right) if type(operation) in _BINARY:
            return _BINARY[type(operation)](_value(left, depth), _value(right, depth))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(argument, depth) for argument in arguments))
    raise ArithmeticProblem(f"{ast.unparse(node)[:60]!r} is not arithmetic that is known here.")


def _bounded(value: Number) -> Number:
    if isinstance(value, int):
        if value.bit_length() > MAX_BITS:
            raise OverflowError
    elif not math.isfinite(value):
        raise OverflowError
    return value
