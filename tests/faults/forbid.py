"""Becomes a program that may not make some system calls, as in a container with a narrow seccomp profile.

    forbid.py ERRNO CALL[,CALL...] PROGRAM ARGUMENT...

ERRNO and CALL are numbers. The filter is a classic BPF program: load the number of the call, compare, refuse
with ERRNO or allow. It holds for everything that the program starts.
"""

import ctypes
import os
import struct
import sys

LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
REFUSE, ALLOW = 0x00050000, 0x7FFF0000
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, MODE_FILTER = 22, 38, 2


def main():
    refusal = REFUSE | int(sys.argv[1])
    calls = [int(call) for call in sys.argv[2].split(",")]
    program = [struct.pack("HBBI", LOAD_WORD, 0, 0, 0)]
    for at, call in enumerate(calls):
        program.append(struct.pack("HBBI", JUMP_IF_EQUAL, len(calls) - at, 0, call))
    program.append(struct.pack("HBBI", RETURN, 0, 0, ALLOW))
    program.append(struct.pack("HBBI", RETURN, 0, 0, refusal))
    code = ctypes.create_string_buffer(b"".join(program))
    header = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, MODE_FILTER, header, 0, 0)):
        if libc.prctl(*arguments) != 0:
            sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    os.execvp(sys.argv[3], sys.argv[3:])


main()
