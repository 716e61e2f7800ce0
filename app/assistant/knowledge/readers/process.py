"""The process that reads PDF and Word files: bounded memory and time, nothing but its pipes.

`python -m app.assistant.knowledge.readers.process pdf` takes a file on stdin and writes JSON.
"""

import os
import resource
import sys

import msgspec

from app.assistant.knowledge.documents import Document, UnreadableError

MEMORY_BYTES_MAX = 1536 * 1024 * 1024
CPU_S_MAX = 60


def main() -> None:
    """Read stdin as the kind that the first argument names."""
    os.nice(10)  # replies come first
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, hard))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S_MAX, CPU_S_MAX))
    from app.assistant.knowledge.readers.office import read_docx, read_pdf

    read = {"pdf": read_pdf, "docx": read_docx}[sys.argv[1]]
    try:
        answer: Document | dict[str, str] = read(sys.stdin.buffer.read())
    except UnreadableError as error:
        answer = {"reason": error.reason}
    except MemoryError:
        answer = {"reason": "too_large"}
    sys.stdout.buffer.write(msgspec.json.encode(answer))


if __name__ == "__main__":
    main()
