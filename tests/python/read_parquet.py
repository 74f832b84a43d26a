"""Reads a Parquet file with Apache Arrow's C++ library and prints what it holds as JSON.

Floating-point numbers are printed as text with all their digits: not every JSON reader keeps the last bit.
"""

import json
import sys

import pyarrow.parquet as pq


def exact(value):
    return repr(value) if isinstance(value, float) else value


file = pq.ParquetFile(sys.argv[1])
table = file.read()
print(
    json.dumps(
        {
            "columns": [[field.name, str(field.type), field.nullable] for field in table.schema],
            "row_groups": [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)],
            "rows": [{name: exact(value) for name, value in row.items()} for row in table.to_pylist()],
        },
        allow_nan=False,
    )
)
