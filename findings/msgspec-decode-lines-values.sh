#!/bin/sh
# msgspec 0.20.0: `Decoder.decode_lines` counts JSON values, not lines.
#
# A line that holds two values gives two items, and a blank line gives none. So a result with as many items as the input has
# lines does not mean one item a line: whoever pairs items with the lines they came from has to look for line ends and
# blanks himself.
#
# Seen: 3 lines, the first with two values and the second blank, give 3 items.
# Fails if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m pip install --quiet --disable-pip-version-check --target "$folder" msgspec==0.20.0
PYTHONPATH="$folder" python3 - <<'PYTHON'
import msgspec

lines = '{"n":1}{"n":2}\n \n{"n":3}'
items = msgspec.json.Decoder(dict[str, int]).decode_lines(lines)
print(msgspec.__version__, items)
assert [item["n"] for item in items] == [1, 2, 3], "decode_lines no longer counts values"
PYTHON
