"""Over a limit another noun is hiding: name it."""

import ast

from tests.architecture.sources import PACKAGES, functions, place, python_files

FILE_LINES = 400
TEST_FILE_LINES = 600
FUNCTION_LINES = 40


def lines_without_docstring(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is not None:
        first = function.body[0]
        assert first.end_lineno is not None
        lines -= first.end_lineno - first.lineno + 1
    return lines


def test_files_are_short() -> None:
    limits = [(python_files(*PACKAGES, "deploy"), FILE_LINES), (python_files("tests"), TEST_FILE_LINES)]
    long = {
        place(path): lines
        for paths, limit in limits
        for path in paths
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > limit
    }

    assert long == {}


def test_functions_are_short() -> None:
    long = {
        place(path, function): lines
        for path in python_files(*PACKAGES, "deploy", "tests")
        for function in functions(path)
        if (lines := lines_without_docstring(function)) > FUNCTION_LINES
    }

    assert long == {}
