"""What a file may weigh and how long it may last, by the kind of message it came with."""

_MIB = 1024 * 1024

BYTES_MAX = {
    "audio": 25 * _MIB,  # also the most that the transcription takes
    "image": 10 * _MIB,
    "document": 20 * _MIB,
    "video": 16 * _MIB,
    "sticker": 1 * _MIB,
}
AUDIO_MS_MAX = 15 * 60 * 1000
"""A longer recording is kept for people, but not transcribed."""
READ_KINDS = frozenset({"audio", "image", "document"})
"""Kinds that are read for the assistant; the others are kept for people to look at."""
READ_PER_HOUR_MAX = 40
"""Files of one conversation that are read within an hour: reading is paid before the reply is."""
