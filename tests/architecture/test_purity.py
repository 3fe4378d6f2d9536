"""Rules on the code that no linter knows."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.sources import PACKAGES, ROOT, functions, place, python_files, tree

BANNED_FILE_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}
# What a task raises unexpectedly is reported in the first; the second holds foreign code, the strategies, and
# halts the one deployment that raised. Nowhere else is anything swallowed.
CATCH_ALLS = {ROOT / "tasks" / "base.py", ROOT / "app" / "services" / "loops" / "user_loop.py"}
FLOAT_DOOR = ROOT / "app" / "domain" / "numbers.py"
MUTABLE = ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp
MUTABLE_TYPES = {"list", "dict", "set", "deque", "defaultdict", "Counter", "bytearray"}


def annotations(path: Path) -> Iterator[tuple[str, ast.expr]]:
    """Yield the name and the annotation of every parameter, return value and field of a file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.AnnAssign):
            yield ast.unparse(node.target), node.annotation
    for function in functions(path):
        if function.returns is not None:
            yield function.name, function.returns
        for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs):
            if argument.annotation is not None:
                yield argument.arg, argument.annotation


def names_in(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def test_money_is_never_float() -> None:
    """Seconds may be float; the way from indicators to prices is `numbers.to_tick`."""
    found = [
        f"{place(path, annotation)} {name}"
        for path in python_files("app/domain", "app/engine")
        if path != FLOAT_DOOR
        for name, annotation in annotations(path)
        if "float" in names_in(annotation) and not (name.endswith("_s") or name == "monotonic")
    ]

    assert found == []


def test_only_tasks_and_strategies_have_a_catch_all() -> None:
    found = [
        place(path, node)
        for path in python_files(*PACKAGES, "deploy")
        if path not in CATCH_ALLS
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or names_in(node.type) & {"Exception", "BaseException"})
    ]

    assert found == []


def test_no_file_is_named_after_nothing() -> None:
    found = [place(path) for path in python_files(*PACKAGES, "tests") if path.stem in BANNED_FILE_NAMES]

    assert found == []


def test_only_the_package_is_called_app() -> None:
    """A variable of that name would hide the package; the instances are celery_app and create_app()."""
    found = [
        place(path, node)
        for path in python_files(*PACKAGES, "tests")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Name) and node.id == "app" and isinstance(node.ctx, ast.Store)
    ]

    assert found == []


def is_mutable(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Name) and value.func.id in MUTABLE_TYPES
    return isinstance(value, MUTABLE)


def test_modules_hold_no_state() -> None:
    """A constant table in capitals is no state; anything else that can change belongs to an object."""
    found = []
    for path in python_files(*PACKAGES):
        for node in tree(path).body:
            if not isinstance(node, ast.Assign | ast.AnnAssign) or not is_mutable(node.value):
                continue
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [ast.unparse(target) for target in targets]
            found += [f"{place(path, node)} {n}" for n in names if not n.isupper() and n != "__all__"]

    assert found == []


def test_entries_come_from_the_gate_and_everything_else_only_exits() -> None:
    """A limit has no way round it: whoever wants an order goes through one of these two."""
    makers = {
        place(path)
        for path in python_files(*PACKAGES)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and (ast.unparse(node.func) == "OrderRow" or ast.unparse(node).startswith("insert(OrderRow"))
    }

    assert makers == {"app/services/intent_rows.py", "app/db/exits.py"}
