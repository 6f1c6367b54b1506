"""The Protocol Buffers messages of a package, from their schemas."""

import functools
import subprocess

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from harness import ROOT

SCHEMAS = tuple(f"runtime/package/{name}.proto" for name in ("bundle", "circuit", "key", "proof"))


@functools.cache
def _pool():
    command = ["protoc", f"--proto_path={ROOT}", "--descriptor_set_out=/dev/stdout", *SCHEMAS]
    files = descriptor_pb2.FileDescriptorSet.FromString(subprocess.run(command, check=True, capture_output=True).stdout)
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return pool


def decoded(name, content):
    """The message lindero.`name` that has this content."""
    message = message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"lindero.{name}"))()
    message.ParseFromString(content)
    return message


def encoded(message):
    return message.SerializeToString(deterministic=True)


def keys_of(content):
    """The verifying keys, encoded, of a key file that has this content."""
    return list(decoded("KeySet", content).keys)


def key_file(*keys):
    """The content of a key file with these."""
    file = decoded("KeySet", b"")
    file.format = 2
    file.keys.extend(keys)
    return encoded(file)
