"""Guards on the files of the repository."""

import ast
import re
import subprocess
import sys
from collections.abc import Collection, Iterable
from pathlib import Path

MAX_FILE_LINES = 400
MAX_MODEL_LINES = 700
"""Of a file in ``models/``: one architecture is one file."""
MAX_FUNCTION_LINES = 60
MAX_BINARY_BYTES = 200_000
FORBIDDEN_NAMES = ("utils", "helpers", "common", "misc")

# Each is spelt so that it does not match its own line.
ABSOLUTE_PATH = re.compile(
    r"""(?:^|["'\s=(:,])(/(?:home|root|Users|mnt|tmp|work|media|scratch)/[\w.$-]+|[A-Z]:\\{1,2}(?:Users|Data)[\w\\]*)"""
)
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b")
CREDENTIAL = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\bAKIA[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_\w{30,}"
    r"|\bhf_\w{30,}"
    r"|://[^/\s:@$]+:[^/\s:@$]+@"
    r"|(?i:\b(?:password|passwd|secret|api_?key|access_?token)\b[\"']?\s*[:=]\s*[\"']?[\w/+-]{8,})"
)


def import_contract_faults(root: Path, source: Path) -> list[str]:
    """Broken import contracts of ``root/pyproject.toml``, for the package that lies in the folder ``source``."""
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"
    linted = subprocess.run(
        [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(source)!r}); {code}"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if linted.returncode == 0:
        return []
    broken = linted.stdout.partition("Broken contracts")[2] or linted.stdout + linted.stderr
    return [f"Import contracts are broken; move the code down a layer, or pass what it needs:\n{broken.strip()}"]


def length_faults(files: Iterable[Path]) -> list[str]:
    """Python files and functions that are too long to be read at once."""
    faults = []
    for file in files:
        text = file.read_text()
        most = MAX_MODEL_LINES if file.parent.name == "models" else MAX_FILE_LINES
        if (lines := len(text.splitlines())) > most:
            faults.append(f"{file} has {lines} lines, more than {most}: split it by subject.")
        for function in ast.walk(ast.parse(text)):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            length = (function.end_lineno or function.lineno) - function.lineno + 1
            if length > MAX_FUNCTION_LINES:
                faults.append(
                    f"{file}, line {function.lineno}: {function.name} has {length} lines, more than "
                    f"{MAX_FUNCTION_LINES}: split it where a part has a name of its own."
                )
    return faults


def name_faults(paths: Iterable[Path]) -> list[str]:
    """Files and folders whose name says nothing about what is in them."""
    return [
        f"{path}: {part} says nothing about what is in it. Name it after its subject."
        for path in paths
        for part in path.parts
        if part.split(".")[0].lower() in FORBIDDEN_NAMES
    ]


def kept_files(root: Path) -> list[Path]:
    """Files that git tracks or would track, relative to ``root``."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted({Path(name) for name in listed.stdout.split("\0") if name and (root / name).is_file()})


def augmentation_faults(files: Iterable[Path], tested: Collection[str]) -> list[str]:
    """Classes that change training samples at random without a test of what their parts draw together.

    Such a class is called with a seed, is a step of albumentations, or is a dataset that takes a seed.

    Args:
        files: Python files.
        tested: Names of the classes that the table of joint tests has.
    """
    found: dict[str, str] = {}
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef) and _augments(node):
                found[node.name] = f"{file}, line {node.lineno}"
    faults = [
        f"{where}: {name} changes samples at random and has no joint test: its steps may share one random number and "
        "nobody would see it. Add it to JOINT_TESTS in tests/project/augmentation_factors.py, with a function that "
        "applies it under many seeds and returns what each of its parts drew."
        for name, where in found.items()
        if name not in tested
    ]
    return faults + [
        f"JOINT_TESTS in tests/project/augmentation_factors.py tests {name}, which is no class that changes samples at "
        "random. Delete the entry, or give it the class's new name."
        for name in sorted(set(tested) - set(found))
    ]


def _augments(node: ast.ClassDef) -> bool:
    bases = {ast.unparse(base) for base in node.bases}
    if "Protocol" in bases:
        return False
    takes = {
        method.name: {each.arg for each in (*method.args.args, *method.args.kwonlyargs)}
        for method in node.body
        if isinstance(method, ast.FunctionDef)
    }
    dataset = "__getitem__" in takes and "seed" in takes.get("__init__", set())
    return dataset or "seed" in takes.get("__call__", set()) or any(base.startswith("A.") for base in bases)


def content_faults(root: Path, files: Iterable[Path]) -> list[str]:
    """Absolute paths, credentials, unfinished work and large binary files."""
    faults = []
    for file in files:
        content = (root / file).read_bytes()
        if b"\0" in content[:8000]:
            if len(content) > MAX_BINARY_BYTES:
                faults.append(
                    f"{file} is a binary file of {len(content) / 1e3:.0f} kB, and git would keep every version of it. "
                    f"Above {MAX_BINARY_BYTES / 1e3:.0f} kB use dvc add."
                )
            continue
        for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
            where = f"{file}, line {number}"
            if found := ABSOLUTE_PATH.search(line):
                faults.append(f"{where}: {found[1]} exists on one machine only. Make it relative, or a parameter.")
            if UNFINISHED.search(line):
                faults.append(f"{where}: unfinished work is marked. Finish it, or open an issue.")
            if CREDENTIAL.search(line):
                faults.append(f"{where}: this looks like a credential. Revoke it, and read it from the environment.")
    return faults
