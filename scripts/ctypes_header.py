"""A C++ header for a shared library, made from the ctypes declarations that its Python package carries.

The wheel that brings libwasmtime has no header, but its bindings name every type and function of the C API. They are read
as syntax and never run. What C says with an enum or a const is gone there; sizes, order and calling convention are what
they were.
"""

import ast

SCALARS = {
    "c_bool": "bool", "c_char": "char", "c_ubyte": "std::uint8_t", "c_byte": "std::int8_t", "c_int": "int",
    "c_uint": "unsigned", "c_int8": "std::int8_t", "c_uint8": "std::uint8_t", "c_int16": "std::int16_t",
    "c_uint16": "std::uint16_t", "c_int32": "std::int32_t", "c_uint32": "std::uint32_t", "c_int64": "std::int64_t",
    "c_uint64": "std::uint64_t", "c_size_t": "std::size_t", "c_float": "float", "c_double": "double", "c_void_p": "void *",
}  # fmt: skip


def header(bindings: str, about: str, without: str) -> str:
    """The declarations of `bindings`, in their order: all but the types with `without` in their names, and what uses them.

    A function that uses a type declared elsewhere is left out too.
    """
    lines = [f"// {about}", "#pragma once", "#include <cstddef>", "#include <cstdint>", 'extern "C" {']
    known: set[str] = set()
    results: dict[str, ast.expr] = {}
    for node in ast.parse(bindings).body:
        match node:
            case ast.ClassDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]) if without in name:
                pass
            case ast.ClassDef(name=name, bases=[ast.Attribute(attr="Structure" | "Union" as kind)]):
                known.add(name)
                lines.append(_record(kind, name, node, known))
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if declared := _declarator(value, name, known):
                known.add(name)
                lines.append(f"typedef {declared};")
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id=name), attr="restype")], value=value):
                results[name] = value
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id=name), attr="argtypes")], value=ast.List(elts=types)):
                arguments = [_declarator(kind, f"a{number}", known) for number, kind in enumerate(types)]
                declared = _declarator(results.pop(name), f"{name[1:]}({', '.join(map(str, arguments))})", known)
                if declared and None not in arguments:
                    lines.append(f"{declared};")
    return "\n".join([*lines, "}", ""])


def _record(kind: str, name: str, node: ast.ClassDef, known: set[str]) -> str:
    keyword = "struct" if kind == "Structure" else "union"
    for statement in node.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="_fields_")], value=ast.List(elts=fields)):
                members = [_declarator(field.elts[1], field.elts[0].value, known) for field in fields]
                if None in members:
                    break
                return f"{keyword} {name} {{ {' '.join(f'{member};' for member in members)} }};"
    return f"{keyword} {name};"


def _declarator(kind: ast.expr, name: str, known: set[str]) -> str | None:
    """`name` declared as of that type, nothing when the type is not one of C, or not known."""
    match kind:
        case ast.Constant(value=None):
            return f"void {name}"
        case ast.Name(id=other) if other in known:
            return f"{other} {name}"
        case ast.Attribute(value=ast.Name(id="ctypes"), attr=scalar) if scalar in SCALARS:
            return f"{SCALARS[scalar]} {name}"
        case ast.BinOp(left=element, op=ast.Mult(), right=ast.Constant(value=int(count))):
            return _declarator(element, f"{name}[{count}]", known)
        case ast.Call(func=ast.Attribute(attr="POINTER"), args=[pointee]):
            return _declarator(pointee, f"*{name}", known)
        case ast.Call(func=ast.Attribute(attr="CFUNCTYPE"), args=[returned, *arguments]):
            inner = [_declarator(argument, "", known) for argument in arguments]
            return None if None in inner else _declarator(returned, f"(*{name})({', '.join(map(str, inner))})", known)
    return None
