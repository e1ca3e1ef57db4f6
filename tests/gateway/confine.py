"""Becomes a program that may make only the system calls of a seccomp profile, as a container engine starts it.

    confine.py PROFILE PROGRAM ARGUMENT...

PROFILE is JSON as the OCI runtime specification has it; of its rules only plain names are read, and any other shape is
refused. The filter is a classic BPF program: load the number of the call, allow it if it is one of these, else refuse.
It holds for everything that the program starts. Numbers are those of this machine's C compiler.
"""

import ctypes
import json
import os
import re
import struct
import subprocess
import sys

LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
REFUSE, ALLOW = 0x00050000, 0x7FFF0000
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, MODE_FILTER = 22, 38, 2


def numbers():
    """The number of each call that this architecture has."""
    preprocess = ["cc", "-E", "-dM", "-x", "c", "-include", "sys/syscall.h", "/dev/null"]
    text = subprocess.run(preprocess, check=True, capture_output=True, text=True).stdout
    return {name: int(number) for name, number in re.findall(r"^#define __NR_(\w+) (\d+)$", text, re.M)}


def allowed(profile):
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO", profile["defaultAction"]
    for rule in profile["syscalls"]:
        assert rule["action"] == "SCMP_ACT_ALLOW" and set(rule) <= {"names", "action", "comment"}, rule
    known = numbers()
    # A name of another architecture has no number here, and is passed over as engines do.
    return [known[name] for rule in profile["syscalls"] for name in rule["names"] if name in known]


def main():
    with open(sys.argv[1]) as file:
        profile = json.load(file)
    program = [struct.pack("HBBI", LOAD_WORD, 0, 0, 0)]
    for call in allowed(profile):
        program.append(struct.pack("HBBI", JUMP_IF_EQUAL, 0, 1, call))
        program.append(struct.pack("HBBI", RETURN, 0, 0, ALLOW))
    program.append(struct.pack("HBBI", RETURN, 0, 0, REFUSE | profile["defaultErrnoRet"]))
    code = ctypes.create_string_buffer(b"".join(program))
    header = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, MODE_FILTER, header, 0, 0)):
        if libc.prctl(*arguments) != 0:
            sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    os.execvp(sys.argv[2], sys.argv[2:])


main()
