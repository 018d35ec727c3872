# SPDX-License-Identifier: Apache-2.0
"""What the tests of proto/ share: the tree, its compiled descriptors, and its generator."""

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
import subprocess
import sys

from google.protobuf import descriptor_pb2
import pytest

ROOT = Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto"


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def descriptor_set(tmp_path_factory):
    """The serialized descriptors of proto/ and its imports, as protoc makes them."""
    return compile_folder(PROTO, tmp_path_factory.mktemp("descriptors") / "proto.pb")


@pytest.fixture(scope="session")
def files(descriptor_set):
    """File name -> FileDescriptorProto."""
    return {file.name: file for file in descriptor_set.file}


@pytest.fixture(scope="session")
def generator():
    """proto/generate as a module."""
    loader = SourceFileLoader("generate", str(PROTO / "generate"))
    module = module_from_spec(spec_from_loader("generate", loader))
    writes_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    loader.exec_module(module)
    sys.dont_write_bytecode = writes_bytecode
    return module


@pytest.fixture(scope="session")
def variant_files(generator, tmp_path_factory):
    """File name -> FileDescriptorProto of what protoc-c is fed."""
    folder = tmp_path_factory.mktemp("variant")
    for path in PROTO.rglob("*.proto"):
        name = path.relative_to(PROTO).as_posix()
        if name not in generator.NO_C_CODE:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(generator.variant(name, path.read_text()))
    includes = generator.require_tools()
    compiled = compile_folder(folder, folder / "variant.pb", *includes)
    return {file.name: file for file in compiled.file}


def compile_folder(folder, output, *options):
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.proto"))
    options = [f"-I{folder}", *options, "--include_imports", f"--descriptor_set_out={output}"]
    subprocess.run(["protoc", *options, *names], check=True)
    return descriptor_pb2.FileDescriptorSet.FromString(output.read_bytes())
