#!/bin/sh
# DuckDB 1.5.3: a view over UNPIVOT can be stored, and no later connection can read it.
#
# The view is made and read in the connection that made it. Once the file was closed, binding the view fails, though the same
# query by itself works. 1.4.0 and 2.0.0 read it. `unnest` over lists of the same length says the same and works in all.
#
# Seen with 1.5.3: BinderException; with 1.4.0 and 2.0.0: the rows.
# Fails if that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/ask.py" <<'PYTHON'
import sys

import duckdb

path = sys.argv[1]
with duckdb.connect(path) as made:
    made.execute("CREATE TABLE t (id INT, a INT, b INT)")
    made.execute("INSERT INTO t VALUES (1, 10, 20)")
    made.execute("CREATE VIEW v AS SELECT * FROM (UNPIVOT t ON a, b INTO NAME what VALUE n)")
with duckdb.connect(path) as later:
    try:
        print(duckdb.__version__, later.execute("SELECT what, n FROM v ORDER BY what").fetchall())
    except duckdb.Error as error:
        print(duckdb.__version__, type(error).__name__)
PYTHON
for version in 1.4.0 1.5.3 2.0.0; do
    python3 -m pip install --quiet --disable-pip-version-check --target "$folder/$version" "duckdb==$version"
    PYTHONPATH="$folder/$version" python3 "$folder/ask.py" "$folder/$version.duckdb" | tee "$folder/$version.txt"
done
grep -q "10" "$folder/1.4.0.txt"
grep -q "10" "$folder/2.0.0.txt"
grep -q "BinderException" "$folder/1.5.3.txt"
