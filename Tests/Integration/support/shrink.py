# SPDX-License-Identifier: Apache-2.0
"""What helps to understand a request that did not come back: a smaller one, and where two messages differ."""


def shrunk(message, fails, tries_max=300):
    """A copy of `message` with as much taken out as `fails(copy)` allows. Greedy; asks at most `tries_max` times."""
    tries = 0
    progress = True
    while progress:
        progress = False
        for smaller in reductions(message):
            if tries == tries_max:
                return message
            tries += 1
            if fails(smaller):
                message, progress = smaller, True
                break
    return message


def reductions(message):
    """Copies with one thing less, the largest things first."""
    for path in sorted(removable(message), key=len):
        copy = type(message)()
        copy.CopyFrom(message)
        owner = copy
        for name, index in path[:-1]:
            owner = getattr(owner, name) if index is None else getattr(owner, name)[index]
        name, index = path[-1]
        if index is None:
            owner.ClearField(name)
        else:
            del getattr(owner, name)[index]
        yield copy


def removable(message, path=()):
    for field, value in message.ListFields():
        for index, element in enumerate(value) if field.is_repeated else [(None, value)]:
            step = (*path, (field.name, index))
            yield step
            if field.message_type is not None:
                yield from removable(element, step)


def differing_paths(sent, stored, path=""):
    """Lines "path: sent …, stored …" of all fields in which two messages of one type differ."""
    if sent.SerializeToString(deterministic=True) == stored.SerializeToString(deterministic=True):
        return
    for field in sent.DESCRIPTOR.fields:
        here = f"{path}.{field.name}" if path else field.name
        if field.is_repeated:
            yield from differing_elements(getattr(sent, field.name), getattr(stored, field.name), here)
            continue
        if field.has_presence and sent.HasField(field.name) != stored.HasField(field.name):
            yield f"{here}: {presence(sent, field)} in what was sent, {presence(stored, field)} in what is stored"
            continue
        left, right = getattr(sent, field.name), getattr(stored, field.name)
        if field.message_type is not None:
            yield from differing_paths(left, right, here)
        elif repr(left) != repr(right):  # repr tells -0.0 from 0.0 and takes NaN for itself
            yield f"{here}: sent {left!r}, stored {right!r}"


def differing_elements(sent, stored, path):
    if len(sent) != len(stored):
        yield f"{path}: {len(sent)} sent, {len(stored)} stored"
    for index, (left, right) in enumerate(zip(sent, stored)):
        if hasattr(left, "DESCRIPTOR"):
            yield from differing_paths(left, right, f"{path}[{index}]")
        elif repr(left) != repr(right):
            yield f"{path}[{index}]: sent {left!r}, stored {right!r}"


def presence(message, field):
    return "present" if message.HasField(field.name) else "absent"
